"""Find undeclared no-data values: a black collar, -9999, 65535, any constant at the border."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from shipdet.geometry import Floats, PixelBox
from shipdet.imagery.survey import Numbers, Survey
from shipdet.mosaic import Mask

#: Common no-data values; they count anywhere in an image if all other values are far away.
SENTINELS = (
    *(-999.0, -9999.0, -99999.0, -32767.0, -32768.0, -2147483647.0, -2147483648.0),
    *(1e20, -1e20, 9.969209968386869e36, 3.4028234663852886e38, -3.4028234663852886e38),
    *(-3.4e38, 1.7976931348623157e308, -1.7976931348623157e308),
)
#: Smallest share of the border that a connected part of fill touches.
CONTACT_SHARE = 0.01
#: Smallest share of the image with data: for black fill, and for other colors.
DATA_SHARES = (0.02, 0.1)
#: A connected part of at least this share of the image is a scene; a smaller one is an object.
SCENE_SHARE = 0.01
#: The lowest value of an image can be fill if its share of the image is between these: a smaller
#: share does not matter, and a larger one may be water of a single value.
LOWEST_SHARES = (0.001, 0.5)
#: Of the pixels of a color of fill, at least this share is connected to the border; colors of water
#: are everywhere in the image.
CONNECTED_SHARE = 0.2
#: Width of a JPEG block, over which compression errors extend.
JPEG_BLOCK_PX = 8


@dataclass(frozen=True)
class Constant:
    """Fill of one color; ``where`` (rows, columns) marks the cells of the survey to check."""

    color: tuple[float, ...]
    where: Mask


@dataclass(frozen=True)
class Fill:
    """The fill of an image; values of ``anywhere`` are fill in any band and at any place."""

    step: int = 1
    anywhere: tuple[float, ...] = ()
    constants: tuple[Constant, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.anywhere or self.constants)

    def within(self, values: Numbers, box: PixelBox) -> Mask:
        """Return which pixels of a window are fill: bool (h, w) for values (h, w, bands)."""
        found = np.zeros(values.shape[:2], np.bool_)
        for value in self.anywhere:
            found |= (values == _as(values, value)).any(axis=-1)
        for constant in self.constants:
            rows = np.arange(box.y0, box.y1) // self.step
            columns = np.arange(box.x0, box.x1) // self.step
            where = constant.where[rows][:, columns]
            color = np.array([_as(values, value) for value in constant.color])
            found |= where & of_color(values, color)
        return found

    def note(self, share: float) -> str:
        """Return a note for the run record; ``share`` is the share of the image that is fill."""
        names = [f"{value:g}" for value in self.anywhere]
        for constant in self.constants:
            same = len(set(constant.color)) == 1
            color = constant.color[:1] if same else constant.color
            names.append("/".join(f"{value:g}" for value in color))
        percent = f"{100 * share:.0f}" if share >= 0.01 else f"{100 * share:.2g}"
        return (
            f"{percent} % of the image has the value {' or '.join(dict.fromkeys(names))} and is "
            "treated as no data, although no tag of the file declares it."
        )


def find_fill(survey: Survey) -> Fill:
    """Find the undeclared fill of an image."""
    values, covered = survey.values, survey.covered
    anywhere = tuple(_sentinels(values, covered))
    constants: list[Constant] = []
    left = covered & ~Fill(1, anywhere).within(values, _box(covered))
    for color in _border_colors(values, left):
        same = left & of_color(values, color)
        where = _touching(same)
        if not where.any():
            continue
        others = values[left & ~same]
        if len(others) and (others == others[0]).all() and not _is_sentinel(color):
            continue  # only two values, as in a drawing: either may be water
        if _far_from_others(color, others) and (color < others.min(axis=0)).all():
            anywhere = (*anywhere, *dict.fromkeys(float(v) for v in color))
            left &= ~same
        elif (
            where.sum() >= CONNECTED_SHARE * same.sum()
            and _is_apart(where, values, survey.right, left)
            and _is_scene(left & ~same, bool((color == 0).all()))
        ):
            where |= _large(same)
            # Cells next to fill may contain fill.
            constants.append(Constant(tuple(float(v) for v in color), _grown(where, 1)))
            left &= ~where
    return Fill(survey.step, tuple(dict.fromkeys(anywhere)), tuple(constants))


def of_color(values: Numbers, color: Numbers) -> Mask:
    """Return which pixels (h, w) of values (h, w, bands) equal a color (bands,)."""
    # Faster than all() along the short last axis.
    same: Mask = values[..., 0] == color[0]
    for band in range(1, len(color)):
        same &= values[..., band] == color[band]
    return same


def _as(values: Numbers, value: float) -> np.generic:
    """Convert a value to the type of ``values``; NaN if an integer type cannot represent it."""
    if np.issubdtype(values.dtype, np.integer):
        limits = np.iinfo(values.dtype.str)
        return values.dtype.type(value) if limits.min <= value <= limits.max else np.float64(np.nan)
    with np.errstate(over="ignore"):
        return values.dtype.type(value)


def _box(covered: Mask) -> PixelBox:
    return PixelBox(0, 0, covered.shape[1], covered.shape[0])


def _sentinels(values: Numbers, covered: Mask) -> Iterator[float]:
    """Yield the common no-data values and the frequent lowest value that are far from all others.

    8-bit values are not stretched, so that a low value hides nothing in them.
    """
    unsigned = np.issubdtype(values.dtype, np.unsignedinteger)
    candidates = [] if unsigned else list(SENTINELS)
    if covered.any() and values.dtype != np.uint8:
        lowest = values[covered].min()
        share = (values == lowest).any(axis=-1)[covered].mean()
        if LOWEST_SHARES[0] <= share <= LOWEST_SHARES[1]:
            candidates.append(float(lowest))
    for value in dict.fromkeys(candidates):
        same = (values == _as(values, value)).any(axis=-1) & covered
        others = values[covered & ~same]
        if same.any() and _far_from_others(np.array([value]), others):
            outermost = others.min() > value or (value > 0 and others.max() < value)
            if outermost:
                yield value


def _far_from_others(color: Numbers, others: Numbers) -> bool:
    """Whether a color is farther outside the range of the others than that range is wide."""
    if not len(others):
        return False
    low, high = (float(v) for v in np.percentile(others.astype(np.float64), (1, 99)))
    extent = max(high - low, 1e-6 * max(abs(low), abs(high)))
    value = color.astype(np.float64)
    return bool((value < low - extent).all() or (value > high + extent).all())


def _is_sentinel(color: Numbers) -> bool:
    return bool(np.isin(color.astype(np.float64), SENTINELS).any())


def _border(image: Numbers) -> Numbers:
    """Return the border pixels of (h, w, …) as (n, …)."""
    return np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])


def _least_contact(shape: tuple[int, ...]) -> int:
    return max(8, math.ceil(CONTACT_SHARE * 2 * (shape[0] + shape[1])))


def _border_colors(values: Numbers, covered: Mask) -> list[Numbers]:
    """Return the frequent colors of the border, the most frequent first."""
    border = _border(values)[_border(covered)]
    if not len(border):
        return []
    colors, counts = np.unique(border, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:8]
    least = _least_contact(covered.shape)
    return [colors[i] for i in order if counts[i] >= least]


def _is_apart(where: Mask, values: Numbers, right: Numbers, left: Mask) -> bool:
    """Whether a region differs from what surrounds it by more than neighbors do elsewhere.

    Smooth water in 8 bits has regions of one color too, but its colors change by single steps.
    Pixels within the reach of a JPEG block do not count: compression blurs the edge of fill.
    """
    around_it = _grown(where, JPEG_BLOCK_PX + 2) & ~_grown(where, JPEG_BLOCK_PX)
    around = values[around_it & left].astype(np.float64)
    rest = left & ~where
    if not len(around):
        return False
    color = values[where][0].astype(np.float64)
    usual = np.abs(values[rest].astype(np.float64) - right[rest].astype(np.float64)).max(axis=-1)
    changed = usual[usual > 0]
    least = 2 * max(float(np.median(usual)), float(changed.min()) if len(changed) else 0.0)
    return bool(np.median(np.abs(around - color).max(axis=-1)) > least)


def _grown(mask: Mask, reach: int) -> Mask:
    """Grow a mask by a number of pixels in all directions."""
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.dilate(mask.view(np.uint8), kernel).astype(np.bool_)


def _touching(same: Mask) -> Mask:
    """Keep the connected parts of a mask with enough contact to the border."""
    count, labels = cv2.connectedComponents(same.view(np.uint8), connectivity=4)
    contact = np.bincount(_border(labels), minlength=count)
    keep = contact >= _least_contact(same.shape)
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)


def _large(same: Mask) -> Mask:
    """Keep the connected parts of a mask that cover at least 0.5 % of the image."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(same.view(np.uint8), connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= max(64, 0.005 * same.size)
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)


def _is_scene(rest: Mask, black: bool) -> bool:
    """Whether the part without fill is a scene, and not objects on a flat background.

    Ships on water of a single color are islands in it; a collar contains no islands, except small
    fragments along its edge.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(rest.view(np.uint8), connectivity=8)
    if count < 2:
        return False
    areas: Floats = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    largest = int(areas.argmax())
    height, width = rest.shape
    sides = stats[largest, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    enough = areas[largest] >= DATA_SHARES[0 if black else 1] * rest.size
    if not enough or sides[0] < min(32, width // 4) or sides[1] < min(32, height // 4):
        return False
    scenes = (areas >= SCENE_SHARE * rest.size)[labels]
    islands = rest & ~_grown(scenes, 2)
    return int(islands.sum()) <= 1e-5 * rest.size
