"""Decode and check map tiles, without network access."""

import io
import struct
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from shipdet.geometry import TILE_PX
from shipdet.imagery.providers import BlankRule
from shipdet.mosaic import Mask, Pixels

FORMATS = ("PNG", "JPEG", "WEBP")
OTHER_FORMATS = {b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"\0\0\0 ftypavif": "AVIF"}
"""First bytes of formats that are not decoded."""


class BadTile(Exception):
    """The response is not a usable tile; the message describes what it is."""


class BlankTile(Exception):
    """The provider has no image here."""


class Decoded(NamedTuple):
    """A tile's RGB pixels, its coverage, and whether it was reduced from twice the size."""

    pixels: Pixels
    covered: Mask
    halved: bool = False


def looks_like_html(data: bytes) -> bool:
    """Whether a response is a web page or an XML message, for example of a proxy or login page."""
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<serviceexception"))


def decode_tile(data: bytes, rule: BlankRule, tile_px: int = TILE_PX) -> Decoded:
    """Decode a tile to uint8 RGB (tile_px, tile_px, 3) and coverage (tile_px, tile_px).

    Tiles of twice the size ("@2x") are averaged. Of 16-bit values the upper 8 bits are kept: tiles
    that are stretched separately would not match.

    Args:
        data: PNG, JPEG or WebP.
        rule: How the provider marks blank tiles.
        tile_px: Side of the provider's tiles in pixels.

    Raises:
        BadTile: The data are not a tile.
        BlankTile: The tile is blank or transparent.
    """
    if not data:
        raise BadTile("an empty response")
    if looks_like_html(data):
        raise BadTile("a web page instead of an image")
    if data.lstrip()[:1] in (b"{", b"["):
        raise BadTile("a JSON message instead of an image")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.size not in ((tile_px, tile_px), (2 * tile_px, 2 * tile_px)):
                # before decoding, which may need much memory
                raise BadTile(
                    f"an image of {image.width}x{image.height} instead of {tile_px}x{tile_px}"
                )
            pixels, covered = _rgb(image)
    except BadTile:
        raise
    except UnidentifiedImageError:
        raise BadTile(_unsupported(data)) from None
    except (
        OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError, EOFError, struct.error,
        zlib.error, OverflowError, MemoryError, Image.DecompressionBombError,
    ):  # fmt: skip
        # Pillow reports damage in all of these ways.
        raise BadTile("a damaged or truncated image") from None
    if not covered.any():
        raise BlankTile
    twice = len(pixels) != tile_px
    if twice:
        pixels, covered = _halved(pixels, covered)
    if is_blank(pixels, rule):
        raise BlankTile
    return Decoded(pixels, covered, twice)


def _unsupported(data: bytes) -> str:
    names = (name for start, name in OTHER_FORMATS.items() if data.startswith(start))
    name = next(names, None)
    if name is None:
        return "something that is not a PNG, JPEG or WebP image"
    return f"an image in the format {name}, which is not supported"


def _rgb(image: Image.Image) -> tuple[Pixels, Mask]:
    """Convert an image of any mode to 8-bit RGB and a mask of its non-transparent pixels."""
    if image.mode.startswith("I"):  # 16-bit gray; Pillow would clip it at 255
        deep = np.asarray(image).astype(np.int64)
        gray = np.clip(deep >> 8, 0, 255).astype(np.uint8)
        hidden = image.info.get("transparency")
        shown = np.ones(gray.shape, np.bool_) if hidden is None else deep != hidden
        return np.repeat(gray[..., None], 3, axis=2), shown
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return np.ascontiguousarray(rgba[..., :3]), rgba[..., 3] > 0
    rgb = np.asarray(image.convert("RGB"))
    return rgb, np.ones(rgb.shape[:2], np.bool_)


def _halved(pixels: Pixels, covered: Mask) -> tuple[Pixels, Mask]:
    """Average the covered pixels of each 2 x 2 block; a block is covered if any of them is."""
    half = len(pixels) // 2
    weights = covered.reshape(half, 2, half, 2, 1).astype(np.uint16)
    sums = (pixels.reshape(half, 2, half, 2, 3) * weights).sum((1, 3))
    counts = weights.sum((1, 3))
    safe = np.maximum(counts, 1)
    return ((sums + safe // 2) // safe).astype(np.uint8), counts[..., 0] > 0


def is_blank(pixels: Pixels, rule: BlankRule) -> bool:
    """Whether a tile is blank by the content rule of its provider."""
    if not rule.colors:
        return False
    flat = pixels.reshape(-1, 3).astype(np.int16)
    median = np.median(flat, axis=0)
    known = any(np.abs(median - np.array(c)).max() <= rule.tolerance for c in rule.colors)
    if not known:
        return False
    same = (np.abs(flat - median) <= rule.spread).all(axis=1)
    return bool(same.mean() >= rule.share)
