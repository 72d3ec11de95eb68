"""Convert values of more than 8 bits to 8 bits that look like 8-bit imagery.

Detectors learn from 8-bit imagery, in which water is dark and calm and ships are bright. A stretch
between percentiles breaks both: ships, the brightest few pixels of a sea, are clipped, and the
noise of an empty sea is amplified to full contrast. Here the brightest pixels determine the gain,
bounded by the level and the noise of the water, and brighter values are compressed, not clipped.
"""

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from shipdet.errors import BadOption
from shipdet.geometry import Floats
from shipdet.imagery.survey import Calibration, Numbers, Survey
from shipdet.mosaic import Mask, Pixels
from shipdet.requests import StretchName

#: Percentiles of the stretch "percentile".
PERCENTILES = (2.0, 98.0)
#: Reflectance that becomes white, as in Sentinel-2's true-color images (TCI): 3558 / 10000.
WHITE_REFLECTANCE = 0.3558
#: Level above which values are compressed if the brightest would exceed 255.
KNEE = 192.0
#: Zero becomes black if it is below the darkest value by at most this share of the range.
HAZE_MARGIN = 0.5
#: With values below zero, black is below the darkest value by this share of the range.
MARGIN = 0.1
#: Largest standard deviation of the noise of water, in levels.
WATER_NOISE = 6.0
#: Highest level of the dark parts (5th percentile), which are usually water.
WATER_LEVEL = 80.0
#: Percentile up to which values are usually water, even if clouds or land cover most of an image.
WATER_PERCENTILE = 25.0
#: Lowest level of that percentile, if the noise allows it; typical of 8-bit imagery.
DARKEST_WATER = 30.0
#: Smallest share of the full gain to which level and noise of the water reduce it.
LEAST_GAIN = 0.4
#: Largest share of stray cells, and how many times brighter than all others they are.
STRAY, STRAY_TIMES = 0.05, 3.0
#: Largest share of stray dark cells; see :func:`_darkest`.
DARK_STRAY = 0.02
#: Bits per value of sensors and storage formats.
DEPTHS = (10, 11, 12, 14, 15, 16)
#: A depth is filled if the highest value exceeds the first share of it, and the lowest is below
#: the second.
DEPTH_FILLED, DEPTH_DARK = 0.85, 0.75


@dataclass(frozen=True)
class Stretch:
    """Level = (value - ``black``) * ``gain``, in all bands, so that the color balance is kept.

    ``top`` is the level that the brightest value would have. If it is above 255, levels above
    ``KNEE`` are compressed by the curve of Reinhard et al., "Photographic tone reproduction for
    digital images" (2002), equation 4, which maps ``top`` to 255 and is smooth at the knee.
    """

    black: float
    gain: float
    top: float = 255.0

    def apply(self, values: Numbers) -> Pixels:
        """Convert values to uint8 of the same shape."""
        kind = np.float32 if values.dtype.itemsize <= 2 or values.dtype == np.float32 else None
        level: npt.NDArray[np.floating] = np.subtract(values, self.black, dtype=kind or np.float64)
        with np.errstate(over="ignore"):  # an infinite level is white
            level *= self.gain
        if self.top > 255.0:
            over = level > KNEE
            u = (level[over] - KNEE) / (255.0 - KNEE)
            u_top = (self.top - KNEE) / (255.0 - KNEE)
            level[over] = KNEE + (255.0 - KNEE) * u * (1 + u / u_top**2) / (1 + u)
        finite = np.nan_to_num(level, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        return np.asarray(np.clip(np.rint(finite), 0, 255), np.uint8)

    def note(self, dtype: np.dtype[np.generic]) -> str:
        """Return a note for the run record."""
        white = self.black + self.top / self.gain
        softly = ", with the brightest ones compressed" if self.top > 255.5 else ""
        extent = f"from {self.black:.6g} to {white:.6g}"
        return f"{dtype.name} values {extent} are stretched to 8 bits{softly}."


def check_stretch(name: str) -> StretchName:
    """Return the name of a stretch; raises BadOption, with a list, for an unknown one."""
    for known in get_args(StretchName):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise BadOption(f"The stretch '{name}' is not one of {', '.join(get_args(StretchName))}.")


def choose_stretch(
    name: StretchName, survey: Survey, usable: Mask, calibration: Calibration
) -> Stretch | None:
    """Choose the stretch of an image; None if its 8-bit values are kept.

    Args:
        name: "auto", as the module describes; "percentile", from the 2nd to the 98th; "minmax"; or
            "none", which clips values to 0 to 255.
        survey: Survey of the image.
        usable: bool (rows, columns), the cells of the survey that count.
        calibration: Calibration of the values.
    """
    if name == "none" or (name == "auto" and survey.values.dtype == np.uint8):
        return None if survey.values.dtype == np.uint8 else Stretch(0.0, 1.0)
    values = survey.values[usable].astype(np.float64)
    if not len(values):
        return Stretch(0.0, 1.0)
    peaks = survey.peaks[usable]
    if name == "auto":
        noise = _noise(values, survey.right[usable].astype(np.float64))
        levels = _eight_bits(values, noise)
        return levels or _bounded(values, peaks, noise, survey.values.dtype, calibration)
    if name == "minmax":
        low, high = float(values.min()), float(peaks.max())
    else:
        low, high = (float(v) for v in np.percentile(values, PERCENTILES))
    return _between(low, high)


def _between(low: float, high: float) -> Stretch:
    if high <= low:  # all values are equal
        return Stretch(low - 1.0, 127.5)
    return Stretch(low, 255.0 / (high - low))


def _noise(values: Floats, right: Floats) -> float:
    """Return the standard deviation of the noise in the darkest quarter, which is usually water.

    Estimated from differences of neighbors, whose median coasts and ships do not affect:
    1.4826 * median(|difference|) / sqrt(2).
    """
    gray = values.mean(axis=-1)
    dark = gray <= np.percentile(gray, WATER_PERCENTILE)
    return float(1.4826 * np.median(np.abs(values[dark] - right[dark])) / math.sqrt(2))


def _eight_bits(values: Floats, noise: float) -> Stretch | None:
    """Return the stretch that restores scaled or shifted 8-bit values; None for other values.

    Such values have at most 256 levels in equal steps. Steps of 1, or of 0.0001 and other powers
    of ten, do not count, since unscaled sensor values have them too.
    """
    flat = values.reshape(-1)
    if len(np.unique(flat[:: max(1, len(flat) // 4096)])) > 256:
        return None
    levels = np.unique(flat)
    if not 16 <= len(levels) <= 256:
        return None
    low, extent = float(levels[0]), float(levels[-1] - levels[0])
    count = round(extent / float(np.diff(levels).min()))
    if count > 255:
        return None
    step = extent / count
    steps = (levels - low) / step
    if np.abs(steps - np.rint(steps)).max() > 0.02 or noise / step > 2 * WATER_NOISE:
        return None
    if math.isclose(step, 1.0, rel_tol=1e-6):
        plain = low >= 0 and 64 <= levels[-1] <= 255
        return Stretch(0.0, 1.0) if plain else None
    decimals = -math.log10(step)
    if decimals > 1 and abs(decimals - round(decimals)) < 1e-3:
        return None
    offset = 128 if low < 0 else 0  # values below zero are centered at zero
    first = min(max(round(low / step) + offset, 0), 255 - count)
    return Stretch(low - first * step, 1.0 / step)


def _brightest(peaks: Floats, low: float) -> float:
    """Return the highest value, except those of hot pixels, glints or small undeclared fill.

    The brightest few cells never count. Up to :data:`STRAY` of the cells do not count either if
    they are apart: :data:`STRAY_TIMES` times as bright as the next ones. Ships are not apart,
    because the pixels at their edges have all values down to those of the water.

    Args:
        peaks: (n,) highest value of each cell.
        low: Value from which brightness is measured.
    """
    few = min(max(8, len(peaks) // 100_000), len(peaks) - 1)
    most = min(max(few + 1, int(STRAY * len(peaks))), len(peaks) - 1)
    cut = len(peaks) - 1 - most
    top = np.sort(np.partition(peaks, cut)[cut:])[::-1] - low
    apart = np.flatnonzero(top[:-1] > STRAY_TIMES * np.maximum(top[1:], 0))
    return float(top[max(few, int(apart[-1]) + 1 if len(apart) else 0)] + low)


def _darkest(gray: Floats) -> float:
    """Return the lowest value (0.1st percentile), except that of small undeclared fill.

    Up to :data:`DARK_STRAY` of the cells do not count if a gap separates them from the others that
    is wider than the extent of the others below their median.

    Args:
        gray: (n,) mean of the bands of each cell.
    """
    most = int(DARK_STRAY * len(gray)) + 1
    bottom = np.sort(np.partition(gray, most)[: most + 1]) if most < len(gray) else np.sort(gray)
    apart = np.flatnonzero(np.diff(bottom) > np.median(gray) - bottom[1:])
    stray = int(apart[-1]) + 1 if len(apart) else 0
    kept = gray[gray >= bottom[stray]]
    return float(np.percentile(kept, 0.1))


def _type_range(low: float, high: float, dtype: np.dtype[np.generic]) -> tuple[float, float] | None:
    """Return the black and white value of integers that fill their number of bits; else None.

    Args:
        low: Value of the darkest parts.
        high: Value of the brightest parts.
        dtype: Type of the values. A signed type with values below zero is centered at zero.
    """
    if not np.issubdtype(dtype, np.integer):
        return None
    if low < 0:
        bounds = np.iinfo(dtype.str)
        whole = high >= DEPTH_FILLED * bounds.max
        return (float(bounds.min), float(bounds.max)) if whole else None
    tops = (2.0**bits - 1 for bits in DEPTHS)
    filled = (top for top in tops if DEPTH_FILLED * top <= high <= top and low < DEPTH_DARK * top)
    return next(((0.0, top) for top in filled), None)


def _bounded(
    values: Floats,
    peaks: Floats,
    noise: float,
    dtype: np.dtype[np.generic],
    calibration: Calibration,
) -> Stretch:
    """Return the stretch "auto", as the module describes."""
    gray = values.mean(axis=-1)
    low = _darkest(gray)
    dark, water = (float(v) for v in np.percentile(gray, (5, WATER_PERCENTILE)))
    high = _brightest(peaks, low)
    if high <= low:
        return _between(low, low)
    black, white = calibration.zero, calibration.white
    filled = _type_range(low, high, dtype) if white is None else None
    top = high
    if filled:
        black, top = filled
    elif white is None:
        if low < black:
            black = low - (high - low) * MARGIN
        else:
            black = max(black, low - (high - low) * HAZE_MARGIN)
    if high <= black:  # calibrated, and all values are below zero
        return _between(black, black)
    full = 255.0 / (top - black)
    quiet = WATER_NOISE / noise if noise > 0 else math.inf
    calm = min(quiet, WATER_LEVEL / (dark - black) if dark > black and not filled else math.inf)
    if white is None:
        gain = max(min(full, calm), LEAST_GAIN * full)
    else:
        known = 255.0 / (WHITE_REFLECTANCE * (white - black))
        gain = max(min(known, calm), min(known, full))
    if white is None and 0 < (water - black) * gain < DARKEST_WATER:
        gain = max(gain, min(DARKEST_WATER / (water - black), quiet))
    return Stretch(black, gain, max(255.0, (high - black) * gain))
