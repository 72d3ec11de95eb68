"""A mosaic seen at the classifier's scale.

The classifier knows ships at one number of metres per pixel (window_m / window_px, 1.07 m for a
240 m window of 224 px). A :class:`NetworkView` is the mosaic resampled to that scale, cut out
piece by piece so that the enlarged picture is never held as a whole. Coordinates are network
pixels; (0, 0) is the mosaic's top left corner.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from shipdet.geometry import Floats
from shipdet.mosaic import Mosaic

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_MARGIN = 4  # source pixels around a piece, what bicubic interpolation reaches


class NetworkView:
    """Cuts pieces of a mosaic, resampled to ``net_gsd_m`` metres per pixel.

    Outside the mosaic the picture is mirrored, so that a window may be centred on any of its
    pixels. Pixels without data take the colour of the nearest pixel that has some: a black hole
    would be a feature.
    """

    def __init__(self, mosaic: Mosaic, net_gsd_m: float) -> None:
        pixels, coverage = mosaic.pixels, mosaic.coverage
        grid = mosaic.grid
        self.net_gsd_m = net_gsd_m
        self.width = max(1, round(grid.width * grid.gsd_x_m / net_gsd_m))
        self.height = max(1, round(grid.height * grid.gsd_y_m / net_gsd_m))
        if self.width < grid.width and self.height < grid.height:
            # Shrinking: averaging once over the whole picture is exact and makes it smaller.
            size = (self.width, self.height)
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
            if not coverage.all():
                share = cv2.resize(coverage.astype(np.float32), size, interpolation=cv2.INTER_AREA)
                coverage = share > 0.999
            else:
                coverage = np.ones((self.height, self.width), np.bool_)
        self._pixels = pixels
        self._coverage = coverage
        self._complete = bool(coverage.all())
        #: network pixels per pixel of the picture that pieces are cut from
        self._fx = self.width / pixels.shape[1]
        self._fy = self.height / pixels.shape[0]
        #: network pixels per pixel of the mosaic, (x, y)
        self.factors = (self.width / grid.width, self.height / grid.height)

    def to_mosaic(self, xy: npt.ArrayLike) -> Floats:
        """Network pixels (n, 2) to pixels of the mosaic (n, 2)."""
        return np.asarray(np.reshape(xy, (-1, 2)) / np.array(self.factors), np.float64)

    def from_mosaic(self, xy: npt.ArrayLike) -> Floats:
        """Pixels of the mosaic (n, 2) to network pixels (n, 2)."""
        return np.asarray(np.reshape(xy, (-1, 2)) * np.array(self.factors), np.float64)

    def covered(self, xy: npt.ArrayLike) -> Mask:
        """Whether the network pixels (n, 2) have data, bool (n,); False outside the picture."""
        points = np.asarray(xy, np.float64).reshape(-1, 2)
        # A point on the far edge belongs to the last pixel.
        columns = np.floor(np.minimum(points[:, 0], self.width - 1e-6) / self._fx).astype(int)
        rows = np.floor(np.minimum(points[:, 1], self.height - 1e-6) / self._fy).astype(int)
        height, width = self._coverage.shape
        inside = (
            (points[:, 0] >= 0)
            & (points[:, 1] >= 0)
            & (points[:, 0] <= self.width)
            & (points[:, 1] <= self.height)
        )
        result = np.zeros(len(points), np.bool_)
        result[inside] = self._coverage[
            rows[inside].clip(0, height - 1), columns[inside].clip(0, width - 1)
        ]
        return result

    def cut(self, x0: float, y0: float, width: int, height: int) -> tuple[Pixels, Mask]:
        """A piece whose top left corner is (x0, y0): uint8 (height, width, 3) and its coverage.

        Mirrored pixels outside the picture count as covered like the pixels they repeat.
        """
        left, top = x0 / self._fx, y0 / self._fy
        right, bottom = (x0 + width) / self._fx, (y0 + height) / self._fy
        rect = (
            math.floor(left) - _MARGIN,
            math.floor(top) - _MARGIN,
            math.ceil(right) + _MARGIN,
            math.ceil(bottom) + _MARGIN,
        )
        source = _slice_mirrored(self._pixels, rect)
        # Centre of network pixel i, minus half a pixel because OpenCV counts from pixel centres.
        matrix = np.array(
            [
                [1 / self._fx, 0.0, (x0 + 0.5) / self._fx - 0.5 - rect[0]],
                [0.0, 1 / self._fy, (y0 + 0.5) / self._fy - 0.5 - rect[1]],
            ]
        )
        piece = _warp(source, matrix, width, height, cv2.INTER_CUBIC)
        if self._complete:
            return piece, np.ones((height, width), np.bool_)
        mask_source = _slice_mirrored(self._coverage.view(np.uint8), rect)
        mask = _warp(mask_source, matrix, width, height, cv2.INTER_NEAREST).view(np.bool_)
        return _fill(piece, mask), mask


def _warp(source: Pixels, matrix: Floats, width: int, height: int, mode: int) -> Pixels:
    flags = mode | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(source, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT),
        np.uint8,
    )


def _slice_mirrored(array: Pixels, rect: tuple[int, int, int, int]) -> Pixels:
    """Rows and columns of a rectangle that may reach over the edges, mirrored there."""
    x0, y0, x1, y1 = rect
    height, width = array.shape[:2]
    if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
        return array[y0:y1, x0:x1]
    columns = _mirror(np.arange(x0, x1), width)
    rows = _mirror(np.arange(y0, y1), height)
    return array[rows[:, None], columns[None, :]]


def _mirror(index: npt.NDArray[np.int_], size: int) -> npt.NDArray[np.int_]:
    folded = index % (2 * size)
    return np.minimum(folded, 2 * size - 1 - folded)


def _fill(pixels: Pixels, mask: Mask) -> Pixels:
    """Pixels outside the mask replaced by the nearest one inside it."""
    if mask.all() or not mask.any():
        return pixels
    _, labels = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels[mask]] = np.flatnonzero(mask)
    flat = pixels.reshape(-1, 3)
    return np.asarray(flat[nearest[labels]])
