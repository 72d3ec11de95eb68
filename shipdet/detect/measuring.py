"""How long, how wide and which way: the tight rotated box of a ship around a peak.

Two methods, the second where the first finds no free-standing hull:

1. *Silhouette*: water is the smooth part of the surroundings; what differs from it in colour and
   holds together around the peak is the hull. A wake differs less than the hull and narrows, so
   pixels below a share of the hull's own contrast and the thin ends of the shape are cut off.
2. *Edges*: a ship moored at a quay does not stand free. The rectangle whose two long sides have
   the strongest edges, among those of a ship's proportions around the peak, is taken.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from shipdet.detect.view import NetworkView

#: Scale at which hulls are outlined, whatever the classifier's. Of 1.1, 1.4 and 1.9 m it gave the
#: smallest errors of length and place on labelled scenes: finer, deck structures fall apart;
#: coarser, wakes join the hull.
MEASURE_GSD_M = 1.4

REACH_M = 230.0  # half the side of the patch looked at: the longest ships are 400 m
MAX_LENGTH_M = 420.0
MAX_WIDTH_M = 75.0
MIN_LENGTH_M = 8.0
MIN_AREA_M2 = 15.0
CENTER_SLACK_M = 40.0  # how far a peak may lie from the hull that caused it

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hull:
    """A rotated box in network pixels; ``axis_deg`` clockwise from up, 0 to 180."""

    x: float
    y: float
    length: float
    width: float
    axis_deg: float
    method: str


def measure(view: NetworkView, x: float, y: float) -> Hull:
    """The hull nearest to a peak at (x, y) network pixels."""
    gsd = view.net_gsd_m
    reach = round(REACH_M / gsd)
    left, top = round(x) - reach, round(y) - reach
    patch, mask = view.cut(left, top, 2 * reach, 2 * reach)
    # Beyond the picture's edge the view is mirrored; a mirrored hull is not part of this one.
    rows, columns = np.mgrid[0 : 2 * reach, 0 : 2 * reach]
    inside = (
        (columns + left >= 0)
        & (rows + top >= 0)
        & (columns + left < view.width)
        & (rows + top < view.height)
        & mask
    )
    lab = _smooth_lab(patch)
    peak = (x - left, y - top)
    hull = _silhouette(lab, inside, peak, gsd) or _edges(lab, inside, peak, gsd)
    return Hull(hull.x + left, hull.y + top, hull.length, hull.width, hull.axis_deg, hull.method)


def _smooth_lab(patch: npt.NDArray[np.uint8]) -> Image:
    """CIE L*a*b* in perceptual units (L 0 to 100), lightly smoothed against sensor noise."""
    scaled = patch.astype(np.float32) / 255.0
    lab = cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)
    return np.asarray(cv2.GaussianBlur(lab, (0, 0), 1.2), np.float32)


def _water(lab: Image, inside: Mask, peak: tuple[float, float], gsd: float) -> Image | None:
    """Distance of every pixel from the water around the peak, in standard deviations of it."""
    rows, columns = np.mgrid[0 : lab.shape[0], 0 : lab.shape[1]]
    away = np.hypot(columns - peak[0], rows - peak[1]) * gsd
    luma = lab[..., 0]
    texture = cv2.GaussianBlur(np.abs(cv2.Laplacian(luma, cv2.CV_32F, ksize=3)), (0, 0), 3.0)
    ring = inside & (away < 150.0) & (away > 8.0)
    if ring.sum() < 200:
        return None
    smooth = ring & (texture <= np.quantile(texture[ring], 0.5))
    # Among the smooth pixels water is the dark half; concrete and roofs are bright and smooth.
    dark = smooth & (luma <= np.quantile(luma[smooth], 0.6))
    center = np.median(lab[dark], axis=0)
    spread = 1.4826 * np.median(np.abs(lab[dark] - center), axis=0)
    spread = np.maximum(spread, np.array([1.2, 0.8, 0.8]))
    return np.asarray(np.sqrt((((lab - center) / spread) ** 2).sum(axis=-1)), np.float32)


def _silhouette(lab: Image, inside: Mask, peak: tuple[float, float], gsd: float) -> Hull | None:
    contrast = _water(lab, inside, peak, gsd)
    if contrast is None:
        return None
    contrast[~inside] = 0.0
    first = _component(contrast > 4.0, peak, gsd)
    if first is None:
        return None
    # Where a blurred edge lies (half of the hull's own contrast), a little more against wakes.
    level = max(4.0, 0.55 * float(np.quantile(np.minimum(contrast[first], 60.0), 0.8)))
    shape = _component(first & (contrast > level), peak, gsd)
    if shape is None:
        return None
    hull = _trimmed_box(shape)
    if hull is None:
        return None
    filled = shape.sum() / max(1.0, hull.length * hull.width)
    length_m, width_m = hull.length * gsd, hull.width * gsd
    plausible = (
        MIN_LENGTH_M <= length_m <= MAX_LENGTH_M
        and width_m <= MAX_WIDTH_M
        and hull.length >= 1.6 * hull.width
        and filled >= 0.5
    )
    return hull if plausible else None


def _component(mask: Mask, peak: tuple[float, float], gsd: float) -> Mask | None:
    """The connected part of a mask that lies at the peak or, within the slack, nearest to it."""
    closed = cv2.morphologyEx(
        mask.astype(np.uint8), cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=4)
    if count == 1:
        return None
    rows, columns = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    away_m = np.hypot(columns - peak[0], rows - peak[1]) * gsd
    gaps_m = np.asarray(ndimage.minimum(away_m, labels, np.arange(1, count)))
    areas_m2 = stats[1:, cv2.CC_STAT_AREA] * gsd * gsd
    # A large part a little further away is more likely the ship than a speck at the peak.
    values = np.sqrt(areas_m2) / (8.0 + gaps_m)
    values[(areas_m2 < MIN_AREA_M2) | (gaps_m > CENTER_SLACK_M)] = 0.0
    best = int(np.argmax(values))
    return labels == best + 1 if values[best] > 0 else None


def _trimmed_box(shape: Mask) -> Hull | None:
    """Box along the principal axis of a shape, without its thin ends (wake, mooring lines)."""
    rows, columns = np.nonzero(shape)
    if len(rows) < 12:
        return None
    points = np.stack([columns, rows], axis=-1).astype(np.float64) + 0.5
    for _ in range(2):  # the second time without the ends that bent the axis
        center = points.mean(axis=0)
        _, vectors = np.linalg.eigh(np.cov((points - center).T))
        axis = vectors[:, 1]
        along = (points - center) @ axis
        across = (points - center) @ np.array([-axis[1], axis[0]])
        low = along.min()
        bins = (along - low).astype(int)
        profile = np.bincount(bins).astype(np.float64)
        typical = np.quantile(profile, 0.75)
        wide = np.flatnonzero(profile >= 0.35 * typical)
        keep = (bins >= wide[0]) & (bins <= wide[-1])
        points, along, across = points[keep], along[keep], across[keep]
        if len(points) < 12:
            return None
    # A pixel reaches half a pixel to either side of its centre; the outermost 2 % across are
    # derricks, tugs alongside and stray pixels.
    a0, a1 = along.min() - 0.5, along.max() + 0.5
    c0, c1 = np.quantile(across, 0.02) - 0.5, np.quantile(across, 0.98) + 0.5
    normal = np.array([-axis[1], axis[0]])
    middle = center + axis * (a0 + a1) / 2 + normal * (c0 + c1) / 2
    return Hull(
        float(middle[0]),
        float(middle[1]),
        float(max(a1 - a0, c1 - c0)),
        float(min(a1 - a0, c1 - c0)),
        _axis_deg(axis if a1 - a0 >= c1 - c0 else normal),
        "silhouette",
    )


def _axis_deg(axis: npt.NDArray[np.float64]) -> float:
    """Direction of a vector (x right, y down), clockwise from up, 0 to 180."""
    return float(np.degrees(np.arctan2(axis[0], -axis[1])) % 180.0)


def _edges(lab: Image, inside: Mask, peak: tuple[float, float], gsd: float) -> Hull:
    """The ship-shaped rectangle around the peak with the strongest edges on its long sides."""
    reach = round(150.0 / gsd)
    luma = lab[..., 0].copy()
    if not inside.all() and inside.any():
        luma[~inside] = float(np.median(luma[inside]))
    best: tuple[float, Hull] | None = None
    size = 2 * reach
    for angle in range(0, 180, 6):
        # Turn the patch so that a keel at this angle stands upright in the middle.
        turn = cv2.getRotationMatrix2D(peak, angle, 1.0)
        turn[:, 2] += reach - np.asarray(peak)
        upright = cv2.warpAffine(luma, turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
        found = _best_upright(np.asarray(upright, np.float32), gsd)
        if found is None:
            continue
        value, left, right, top, bottom = found
        middle = np.array([(left + right) / 2, (top + bottom) / 2, 1.0])
        back = cv2.invertAffineTransform(turn)
        cx, cy = back @ middle
        hull = Hull(
            float(cx), float(cy), float(bottom - top), float(right - left), float(angle), "edges"
        )
        if best is None or value > best[0]:
            best = (value, hull)
    if best is None:  # a featureless patch: the smallest honest answer
        return Hull(peak[0], peak[1], MIN_LENGTH_M / gsd, MIN_LENGTH_M / gsd / 3, 0.0, "none")
    return best[1]


def _best_upright(luma: Image, gsd: float) -> tuple[float, int, int, int, int] | None:
    """Among upright boxes near the middle the one with the strongest outline.

    Returns (strength, left, right, top, bottom). Strength is the mean gradient along the long
    sides plus half of that along the short ones, times the fourth root of the length, so that a
    longer outline of equal contrast wins.
    """
    size = luma.shape[0]
    middle = size // 2
    gx = np.abs(cv2.Sobel(luma, cv2.CV_32F, 1, 0, ksize=3))
    gy = np.abs(cv2.Sobel(luma, cv2.CV_32F, 0, 1, ksize=3))
    down = np.vstack([np.zeros((1, size), np.float32), np.cumsum(gx, axis=0)])
    right_of = np.hstack([np.zeros((size, 1), np.float32), np.cumsum(gy, axis=1)])
    slack = round(CENTER_SLACK_M / 2 / gsd)
    best: tuple[float, int, int, int, int] | None = None
    for length_m in (24, 36, 54, 80, 115, 160, 210, 270):
        length = round(length_m / gsd)
        for shift in range(-slack, slack + 1, max(2, length // 10)):
            top = middle + shift - length // 2
            bottom = top + length
            if top < 0 or bottom >= size:
                continue
            sides = (down[bottom] - down[top]) / length
            for ratio in (3.5, 5.0, 7.0):
                width = max(round(7.0 / gsd), round(length / ratio))
                if width * gsd > MAX_WIDTH_M:
                    continue
                lefts = np.arange(
                    max(0, middle - width - slack // 2), min(middle + slack // 2, size - width - 1)
                )
                ends = (
                    right_of[top, lefts + width]
                    - right_of[top, lefts]
                    + right_of[bottom, lefts + width]
                    - right_of[bottom, lefts]
                ) / (2 * width)
                # The weaker long side counts: one strong edge alone is a quay.
                long_sides = np.minimum(sides[lefts], sides[lefts + width])
                values = (long_sides + 0.5 * ends) * length_m**0.25
                index = int(np.argmax(values))
                if best is None or values[index] > best[0]:
                    left = int(lefts[index])
                    best = (float(values[index]), left, left + width, top, bottom)
    return best
