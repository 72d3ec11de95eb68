"""What counts as a tile: sizes, bit depths, transparency, and bodies that mean harm."""

import gzip
import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shipdet.imagery.checks import BadTile, BlankTile, decode_tile
from shipdet.imagery.encodings import BadBody, decode_body
from shipdet.imagery.providers import BlankRule
from tests.helpers.tile_server import generated_picture

NO_RULE = BlankRule()
LIMIT = 4 * 1024**2
TILE = generated_picture(1, 1)


def encoded(pixels, image_format="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format, **options)
    return buffer.getvalue()


def png_of(pixels: np.ndarray, color_type: int) -> bytes:
    """A PNG of 16 bits for each channel, which Pillow cannot write for colors."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw, 1))
        + chunk(b"IEND", b"")
    )


def test_gray_tiles_of_16_bits_are_scaled_as_color():
    deep = TILE.astype(np.uint16) * 257
    gray = decode_tile(png_of(deep[..., 0], 0), NO_RULE).pixels
    assert np.array_equal(gray, np.repeat(TILE[..., :1], 3, axis=2))
    assert np.array_equal(decode_tile(png_of(deep, 2), NO_RULE).pixels, TILE)


def test_gray_tiles_of_8_bits_are_gray():
    gray = decode_tile(encoded(TILE[..., 0]), NO_RULE).pixels
    assert np.array_equal(gray, np.repeat(TILE[..., :1], 3, axis=2))


def test_the_transparent_gray_of_16_bits_is_no_picture():
    deep = TILE[..., 0].astype(np.uint16) * 257
    deep[:100] = 7
    decoded = decode_tile(encoded(deep, transparency=7), NO_RULE)
    assert not decoded.covered[:100].any()
    assert decoded.covered[100:].all()


def test_tiles_of_twice_the_size_are_averaged():
    large = np.repeat(np.repeat(TILE, 2, 0), 2, 1)
    decoded = decode_tile(encoded(large), NO_RULE)
    assert decoded.halved
    assert np.array_equal(decoded.pixels, TILE)
    assert not decode_tile(encoded(TILE), NO_RULE).halved


def test_transparent_pixels_do_not_color_an_average():
    large = np.repeat(np.repeat(np.dstack([TILE, np.full((256, 256), 255, np.uint8)]), 2, 0), 2, 1)
    large[::2, ::2] = 0  # one of four, black and transparent
    large[:64] = 0
    decoded = decode_tile(encoded(large), NO_RULE)
    assert np.array_equal(decoded.pixels[32:], TILE[32:])
    assert not decoded.covered[:32].any()
    assert decoded.covered[32:].all()


@pytest.mark.parametrize("side", [128, 300, 1024])
def test_tiles_of_another_size_are_named(side):
    odd = np.zeros((side, side, 3), np.uint8)
    with pytest.raises(BadTile, match=f"an image of {side}x{side} instead of 256x256"):
        decode_tile(encoded(odd), NO_RULE)


BODIES = [
    encoded(TILE),
    encoded(TILE, "JPEG"),
    encoded(TILE, "WEBP"),
    encoded(TILE[..., 0].astype(np.uint16) * 257),
    gzip.compress(encoded(TILE)),
    zlib.compress(encoded(TILE)),
    b"<!DOCTYPE html><html><body>Please log in.</body></html>",
    encoded(np.zeros((1, 1, 3), np.uint8)).replace(
        struct.pack(">II", 1, 1), struct.pack(">II", 2**30, 2**30)
    ),
    gzip.compress(bytes(100 * 1024**2)),
]
HEADERS = ["", "gzip", "deflate", "br", "gzip, gzip", "zstd"]


@st.composite
def mutated(draw):
    """A body of BODIES, cut, with other bytes in it, or with a piece twice."""
    body = bytearray(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(0, len(body) - 1)))
        match draw(st.sampled_from(["cut", "change", "double", "drop"])):
            case "cut":
                del body[at:]
            case "change":
                body[at : at + 4] = draw(st.binary(min_size=1, max_size=8))
            case "double":
                body[at:at] = body[at : at + 64]
            case "drop":
                del body[at : at + 16]
    return bytes(body)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.one_of(mutated(), st.binary(max_size=2000)), header=st.sampled_from(HEADERS))
def test_no_body_breaks_the_reader_or_its_limits(body, header):
    tracemalloc.start()
    began = time.process_time()
    try:
        decoded = decode_tile(decode_body(body, header, LIMIT), NO_RULE)
    except (BadBody, BadTile, BlankTile):
        pass
    else:
        assert decoded.pixels.shape == (256, 256, 3)
        assert decoded.covered.shape == (256, 256)
        assert decoded.pixels.dtype == np.uint8
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 * 1024**2
    assert time.process_time() - began < 10  # of computing, whatever else the machine does
