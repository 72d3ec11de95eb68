"""Two ships side by side in open water: two hulls in one silhouette.

A tanker and the barge that bunkers it are one shape against the water, and one peak in a map of
scores, whose cells are as wide as the barge. But one flank of the shape is straight, and the other
steps out over the length of the barge and back. Two ships of a size have no such step; together
they are wider for their length than any ship.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from shipdet.detect.hull import Hull, axis_deg, axis_vector
from shipdet.geometry import Floats
from shipdet.mosaic import Mask

LEAST_SHIP_M = 80.0  # shorter shapes with a step in a flank are boats and their wakes
LEAST_LENGTH_M = 35.0  # of the step: shorter ones are bridge wings, cranes and tugs
LEAST_BEAM_M = 9.0  # and narrower ones shadows
ENDS_M = 8.0  # from either end: a wake begins at the stern, and there a shape is widest
CROOKED_M = 2.5  # median distance from a line that a flank may have: else it is no ship's
FILLED = 0.65  # of the step's own box; a flank that swells is a swollen shape
SMOOTH_M = 8.0  # along the flanks
SHIP_QUANTILE = 0.3  # of the widths amidships, which is the ship's own while most of it is free
PAIR_LENGTH_M, PAIR_BEAM_M = 140.0, 44.0  # of two ships of a size, at least
PAIR_RATIO = 4.2  # of length to beam, at most: large ships have 5 to 8, blurred by 3 m imagery 4.5
ENDS_SHARE = 0.1  # of the length at either end, where bow and stern narrow


def split(shape: Mask, hull: Hull, gsd_m: float) -> tuple[Hull, Hull] | None:
    """Both ships, the larger first; None when a shape looks like one hull.

    Args:
        shape: bool (h, w), the silhouette.
        hull: its box, in pixels of it.
        gsd_m: metres per pixel.
    """
    if hull.length * gsd_m < LEAST_SHIP_M:
        return None
    rows, columns = np.nonzero(shape)
    points = np.stack([columns, rows], axis=-1).astype(np.float64) + 0.5
    axis = axis_vector(hull.axis_deg)
    # The box leans towards what lies alongside; the straight flank does not.
    flanks = _Flanks(points, axis, gsd_m)
    axis = axis + flanks.slope * flanks.normal
    axis /= np.linalg.norm(axis)
    flanks = _Flanks(points, axis, gsd_m)
    if flanks.crooked * gsd_m > CROOKED_M:
        return None

    beam = float(np.quantile(flanks.width[flanks.amidships], SHIP_QUANTILE))
    middle = flanks.start + len(flanks.width) / 2
    straight = float(np.median(flanks.straight[flanks.amidships]))
    step = _step(flanks.width - beam, beam, gsd_m)
    if step is not None:
        first, length, width = step
        return (
            flanks.hull(middle, straight, hull.length, beam),
            flanks.hull(
                flanks.start + first + length / 2, straight + flanks.outward * beam, length, width
            ),
        )
    pair = (
        hull.length * gsd_m >= PAIR_LENGTH_M
        and beam * gsd_m >= PAIR_BEAM_M
        and hull.length <= PAIR_RATIO * beam
    )
    if not pair:
        return None
    return (
        flanks.hull(middle, straight, hull.length, beam / 2),
        flanks.hull(middle, straight + flanks.outward * beam / 2, hull.length, beam / 2),
    )


def _step(
    out: npt.NDArray[np.float64], beam: float, gsd_m: float
) -> tuple[int, float, float] | None:
    """Where along a ship of a beam a vessel alongside begins, its length and its width, pixels.

    ``out`` is how far the flank lies outside the ship's own, one value a pixel of its length.
    """
    step = _longest_run(out > 0.6 * LEAST_BEAM_M / gsd_m, round(SMOOTH_M / gsd_m))
    if not len(step):
        return None
    length = float(len(step))
    width, most = (float(np.quantile(out[step], share)) for share in (0.6, 0.95))
    filled = float(np.clip(out[step], 0, most).mean() / most)
    ends_m = min(step[0], len(out) - 1 - step[-1]) * gsd_m
    vessel = (
        length * gsd_m >= LEAST_LENGTH_M
        and LEAST_BEAM_M / gsd_m <= width <= beam
        and length >= 1.6 * width
        and ends_m >= ENDS_M
        and filled >= FILLED
    )
    return (int(step[0]), length, width) if vessel else None


class _Flanks:
    """Both flanks of a shape along an axis, one value a pixel of its length.

    ``straight`` is where the straighter one lies across the axis, ``width`` the distance of the
    other; ``outward`` is 1 when that one lies on the side of ``normal``, else -1. ``slope`` and
    ``crooked`` are of the straighter one: pixels across per pixel along, and its median distance
    from that line.
    """

    def __init__(self, points: Floats, axis: npt.NDArray[np.float64], gsd_m: float) -> None:
        self.axis, self.normal = axis, np.array([-axis[1], axis[0]])
        along, across = points @ axis, points @ self.normal
        self.start = float(along.min())
        bins = np.floor(along - self.start).astype(int)
        count = int(bins.max()) + 1
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        np.minimum.at(low, bins, across)
        np.maximum.at(high, bins, across)
        kept = np.flatnonzero(np.isfinite(low))
        size = round(SMOOTH_M / gsd_m) | 1
        low, high = (
            ndimage.median_filter(np.interp(np.arange(count), kept, flank[kept]) + half, size)
            for flank, half in ((low, -0.5), (high, 0.5))
        )
        ends = max(2, round(ENDS_SHARE * count))
        self.amidships = slice(ends, count - ends)
        lines = [_line(flank[self.amidships]) for flank in (low, high)]
        lower = lines[0][1] <= lines[1][1]
        self.slope, self.crooked = lines[0] if lower else lines[1]
        self.straight = low if lower else high
        self.outward = 1.0 if lower else -1.0
        self.width = high - low

    def hull(self, along: float, flank: float, length: float, width: float) -> Hull:
        """A hull whose middle lies at ``along``, and that begins at a flank and lies outward."""
        x, y = self.axis * along + self.normal * (flank + self.outward * width / 2)
        return Hull(float(x), float(y), length, width, axis_deg(self.axis), "silhouette")


def _line(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Slope and median absolute deviation of the line through values a pixel apart: the median of
    the slopes between far values (Theil 1950, Sen 1968), which a step does not bend."""
    every = max(1, len(values) // 60)
    y = values[::every]
    x = every * np.arange(len(y))
    first, second = np.triu_indices(len(y), max(1, len(y) // 4))
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    rest = y - slope * x
    return slope, float(np.median(np.abs(rest - np.median(rest))))


def _longest_run(marked: npt.NDArray[np.bool_], gap: int) -> npt.NDArray[np.int_]:
    """Indices of the longest run of marked values; gaps of so many are closed."""
    padded = ndimage.binary_closing(np.pad(marked, gap), np.ones(gap))[gap:-gap]
    labels, count = ndimage.label(padded)
    if not count:
        return np.empty(0, int)
    sizes = ndimage.sum_labels(padded, labels, np.arange(1, count + 1))
    return np.flatnonzero(labels == int(np.argmax(sizes)) + 1)
