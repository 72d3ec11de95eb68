"""Sample an image evenly, to determine its fill and its stretch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shipdet.geometry import Floats, PixelBox
from shipdet.mosaic import Mask

Numbers = npt.NDArray[np.generic]

#: Smallest number of sampled pixels; images with less than four times as many are not subsampled.
SAMPLED = 1_000_000
#: Rows that are read at a time.
STRIP_PX = 512
#: Range of reflectance of nearly all pixels: from dark water after too strong an atmospheric
#: correction, to clouds and glint.
PLAUSIBLE = (-0.2, 1.6)
#: Note about values that were multiplied by a negative factor.
REVERSED = "The scale of the values is negative, so that larger stored values are darker."
#: The brightest pixel of an image has at least this reflectance.
LEAST_BRIGHTEST = 0.03


@dataclass(frozen=True)
class Calibration:
    """The values of a reflectance of 0 and, if known, of 1."""

    zero: float = 0.0
    white: float | None = None

    def fitted(self, values: Numbers, usable: Mask) -> "Calibration":
        """Return the calibration for an image, without ``white`` if its values do not fit it.

        Tags may mention reflectance although the values have another unit.

        Args:
            values: Values of the image, (h, w, bands).
            usable: bool (h, w), the pixels that count.
        """
        if self.white is None or not usable.any():
            return self
        shares = (values[usable].astype(np.float64) - self.zero) / (self.white - self.zero)
        low, high = np.percentile(shares, (1, 99))
        plausible = PLAUSIBLE[0] <= low and high <= PLAUSIBLE[1]
        return self if plausible and shares.max() >= LEAST_BRIGHTEST else Calibration(self.zero)


class RasterValues(Protocol):
    """The values of an image before the conversion to 8 bits."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Number type of the values."""

    @property
    def calibration(self) -> Calibration:
        """The values of a reflectance of 0 and 1."""

    def read(self, box: PixelBox) -> tuple[Numbers, Mask]:
        """Read values (h, w, 1 or 3) and coverage (h, w) of a window inside the image."""


@dataclass(frozen=True)
class ArrayValues:
    """Values (h, w, 1 or 3) and coverage (h, w) in memory."""

    values: Numbers
    covered: Mask
    calibration: Calibration = Calibration()

    @property
    def size(self) -> tuple[int, int]:
        """See :class:`RasterValues`."""
        return self.covered.shape[1], self.covered.shape[0]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """See :class:`RasterValues`."""
        return self.values.dtype

    def read(self, box: PixelBox) -> tuple[Numbers, Mask]:
        """See :class:`RasterValues`."""
        cut = slice(box.y0, box.y1), slice(box.x0, box.x1)
        return self.values[cut], self.covered[cut]


@dataclass(frozen=True)
class Survey:
    """Samples of an image in cells of ``step`` x ``step`` pixels.

    ``values`` (rows, columns, bands) is the first pixel of each cell and ``right`` its neighbor
    to the right; ``covered`` (rows, columns) is where ``values`` has data; ``peaks``
    (rows, columns) is the largest value of each cell, -inf without data.
    """

    step: int
    values: Numbers
    right: Numbers
    covered: Mask
    peaks: Floats
    any_covered: bool


def strips(size: tuple[int, int], multiple: int = 1) -> Iterator[PixelBox]:
    """Divide an image into strips from the top, with a height that is a multiple of a number."""
    width, height = size
    rows = multiple * math.ceil(STRIP_PX / multiple)
    for top in range(0, height, rows):
        yield PixelBox(0, top, width, min(top + rows, height))


def survey(source: RasterValues) -> Survey:
    """Read an image once, strip by strip."""
    width, height = source.size
    step = max(1, math.isqrt(width * height // SAMPLED))
    parts: list[tuple[Numbers, Numbers, Mask, Floats]] = []
    any_covered = False
    for strip in strips(source.size, step):
        values, covered = source.read(strip)
        any_covered |= bool(covered.any())
        columns = np.arange(0, width, step)
        rows = slice(None, None, step)
        right = np.minimum(columns + 1, width - 1)
        parts.append(
            (
                values[rows][:, columns],
                values[rows][:, right],
                covered[rows][:, columns],
                _peaks(values, covered, step),
            )
        )
    joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return Survey(step, joined[0], joined[1], joined[2], joined[3], any_covered)


def _peaks(values: Numbers, covered: Mask, step: int) -> Floats:
    brightest = np.where(covered, values.max(axis=-1), -np.inf)
    for axis in (0, 1):
        starts = np.arange(0, brightest.shape[axis], step)
        brightest = np.maximum.reduceat(brightest, starts, axis=axis)
    return np.asarray(brightest, np.float64)
