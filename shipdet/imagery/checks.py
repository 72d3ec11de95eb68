"""Is this answer a map tile? Decoding and content checks, without any network."""

import io
import struct

import numpy as np
from PIL import Image, UnidentifiedImageError

from shipdet.geometry import TILE_PX
from shipdet.imagery.providers import BlankRule
from shipdet.mosaic import Mask, Pixels

FORMATS = ("PNG", "JPEG", "WEBP")


class BadTile(Exception):
    """The answer is not a usable tile; the message says what it is instead."""


class BlankTile(Exception):
    """The answer says that there is no picture here."""


def looks_like_html(data: bytes) -> bool:
    """Whether an answer is a web page or XML message, as proxies and login pages send."""
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<serviceexception"))


def decode_tile(data: bytes, rule: BlankRule) -> tuple[Pixels, Mask]:
    """Decode a tile to uint8 RGB (256, 256, 3) and coverage (256, 256).

    Raises BadTile for what is no tile and BlankTile for a provider's "no picture" tile.
    """
    if not data:
        raise BadTile("an empty answer")
    if looks_like_html(data):
        raise BadTile("a web page instead of a picture")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.size != (TILE_PX, TILE_PX):  # before decoding, whatever the size claimed
                raise BadTile(f"a picture of {image.width}x{image.height} instead of 256x256")
            transparent = image.has_transparency_data
            rgba = np.asarray(image.convert("RGBA" if transparent else "RGB"))
    except BadTile:
        raise
    except UnidentifiedImageError:
        raise BadTile("something that is not a PNG, JPEG or WebP picture") from None
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError):
        # Pillow reports damage in all of these ways.
        raise BadTile("a damaged or truncated picture") from None
    covered = rgba[..., 3] > 0 if transparent else np.ones(rgba.shape[:2], dtype=np.bool_)
    pixels = np.ascontiguousarray(rgba[..., :3])
    if not covered.any() or is_blank(pixels, rule):
        raise BlankTile
    return pixels, covered


def is_blank(pixels: Pixels, rule: BlankRule) -> bool:
    """Whether the content rule of a provider says that the tile shows nothing."""
    if not rule.colors:
        return False
    flat = pixels.reshape(-1, 3).astype(np.int16)
    median = np.median(flat, axis=0)
    known = any(np.abs(median - np.array(c)).max() <= rule.tolerance for c in rule.colors)
    if not known:
        return False
    same = (np.abs(flat - median) <= rule.spread).all(axis=1)
    return bool(same.mean() >= rule.share)
