"""Training canvases: crops of labeled images at the network's scale, with their labels.

One affine map transforms pixels, ships, masks and unknown regions. It also handles pixels that
are not square.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from training.canvases.sensors import annotate, degrade, recolor
from training.canvases.windows import NET_GSD_M
from training.data.labeled import UNKNOWN, Floats, LabeledImage, Picture, read_water

#: Finer images are reduced to this many meters per pixel when they are read.
FINEST_M = 0.9
#: Capacity of the image cache, in pixels.
KEPT_PIXELS = 1_500_000_000
#: Fraction of the canvases on which text is drawn.
ANNOTATED = 0.08


@dataclass(frozen=True)
class CanvasShip:
    """A ship on a canvas, in network pixels.

    Attributes:
        corners: (4, 2), with the first edge along the length if ``axis`` is true.
        axis: Whether the direction of the keel is known.
        outline: (n, 2) of the hull, or None if only an upright box is known.
        length_m: Labeled length on the ground in meters, before any rescaling; 0 if unknown.
        seen_px: Length in pixels of the (simulated) sensor.
        sized: Whether length and width on the canvas are correct, that is, the ship is not cut.
    """

    corners: Floats
    axis: bool
    outline: Floats | None
    length_m: float
    seen_px: float
    sized: bool


@dataclass(frozen=True)
class Canvas:
    """Input of the network with its labels.

    Attributes:
        pixels: uint8 (side, side, 3).
        ships: Ships on the canvas or overlapping its edge.
        known: bool (side, side), True where the absence of a label means that there is no ship.
        water: uint8 (side, side): 255 water, 0 land or structures, 128 unknown.
        smallest: float32 (side, side), network pixels; shorter ships are unlabeled there.
    """

    pixels: Picture
    ships: tuple[CanvasShip, ...]
    known: NDArray[np.bool_]
    water: Picture
    smallest: NDArray[np.float32]


@dataclass(frozen=True)
class _Loaded:
    pixels: Picture
    water: Picture | None
    known: NDArray[np.uint8]
    share: Floats  # scale factors from pixels of the file to these pixels, (across, down)


class Shelf:
    """Thread-safe least-recently-used cache of images, reduced to :data:`FINEST_M`."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Loaded] = OrderedDict()
        self._pixels = 0
        self._lock = Lock()

    def get(self, image: LabeledImage) -> _Loaded:
        """Return an image with its masks, reading it on first use."""
        with self._lock:
            if image.name in self._kept:
                self._kept.move_to_end(image.name)
                return self._kept[image.name]
        loaded = _load(image)
        with self._lock:
            self._kept[image.name] = loaded
            self._pixels += loaded.known.size
            while self._pixels > KEPT_PIXELS:
                _, old = self._kept.popitem(last=False)
                self._pixels -= old.known.size
        return loaded


def _load(image: LabeledImage) -> _Loaded:
    pixels = image.read()
    height, width = pixels.shape[:2]
    water = read_water(image, height, width)
    known = np.full((height, width), 255 if image.complete else 0, np.uint8)
    if not image.complete:
        for ship in image.ships:
            outline = ship.outline if ship.outline is not None else ship.corners
            cv2.fillPoly(known, [np.round(outline).astype(np.int32)], 255)
    for polygon in image.unknown:
        cv2.fillPoly(known, [np.round(polygon).astype(np.int32)], 0)
    black = pixels.max(axis=2) == 0
    if black.mean() > 0.01:  # no data, or blacked-out land
        known[cv2.dilate(black.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 0
    share = np.minimum(1.0, np.array(image.gsd_m) / FINEST_M)
    size = (max(8, round(width * share[0])), max(8, round(height * share[1])))
    if size != (width, height):
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        known = cv2.resize(known, size, interpolation=cv2.INTER_NEAREST)
        water = None if water is None else cv2.resize(water, size, interpolation=cv2.INTER_NEAREST)
    return _Loaded(pixels, water, known, np.array(size) / (width, height))


@dataclass(frozen=True)
class View:
    """Geometry of a crop.

    Attributes:
        center: (2,) in pixels of the file.
        zoom: Magnification; 1 keeps the size of the ground.
        angle: Rotation in radians.
        mirrored: Whether the crop is flipped horizontally.
        side: Side of the canvas in pixels.
        sensor_m: Meters per pixel of a simulated sensor; 0 for the image's own resolution.
        gsd_m: Meters per pixel of the canvas.
    """

    center: Floats
    zoom: float
    angle: float
    mirrored: bool
    side: int
    sensor_m: float = 0.0
    gsd_m: float = NET_GSD_M


def matrix_of(image: LabeledImage, view: View) -> Floats:
    """Return the affine matrix (2, 3) from pixels of the file to pixels of the canvas.

    In both systems, (0, 0) is the corner of the first pixel, not its center.
    """
    scale = np.diag(np.array(image.gsd_m) / view.gsd_m * view.zoom)
    cos, sin = np.cos(view.angle), np.sin(view.angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    flip = np.diag([-1.0 if view.mirrored else 1.0, 1.0])
    linear = flip @ turn @ scale
    offset = view.side / 2 - linear @ view.center
    return np.column_stack([linear, offset])


def take(
    image: LabeledImage, view: View, shelf: Shelf, rng: np.random.Generator, augment: bool = True
) -> Canvas:
    """Cut a canvas from a labeled image.

    Args:
        image: The labeled image.
        view: Geometry of the crop.
        shelf: Cache through which the image is read.
        rng: Source of randomness.
        augment: Whether to change colors, draw text and simulate a sensor at random.

    Returns:
        The canvas with its labels.
    """
    loaded, side = shelf.get(image), view.side
    whole = matrix_of(image, view)
    linear = whole[:, :2] / loaded.share
    # Warping samples single pixels: if the canvas is coarser, warp at twice its size and average.
    fine = 2 if abs(np.linalg.det(linear)) < 0.55 else 1
    half = np.array([0.5, 0.5])
    matrix = np.column_stack([fine * linear, fine * (linear @ half + whole[:, 2]) - half])
    size = (fine * side, fine * side)
    pixels = cv2.warpAffine(
        loaded.pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    if fine > 1:
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    coarse = np.column_stack([linear, linear @ half + whole[:, 2] - half])

    def warped(mask: Picture, outside: int) -> Picture:
        return np.asarray(
            cv2.warpAffine(
                mask, coarse, (side, side), flags=cv2.INTER_NEAREST, borderValue=outside
            ),
            np.uint8,
        )

    known = warped(loaded.known, 0) > 0
    water = (
        np.full((side, side), UNKNOWN, np.uint8)
        if loaded.water is None
        else warped(loaded.water, UNKNOWN)
    )
    # Enlarging an image also enlarges the pixels of its sensor.
    sensor_m = max(image.mean_gsd_m * view.zoom, view.sensor_m)
    if augment:
        pixels = recolor(pixels, rng)
        if rng.random() < ANNOTATED:
            pixels = annotate(pixels, rng)
        pixels = degrade(pixels, view.sensor_m / view.gsd_m, rng)
    ships = []
    for ship in image.ships:
        corners = ship.corners @ whole[:, :2].T + whole[:, 2]
        middle = corners.mean(axis=0)
        reach = np.abs(corners - middle).max()
        if (middle < -reach).any() or (middle > side + reach).any():
            continue
        outline = None if ship.outline is None else ship.outline @ whole[:, :2].T + whole[:, 2]
        length_m = image.length_m(ship)
        ships.append(
            CanvasShip(
                corners,
                ship.axis,
                outline,
                length_m if image.scaled else 0.0,
                length_m * view.zoom / sensor_m if image.scaled else 99.0,
                True,
            )
        )
    smallest = np.full((side, side), image.smallest_m / view.gsd_m * view.zoom, np.float32)
    return Canvas(pixels, tuple(ships), known, water, smallest)


def joined(quarters: list[Canvas]) -> Canvas:
    """Join four canvases into one of twice the side and mark the seams as unknown."""
    side = quarters[0].pixels.shape[0]

    def grid(parts: list[NDArray]) -> NDArray:
        return np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])

    known = grid([c.known for c in quarters]).copy()
    known[side - 4 : side + 4] = False
    known[:, side - 4 : side + 4] = False
    ships: list[CanvasShip] = []
    for number, canvas in enumerate(quarters):
        offset = np.array([number % 2, number // 2]) * side
        for ship in canvas.ships:
            middle = ship.corners.mean(axis=0)
            if (middle < 0).any() or (middle >= side).any():
                continue  # labeled by the quarter that contains its center
            outline = None if ship.outline is None else np.clip(ship.outline, 0, side) + offset
            ships.append(
                CanvasShip(
                    ship.corners + offset, ship.axis, outline, ship.length_m, ship.seen_px,
                    bool((ship.corners >= -2).all() and (ship.corners <= side + 2).all()),
                )
            )  # fmt: skip
    return Canvas(
        grid([c.pixels for c in quarters]),
        tuple(ships),
        known,
        grid([c.water for c in quarters]),
        grid([c.smallest for c in quarters]),
    )
