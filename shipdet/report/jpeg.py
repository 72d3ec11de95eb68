"""A JPEG written in strips, so that no more than one of them is ever held."""

import io
from typing import BinaryIO

from PIL import Image

from shipdet.mosaic import Pixels

JPEG_MAX_PX = 65_500  # longest side that JPEG can hold
STRIP_PX = 512
"""Rows of a strip. Blocks are 8 or 16 px high: 64 or 32 rows of them, both multiples of 8."""

_RESTART_7, _END = b"\xff\xd7", b"\xff\xd9"
_FRAME, _SCAN = 0xC0, 0xDA  # the segment that has the height, and the one before the pixels


class JpegStrips:
    """A baseline JPEG of a known height that is given in strips, from the top.

    Each strip is compressed by Pillow on its own. Restart markers (ITU-T T.81, F.1.1.5) make one
    picture of them: after every row of blocks the decoder begins afresh, the markers count from 0
    to 7 and round again, and without optimisation Huffman's tables are always the same. The head of
    the first strip, told the whole height, and the pixels of all strips, a marker between them,
    are the file. (GDAL's JPEG driver holds the coefficients of the whole picture, 3 bytes a pixel.)
    """

    def __init__(self, stream: BinaryIO, height: int, quality: int) -> None:
        self._stream, self._height, self._quality = stream, height, quality
        self._rows = 0

    def write(self, strip: Pixels) -> None:
        """Add uint8 (rows, width, 3): ``STRIP_PX`` rows, fewer only in the last strip."""
        head, pixels = _compressed(strip, self._height, self._quality)
        self._stream.write(pixels if self._rows else head + pixels)
        self._rows += len(strip)
        self._stream.write(_RESTART_7 if self._rows < self._height else _END)


def jpeg_options(quality: int) -> dict[str, int]:
    """Pillow's options for a quality (1 to 100): from 90 on colour keeps its full resolution."""
    return {"quality": quality, "subsampling": 0 if quality >= 90 else 2}


def _compressed(strip: Pixels, height: int, quality: int) -> tuple[bytes, bytes]:
    """The head of a picture of that height, and the strip's pixels without the end's marker."""
    buffer = io.BytesIO()
    Image.fromarray(strip).save(buffer, "JPEG", restart_marker_rows=1, **jpeg_options(quality))
    data = bytearray(buffer.getvalue())
    # Segments follow the start's marker: 0xff, a kind, a length that counts its own two bytes.
    kind, start = 0, 2
    while kind != _SCAN:
        kind = data[start + 1]
        if kind == _FRAME:
            data[start + 5 : start + 7] = height.to_bytes(2, "big")
        start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    return bytes(data[:start]), bytes(data[start : -len(_END)])
