"""The likeliest outline of a ship that does not stand free: moored at a quay, beside another.

Candidates are rectangles of a ship's proportions around a peak. Each is described by a few numbers
(how strong the edges along its sides are, how much of it and of what lies beside it is water), and
the one with the largest weighted sum is taken: a coarse search over everything, then a finer one
around the best. The weights are those of a softmax over candidates that picks the overlap with
the labelled box; ``python -m training.outlines`` fits them.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from shipdet.geometry import Floats

#: by :data:`FEATURES`
WEIGHTS = (0.58, 1.18, 0.16, 0.20, 4.38, 2.29, 1.43, 0.58, 0.84, 1.31, -1.0, -1.0)
FEATURES = (
    "weaker long side: log of the size of the mean gradient of L*a*b* across it",
    "stronger long side",
    "weaker end",
    "stronger end",
    "share of the box that is no water",
    "water along the long side that has more of it, share of a strip of 5 px",
    "water along the other long side",
    "water beyond the end that has more of it",
    "water beyond the other end",
    "log of the length in 100 m",
    "distance of the peak along the box, squared, in quarters of its length",
    "distance of the peak across the box, squared, in 25 m",
)
_HULL = 4  # of FEATURES
LEAST_HULL = 0.3  # share of a box that must not be water, lest there is nothing in it

STRIP_PX = 5  # how far beside a box one looks for water
LONGEST_M = 420.0
WIDEST_M = 62.0
THINNEST_M = 5.0
FAINT = 0.3  # a gradient that is as good as none
_TURN_DEG = 9
_STARTS = 2  # best coarse boxes that are refined
_ROUNDS = 8
_LEAST_STEP = 0.25  # of the first steps while refining
_KEPT = 6  # turned patches: what a round of refining and the one before ask for

Image = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.int_]


@dataclass(frozen=True)
class Outline:
    """A box: its centre from the peak in metres, to the right of and below it once the picture is
    turned by ``axis_deg`` so that the keel stands upright; its sides in metres; its value."""

    axis_deg: float
    across_m: float
    along_m: float
    length_m: float
    width_m: float
    value: float

    def offset_m(self) -> tuple[float, float]:
        """The centre from the peak in metres, x to the right and y down, unturned."""
        theta = np.radians(self.axis_deg)
        x = self.across_m * np.cos(theta) - self.along_m * np.sin(theta)
        y = self.across_m * np.sin(theta) + self.along_m * np.cos(theta)
        return float(x), float(y)


@dataclass(frozen=True)
class _Turned:
    """Integral images of a turned patch, from which sums over upright boxes and lines follow.

    ``across`` and ``along`` float32 (size + 1, size + 1, 4): gradients of L*a*b* and water in
    these directions, with their signs, which tell an edge from texture.
    """

    middle: int  # the peak's row and column
    across: Image
    along: Image
    water: Image


@dataclass
class Surroundings:
    """What lies around a peak.

    ``lab`` float32 (h, w, 3), CIE L*a*b*. ``water`` float32 (h, w), how surely each pixel is
    water, 1 where nothing is known. ``peak`` in pixels of them, ``gsd_m`` metres per pixel,
    ``reach_px`` half the side of the turned patches.
    """

    lab: Image
    water: Image
    peak: tuple[float, float]
    gsd_m: float
    reach_px: int
    _turned: OrderedDict[float, _Turned] = field(default_factory=OrderedDict)

    def turned(self, angle: float) -> _Turned:
        """The patch turned so that a keel at this angle (clockwise from up) stands upright."""
        if angle not in self._turned:
            full = len(self._turned) == _KEPT
            spare = self._turned.popitem(last=False)[1] if full else self._fresh()
            self._turned[angle] = self._turn(angle, spare)
        self._turned.move_to_end(angle)
        return self._turned[angle]

    @cached_property
    def _layers(self) -> Image:
        """``lab`` and ``water`` in one: four channels are turned faster than three and one."""
        return np.dstack([self.lab, self.water])

    @cached_property
    def _scratch(self) -> tuple[Image, Image]:
        side = 2 * self.reach_px
        return np.empty((side, side, 4), np.float32), np.empty((side, side, 4), np.float32)

    def _fresh(self) -> _Turned:
        # 4 MB, used again for angle after angle: to get that from the system may take longer
        # than to fill it.
        side = 2 * self.reach_px + 1
        across, along = np.empty((2, side, side, 4), np.float32)
        return _Turned(self.reach_px, across, along, np.empty((side, side), np.float32))

    def _turn(self, angle: float, spare: _Turned) -> _Turned:
        """Fill a patch."""
        reach, size = self.reach_px, 2 * self.reach_px
        matrix = cv2.getRotationMatrix2D(self.peak, angle, 1.0)
        matrix[:, 2] += reach - np.asarray(self.peak)
        turned, gradient = self._scratch
        cv2.warpAffine(self._layers, matrix, (size, size), turned, borderMode=cv2.BORDER_REPLICATE)
        cv2.Sobel(turned, cv2.CV_32F, 1, 0, gradient, ksize=3)
        cv2.integral(gradient, spare.across, cv2.CV_32F)
        cv2.Sobel(turned, cv2.CV_32F, 0, 1, gradient, ksize=3)
        cv2.integral(gradient, spare.along, cv2.CV_32F)
        cv2.integral(cv2.extractChannel(turned, 3), spare.water, cv2.CV_32F)
        return spare


def best_outline(around: Surroundings, weights: npt.ArrayLike = WEIGHTS) -> Outline | None:
    """The likeliest box at a peak; None where all is water."""
    weighted = np.asarray(weights, np.float64)
    starts = [_best(around, weighted, angle, coarse_boxes()) for angle in range(0, 180, _TURN_DEG)]
    starts.sort(key=lambda start: -start[0])
    ends = [_refined(around, weighted, *start) for start in starts[:_STARTS]]
    value, angle, box = max(ends, key=lambda end: end[0])
    hull = describe(around, angle, box[None])[0, _HULL]
    across, along, length, width = box.tolist()
    found = Outline(angle % 180.0, across, along, length, width, value)
    return found if hull >= LEAST_HULL else None


def describe(around: Surroundings, angle: float, boxes: Floats) -> Floats:
    """:data:`FEATURES` (n, 12) of boxes (n, 4): across_m, along_m, length_m, width_m."""
    turned, gsd = around.turned(angle % 180.0), around.gsd_m
    across, along, length, width = boxes.T
    low = STRIP_PX + 2  # so that the strips lie on the patch
    high = 2 * turned.middle - low - 1

    def pixel(metres: Floats) -> Pixels:
        return np.asarray(np.clip(np.round(turned.middle + metres / gsd), low, high), np.int_)

    left, top = pixel(across - width / 2), pixel(along - length / 2)
    right, bottom = pixel(across + width / 2), pixel(along + length / 2)
    right, bottom = np.maximum(right, left + 3), np.maximum(bottom, top + 5)
    tall, wide = bottom - top, right - left
    sides = [_sum(turned.across, x, x + 1, top, bottom) for x in (left, right)]
    ends = [_sum(turned.along, left, right, y, y + 1) for y in (top, bottom)]
    edges = [
        pick(*(np.log(np.maximum(_size(line) / px, FAINT)) for line in lines))
        for lines, px in ((sides, tall), (ends, wide))
        for pick in (np.minimum, np.maximum)
    ]

    def water(x0: Pixels, x1: Pixels, y0: Pixels, y1: Pixels) -> Floats:
        return _sum(turned.water, x0, x1, y0, y1) / ((x1 - x0) * (y1 - y0))

    hull = 1.0 - water(left + 1, right - 1, top + 1, bottom - 1)
    beside = [
        water(left - 1 - STRIP_PX, left - 1, top, bottom),
        water(right + 1, right + 1 + STRIP_PX, top, bottom),
    ]
    beyond = [
        water(left, right, top - 1 - STRIP_PX, top - 1),
        water(left, right, bottom + 1, bottom + 1 + STRIP_PX),
    ]
    described = [
        *edges,
        hull,
        np.maximum(*beside), np.minimum(*beside), np.maximum(*beyond), np.minimum(*beyond),
        np.log(length / 100.0),
        (4.0 * along / length) ** 2,
        (across / 25.0) ** 2,
    ]  # fmt: skip
    return np.stack(described, axis=1)


def _sum(integral: Image, x0: Pixels, x1: Pixels, y0: Pixels, y1: Pixels) -> Floats:
    """Sums over boxes (n,), the last rows and columns exclusive."""
    # Four times as fast as an index for each axis.
    flat = integral.reshape(-1, *integral.shape[2:])
    above, below = y0 * integral.shape[1], y1 * integral.shape[1]
    total = flat.take(below + x1, 0) - flat.take(above + x1, 0)
    total += flat.take(above + x0, 0) - flat.take(below + x0, 0)
    return np.asarray(total, np.float64)


def _size(vectors: Floats) -> Floats:
    """Euclidean lengths (n,) of the first three components of vectors (n, 4)."""
    lab = vectors[:, :3]
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", lab, lab)), np.float64)


@lru_cache(maxsize=1)
def coarse_boxes() -> Floats:
    """Boxes (n, 4) of all sizes around a peak, for :func:`describe`."""
    boxes = []
    for length in 24.0 * 1.3 ** np.arange(11):
        for width in (length / 4.2, length / 6.5):
            if not THINNEST_M <= width <= WIDEST_M:
                continue
            along = np.linspace(-0.36, 0.36, 7) * length
            boxes += list(product(np.arange(-30, 31, 3), along, [length], [width]))
    return np.array(boxes, np.float64)


def _best(
    around: Surroundings, weights: Floats, angle: float, boxes: Floats
) -> tuple[float, float, Floats]:
    """The value of the best of boxes (n, 4) at an angle, the angle, the box."""
    values = describe(around, angle, boxes) @ weights
    index = int(np.argmax(values))
    return float(values[index]), angle, boxes[index]


def _refined(
    around: Surroundings, weights: Floats, value: float, angle: float, box: Floats
) -> tuple[float, float, Floats]:
    """Climb from a box to the best near it, with steps that are halved when none helps."""
    step, turn = 1.0, 0.5 * _TURN_DEG
    for _ in range(_ROUNDS):
        boxes = _near(box, step)
        turns = (angle - turn * step, angle, angle + turn * step)
        found = max((_best(around, weights, a, boxes) for a in turns), key=lambda best: best[0])
        if found[0] > value:
            value, angle, box = found
        elif step > _LEAST_STEP:
            step /= 2
        else:
            break
    return value, angle, box


#: Which way each end and each side of a box near another is moved: (81,) each.
_LONGER, _END, _WIDER, _SIDE = np.array(list(product((-1, 0, 1), repeat=4)), np.float64).T


def _near(box: Floats, step: float) -> Floats:
    """Boxes (81, 4) with each end moved, each side moved, or both."""
    across, along, length, width = box
    lengths = np.clip(length * np.exp(0.13 * step * _LONGER), 12.0, LONGEST_M)
    widths = np.clip(width * np.exp(0.2 * step * _WIDER), THINNEST_M, WIDEST_M)
    slide = np.where(_LONGER == 0, 0.08 * step * length, np.abs(lengths - length) / 2)
    shift = np.where(_WIDER == 0, 1.5 * step, np.abs(widths - width) / 2)
    return np.stack([across + _SIDE * shift, along + _END * slide, lengths, widths], axis=1)
