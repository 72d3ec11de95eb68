"""How long, how wide and which way: the tight rotated box of a ship around a peak.

Two methods, the second where the first finds no free-standing hull:

1. *Silhouette*: water is the smooth part of the surroundings; what differs from it in colour and
   holds together around the peak is the hull. A wake differs less than the hull and narrows, so
   pixels below a share of the hull's own contrast and the thin ends of the shape are cut off. At
   open sea that share is then raised until the hull of a fast boat stands alone.
2. *Outline*: a ship moored at a quay does not stand free; see :mod:`shipdet.detect.outlines`.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from shipdet.detect.alongside import split
from shipdet.detect.hull import Hull, axis_deg
from shipdet.detect.outlines import Surroundings, best_outline
from shipdet.detect.view import NetworkView
from shipdet.mosaic import Mask

#: Scale at which hulls are outlined, whatever the classifier's. Of 1.1, 1.4 and 1.9 m it gave the
#: smallest errors of length and place on labelled scenes: finer, deck structures fall apart;
#: coarser, wakes join the hull.
MEASURE_GSD_M = 1.4

REACH_M = 280.0  # half the side of the patch looked at: 420 m, and a peak 70 m off the middle
OUTLINE_REACH_M = 230.0  # of the turned patches of an outline: its weights were fitted to them
MAX_LENGTH_M = 420.0
MAX_WIDTH_M = 75.0
MIN_LENGTH_M = 8.0
MIN_AREA_M2 = 15.0
CENTER_SLACK_M = 40.0  # how far a peak may lie from the hull that caused it
FAINTEST = 4.0  # contrast from which something may be no water
OPEN_SEA = 0.9  # share of a patch that is water where no quay, only a wake can hold on to a hull
WAKE_SHARES = (0.5, 0.65, 0.8)  # of the greatest contrast: levels above which a wake falls away
SHORTEST_IN_WAKE_M = 20.0  # less is foam
WATER_LEVEL, WATER_SLOPE = 5.0, 1.2  # contrast that is as likely water as not, and how sharply

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Piece:
    """The surroundings of a peak, all that measuring needs of a picture.

    ``pixels`` uint8 (h, w, 3); ``inside`` bool (h, w), False where the picture ends or has no data;
    ``peak`` in pixels of them; ``corner`` is their place in the view, network pixels.
    """

    pixels: npt.NDArray[np.uint8]
    inside: Mask
    peak: tuple[float, float]
    corner: tuple[int, int]
    gsd_m: float


def cut_piece(view: NetworkView, x: float, y: float) -> Piece:
    """The surroundings of a peak at (x, y) network pixels."""
    gsd = view.net_gsd_m
    reach = round(REACH_M / gsd)
    left, top = round(x) - reach, round(y) - reach
    pixels, mask = view.cut(left, top, 2 * reach, 2 * reach)
    # Beyond the picture's edge the view is mirrored; a mirrored hull is not part of this one.
    rows, columns = np.mgrid[0 : 2 * reach, 0 : 2 * reach]
    inside = (
        (columns + left >= 0)
        & (rows + top >= 0)
        & (columns + left < view.width)
        & (rows + top < view.height)
        & mask
    )
    return Piece(pixels, inside, (x - left, y - top), (left, top), gsd)


def measure(piece: Piece) -> tuple[Hull, ...]:
    """The hull nearest to a peak, and that of a smaller vessel alongside it if there is one."""
    patch = _patch(piece)
    hulls = _silhouette(patch) or (_before_wake(patch) or _outline(_surroundings(patch)),)
    return _placed(hulls, piece)


def measure_free(piece: Piece) -> tuple[Hull, ...]:
    """The same where a hull stands free in the water; nothing elsewhere."""
    return _placed(_silhouette(_patch(piece)), piece)


def look_around(piece: Piece) -> Surroundings:
    """What the outline of a ship is looked for in, in pixels of the piece."""
    return _surroundings(_patch(piece))


def _placed(hulls: tuple[Hull, ...], piece: Piece) -> tuple[Hull, ...]:
    """Hulls in pixels of a piece, in those of the view."""
    left, top = piece.corner
    return tuple(replace(hull, x=hull.x + left, y=hull.y + top) for hull in hulls)


@dataclass(frozen=True)
class _Patch:
    """What measuring looks at, in pixels of a piece.

    ``lab`` float32 (h, w, 3); ``inside`` as the piece's; ``contrast`` float32 (h, w), see
    :func:`_water_contrast`.
    """

    lab: Image
    inside: Mask
    contrast: Image | None
    peak: tuple[float, float]
    gsd_m: float


def _patch(piece: Piece) -> _Patch:
    lab = _smooth_lab(piece.pixels)
    contrast = _water_contrast(lab, piece.inside, piece.peak, piece.gsd_m)
    return _Patch(lab, piece.inside, contrast, piece.peak, piece.gsd_m)


def _smooth_lab(patch: npt.NDArray[np.uint8]) -> Image:
    """CIE L*a*b* in perceptual units (L 0 to 100), lightly smoothed against sensor noise."""
    scaled = patch.astype(np.float32) / 255.0
    lab = cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)
    return np.asarray(cv2.GaussianBlur(lab, (0, 0), 1.2), np.float32)


def _water_contrast(
    lab: Image, inside: Mask, peak: tuple[float, float], gsd: float
) -> Image | None:
    """Distance of every pixel from the water around the peak, in standard deviations of it.

    0 outside ``inside``; None where too little of the surroundings is inside.
    """
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
    contrast = np.sqrt((((lab - center) / spread) ** 2).sum(axis=-1))
    return np.asarray(np.where(inside, contrast, 0.0), np.float32)


def _surroundings(patch: _Patch) -> Surroundings:
    """What an outline is looked for in."""
    lab, inside, contrast = patch.lab, patch.inside, patch.contrast
    if not inside.all() and inside.any():
        lab = np.where(inside[..., None], lab, np.median(lab[inside], axis=0))
    if contrast is None:
        contrast = np.where(inside, np.float32(60.0), np.float32(0.0))
    water = 1.0 / (1.0 + np.exp((np.minimum(contrast, 60.0) - WATER_LEVEL) / WATER_SLOPE))
    reach = round(OUTLINE_REACH_M / patch.gsd_m)
    return Surroundings(lab, water.astype(np.float32), patch.peak, patch.gsd_m, reach)


def _outline(around: Surroundings) -> Hull:
    gsd, (x, y) = around.gsd_m, around.peak
    best = best_outline(around)
    if best is None:  # nothing but water: the smallest honest answer
        return Hull(x, y, MIN_LENGTH_M / gsd, MIN_LENGTH_M / gsd / 3, 0.0, "none")
    right, down = best.offset_m()
    return Hull(
        x + right / gsd, y + down / gsd, best.length_m / gsd, best.width_m / gsd,
        best.axis_deg, "outline",
    )  # fmt: skip


def _silhouette(patch: _Patch) -> tuple[Hull, ...]:
    """The hull of what stands free in the water, and of what lies alongside it."""
    contrast = patch.contrast
    shape = _shape(patch)
    if contrast is None or shape is None:
        return ()
    # Where a blurred edge lies (half of the hull's own contrast), a little more against wakes.
    typical = float(np.quantile(np.minimum(contrast[shape], 60.0), 0.8))
    found = _hull_of(shape & (contrast > max(FAINTEST, 0.55 * typical)), patch)
    return () if found is None else split(*found, patch.gsd_m) or found[1:]


def _before_wake(patch: _Patch) -> Hull | None:
    """The hull of a fast boat in the open, whose wake goes on: of the two, the hull is brighter."""
    contrast = patch.contrast
    if contrast is None or (contrast[patch.inside] > FAINTEST).mean() > 1 - OPEN_SEA:
        return None
    shape = _shape(patch)
    if shape is None:
        return None
    top = float(np.quantile(contrast[shape], 0.995))
    for share in WAKE_SHARES:
        found = _hull_of(shape & (contrast > max(FAINTEST, share * top)), patch)
        if found is not None and found[1].length * patch.gsd_m >= SHORTEST_IN_WAKE_M:
            return found[1]
    return None


def _shape(patch: _Patch) -> Mask | None:
    """What may be no water and holds together around the peak."""
    if patch.contrast is None:
        return None
    return _component(patch.contrast > FAINTEST, patch.peak, patch.gsd_m)


def _hull_of(mask: Mask, patch: _Patch) -> tuple[Mask, Hull] | None:
    """The part of a mask that lies at the peak, and its box; None where that cannot be a hull."""
    gsd = patch.gsd_m
    shape = _component(mask, patch.peak, gsd)
    if shape is None or _goes_on(shape):
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
    return (shape, hull) if plausible else None


def _goes_on(shape: Mask) -> bool:
    """Whether a shape reaches the border of the patch: a pier or a coast, no ship standing free."""
    return bool(shape[[0, -1]].any() or shape[:, [0, -1]].any())


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
        axis_deg(axis if a1 - a0 >= c1 - c0 else normal),
        "silhouette",
    )
