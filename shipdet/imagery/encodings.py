"""Decompress a response body, with a size limit.

httpx relies on the header and has no limit, but object stores send compressed tiles without the
header, and a small body can expand to gigabytes.
"""

import zlib

PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")
MAX_LAYERS = 3  # a proxy may compress a compressed body again


class BadBody(Exception):
    """The body cannot be decoded; the message describes it."""


def decode_body(body: bytes, header: str, limit: int) -> bytes:
    """Decompress a response body.

    The first bytes take precedence over the header, because servers omit the header or send it with
    uncompressed bodies.

    Args:
        body: The body as received, at most ``limit`` bytes.
        header: The Content-Encoding header; "" if missing.
        limit: Largest size of the result in bytes.

    Raises:
        BadBody: The body is damaged, too large, or in an unsupported encoding.
    """
    named = [name.strip().lower() for name in header.split(",") if name.strip()]
    for _ in range(MAX_LAYERS):
        if not body or body.startswith(PICTURES):
            return body
        if body.startswith(b"\x1f\x8b"):
            body = _inflate(body, zlib.MAX_WBITS | 16, limit)
        elif body[0] == 0x78 and int.from_bytes(body[:2]) % 31 == 0:  # zlib: RFC 1950, 2.2
            body = _inflate(body, zlib.MAX_WBITS, limit)
        elif body.startswith(b"\x28\xb5\x2f\xfd"):
            raise BadBody("a body compressed with zstd, which was not requested")
        elif named and named[-1] == "deflate":
            body = _inflate(body, -zlib.MAX_WBITS, limit)  # some servers omit the zlib header
        elif named and named[-1] == "br":
            body = _decompress_brotli(body, limit)
        else:
            return body
        del named[-1:]
    return body


def _inflate(body: bytes, window_bits: int, limit: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    try:
        result = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise BadBody("a damaged or truncated image") from None
    if len(result) > limit:
        raise BadBody(too_large(limit))
    if not inflater.eof:
        raise BadBody("a damaged or truncated image")
    return result


def _decompress_brotli(body: bytes, limit: int) -> bytes:
    try:
        import brotli  # comes with gradio
    except ImportError:
        raise BadBody("a body compressed with brotli, which was not requested") from None
    decompressor = brotli.Decompressor()
    try:
        result: bytes = decompressor.process(body, output_buffer_limit=limit + 1)
    except TypeError:  # brotli before 1.2 cannot limit its output
        raise BadBody("a body compressed with brotli, which was not requested") from None
    except brotli.error:
        raise BadBody("a damaged or truncated image") from None
    if len(result) > limit:
        raise BadBody(too_large(limit))
    if not decompressor.is_finished():
        raise BadBody("a damaged or truncated image")
    return result


def too_large(limit: int) -> str:
    """Describe a body of more than ``limit`` bytes, for errors."""
    return f"a response of more than {limit // 1024**2} MiB"
