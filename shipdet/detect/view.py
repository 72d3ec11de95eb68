"""Resample an image to the network's scale.

A :class:`NetworkView` cuts pieces of an image, resampled to the scale at which the network searches
it (:meth:`shipdet.models.config.ClassifierConfig.network_gsd_m`), so that neither the image nor the
result is in memory as a whole. Coordinates are network pixels; (0, 0) is the top left corner of the
image.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from shipdet.detect.shrunk import Shrunk
from shipdet.geometry import Floats
from shipdet.mosaic import Mask, Picture, Pixels, fill_uncovered
from shipdet.progress import Steps

_MARGIN = 4  # source pixels around a piece that bicubic interpolation needs


class NetworkView:
    """Cuts pieces of an image, resampled to ``net_gsd_m`` meters per pixel.

    The image is mirrored at its edges, so that a window can be centered on any of its pixels.
    Pixels without data get the color of the nearest pixel with data, since the network would
    mistake a black area for an object.
    """

    def __init__(self, picture: Picture, net_gsd_m: float) -> None:
        grid = picture.grid
        self.net_gsd_m = net_gsd_m
        self.width = max(1, round(grid.width * grid.gsd_x_m / net_gsd_m))
        self.height = max(1, round(grid.height * grid.gsd_y_m / net_gsd_m))
        self._source: Picture | Shrunk = picture
        self._size = (grid.width, grid.height)
        if self.width < grid.width and self.height < grid.height:
            # Average first: interpolation alone would skip pixels.
            self._source = Shrunk(picture, self.width, self.height)
            self._size = (self.width, self.height)
        #: network pixels per pixel of the source that pieces are cut from
        self._fx = self.width / self._size[0]
        self._fy = self.height / self._size[1]
        #: network pixels per pixel of the image, (x, y)
        self.factors = (self.width / grid.width, self.height / grid.height)

    def to_mosaic(self, xy: npt.ArrayLike) -> Floats:
        """Convert network pixels (n, 2) to pixels of the image (n, 2)."""
        return np.asarray(np.reshape(xy, (-1, 2)) / np.array(self.factors), np.float64)

    def from_mosaic(self, xy: npt.ArrayLike) -> Floats:
        """Convert pixels of the image (n, 2) to network pixels (n, 2)."""
        return np.asarray(np.reshape(xy, (-1, 2)) * np.array(self.factors), np.float64)

    def covered(self, xy: npt.ArrayLike) -> Mask:
        """Whether the network pixels (n, 2) have data, bool (n,); False outside the image."""
        points = np.asarray(xy, np.float64).reshape(-1, 2)
        inside = (
            (points[:, 0] >= 0)
            & (points[:, 1] >= 0)
            & (points[:, 0] <= self.width)
            & (points[:, 1] <= self.height)
        )
        result = np.zeros(len(points), np.bool_)
        if not inside.any():
            return result
        # A point on the far edge belongs to the last pixel.
        columns, rows = (
            np.floor(points[inside, axis] / factor).astype(int).clip(0, size - 1)
            for axis, factor, size in zip((0, 1), (self._fx, self._fy), self._size, strict=True)
        )
        left, top = int(columns.min()), int(rows.min())
        _, mask = self._source.read(left, top, int(columns.max()) + 1, int(rows.max()) + 1)
        result[inside] = mask[rows - top, columns - left]
        return result

    def wait(self, y0: float, height: int) -> Steps[None]:
        """Wait until all rows that :meth:`cut` needs for this piece are downloaded."""
        rows = _mirror(np.arange(*self._reach(y0, height, self._fy)), self._size[1])
        yield from self._source.wait(int(rows.max()) + 1)

    def cut(self, x0: float, y0: float, width: int, height: int) -> tuple[Pixels, Mask]:
        """Cut a piece whose top left corner is (x0, y0).

        Returns:
            uint8 (height, width, 3), and bool (height, width), False where there is no data.
            Mirrored pixels have the coverage of the pixels that they repeat.
        """
        columns = self._reach(x0, width, self._fx)
        rows = self._reach(y0, height, self._fy)
        source, covered = _read_mirrored(self._source, self._size, columns, rows)
        source = fill_uncovered(source, covered)  # first, so that no black is interpolated
        if self._fx == self._fy == 1 and x0 == math.floor(x0) and y0 == math.floor(y0):
            # Same pixel grid, as in every canvas of a reduced picture: no interpolation.
            inner = slice(_MARGIN, _MARGIN + height), slice(_MARGIN, _MARGIN + width)
            return source[inner].copy(), covered[inner].copy()
        # Center of network pixel i; minus half a pixel, because OpenCV counts from pixel centers.
        matrix = np.array(
            [
                [1 / self._fx, 0.0, (x0 + 0.5) / self._fx - 0.5 - columns[0]],
                [0.0, 1 / self._fy, (y0 + 0.5) / self._fy - 0.5 - rows[0]],
            ]
        )
        piece = _warp(source, matrix, width, height, cv2.INTER_CUBIC)
        if covered.all():
            return piece, np.ones((height, width), np.bool_)
        nearest = _warp(covered.view(np.uint8), matrix, width, height, cv2.INTER_NEAREST)
        return piece, nearest.view(np.bool_)

    @staticmethod
    def _reach(start: float, length: int, factor: float) -> tuple[int, int]:
        """Return the range of source pixels, end exclusive, that a piece needs along one axis."""
        return (
            math.floor(start / factor) - _MARGIN,
            math.ceil((start + length) / factor) + _MARGIN,
        )


def _warp(source: Pixels, matrix: Floats, width: int, height: int, mode: int) -> Pixels:
    flags = mode | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(source, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT),
        np.uint8,
    )


def _read_mirrored(
    source: Picture | Shrunk,
    size: tuple[int, int],
    columns: tuple[int, int],
    rows: tuple[int, int],
) -> tuple[Pixels, Mask]:
    """Read a rectangle that may extend beyond the image, mirrored at the edges."""
    (x0, x1), (y0, y1) = columns, rows
    width, height = size
    if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
        return source.read(x0, y0, x1, y1)
    (left, right), (top, bottom) = _mirrored_from(x0, x1, width), _mirrored_from(y0, y1, height)
    pixels, mask = source.read(left, top, right, bottom)
    beyond = max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width)
    # Much faster than an index array.
    wide = cv2.copyMakeBorder(pixels, *beyond, cv2.BORDER_REFLECT)
    wide_mask = cv2.copyMakeBorder(mask.view(np.uint8), *beyond, cv2.BORDER_REFLECT)
    y, x = y0 - top + beyond[0], x0 - left + beyond[2]
    part = slice(y, y + y1 - y0), slice(x, x + x1 - x0)
    return np.asarray(wide[part], np.uint8), wide_mask[part].view(np.bool_)


def _mirrored_from(start: int, stop: int, size: int) -> tuple[int, int]:
    """Return the range of pixels, end exclusive, from which a range is mirrored.

    Includes the edges at which the range is mirrored.
    """
    needed = _mirror(np.arange(start, stop), size)
    return (
        0 if start < 0 or stop > 2 * size else int(needed.min()),
        size if stop > size or start < -size else int(needed.max()) + 1,
    )


def _mirror(index: npt.NDArray[np.int_], size: int) -> npt.NDArray[np.int_]:
    folded = index % (2 * size)
    return np.minimum(folded, 2 * size - 1 - folded)
