"""Bodies that servers compress, whatever was accepted and whatever the header says."""

import gzip
import io
import zlib
from functools import partial

import brotli
import numpy as np
import pytest
from PIL import Image

from shipdet.imagery.encodings import BadBody, decode_body

LIMIT = 4 * 1024**2


def png() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


@pytest.mark.parametrize("header", ["gzip", "", "br", "nonsense"])
def test_gzip_is_undone_whatever_the_header_says(header):
    assert decode_body(gzip.compress(png()), header, LIMIT) == png()


@pytest.mark.parametrize("header", ["deflate", ""])
def test_deflate_with_its_header_is_undone(header):
    assert decode_body(zlib.compress(png()), header, LIMIT) == png()


def test_deflate_without_its_header_is_undone():
    assert decode_body(raw_deflate(png()), "deflate", LIMIT) == png()


def test_brotli_is_undone():
    assert decode_body(brotli.compress(png()), "br", LIMIT) == png()


def test_what_was_compressed_twice_is_undone():
    twice = gzip.compress(brotli.compress(png()))
    assert decode_body(twice, "br, gzip", LIMIT) == png()


@pytest.mark.parametrize("header", ["gzip", "deflate", "br", "identity"])
def test_a_picture_with_a_wrong_header_stays_as_it_is(header):
    assert decode_body(png(), header, LIMIT) == png()


def test_text_stays_as_it_is():
    assert decode_body(b"xyz is no image", "", LIMIT) == b"xyz is no image"
    assert decode_body(b"", "gzip", LIMIT) == b""


@pytest.mark.parametrize(
    ("compress", "header"), [(gzip.compress, "gzip"), (zlib.compress, "deflate"),
                             (raw_deflate, "deflate"), (partial(brotli.compress, quality=1), "br")]
)  # fmt: skip
def test_a_small_body_that_holds_much_is_refused(compress, header):
    bomb = compress(bytes(64 * LIMIT))
    assert len(bomb) < LIMIT
    with pytest.raises(BadBody, match="more than 4 MiB"):
        decode_body(bomb, header, LIMIT)


@pytest.mark.parametrize(
    ("compress", "header"), [(gzip.compress, "gzip"), (zlib.compress, "deflate"),
                             (raw_deflate, "deflate"), (brotli.compress, "br")]
)  # fmt: skip
def test_a_body_that_was_cut_is_refused(compress, header):
    body = compress(png())
    with pytest.raises(BadBody, match="damaged or truncated"):
        decode_body(body[: len(body) // 2], header, LIMIT)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_a_body_with_a_wrong_sum_is_refused(compress):
    body = compress(png())
    with pytest.raises(BadBody, match="damaged or truncated"):
        decode_body(body[:-1] + bytes([body[-1] ^ 1]), "", LIMIT)


def test_zstd_is_named():
    with pytest.raises(BadBody, match="zstd"):
        decode_body(b"\x28\xb5\x2f\xfd" + bytes(20), "zstd", LIMIT)
