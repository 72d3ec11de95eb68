"""Things drawn rather than photographed: ships, wakes, water, quays, clouds."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from training.cutouts import Cutout
from training.harbor.layout import Kind, Ship
from training.harbor.ships import ship_alone
from training.windows import NET_GSD_M

Picture = NDArray[np.uint8]

DECKS = np.array(
    [(120, 60, 45), (70, 95, 75), (110, 110, 112), (185, 180, 170), (60, 70, 95), (225, 225, 222)]
)
"""Red lead, green, grey, buff, blue and white paint."""


SIZES_M: dict[Kind, tuple[float, float, float, float]] = {
    "container": (110, 400, 5.5, 9.5),
    "tanker": (80, 340, 5.0, 7.0),
    "bulk": (90, 300, 5.2, 7.2),
    "cargo": (60, 190, 5.4, 7.5),
    "ferry": (50, 240, 4.8, 7.0),
    "tug": (20, 38, 2.7, 3.6),
    "fishing": (18, 60, 3.2, 4.6),
    "patrol": (25, 110, 4.8, 7.5),
}
"""Shortest and longest of a kind, metres, and the least and the largest length over width."""


def draw_ship(rng: np.random.Generator) -> Cutout:
    """A ship of any kind seen from above, bow to the right, as the app's sample draws them."""
    kinds = list(SIZES_M)
    kind = kinds[rng.integers(len(kinds))]
    shortest, longest, beamy, slender = SIZES_M[kind]
    length_m = float(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
    width_m = length_m / float(rng.uniform(beamy, slender))
    length = min(256.0, length_m / 0.6)  # pixels: 0.6 m each, or coarser for the largest
    metres = length_m / length
    width, side = width_m / metres, int(length) + 16
    ship = Ship(0, 0, length_m, width_m, 90, kind, "anchored", 0, 0)
    fine = side * 2
    picture, mask = ship_alone(ship, fine, metres / 2, (fine / 2, fine / 2), rng)
    # Black outside the hull: the colour there is that of the hull's nearest pixel, for the blend.
    picture = nearest_filled(picture, mask > 127)
    rows = slice(max(0, int(side - width) // 2 - 8), int(side + width) // 2 + 9)
    pixels = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)[rows]
    alpha = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)[rows]
    pixels = np.clip(pixels * rng.normal(1, 0.05, (*pixels.shape[:2], 1)), 0, 255)
    return Cutout(
        np.ascontiguousarray(pixels.astype(np.uint8)),
        np.ascontiguousarray(alpha.astype(np.float32) / 255),
        (side / 2, side / 2 - rows.start),
        length,
        width,
        0.0,
    )


def nearest_filled(picture: Picture, inside: NDArray[np.bool_]) -> Picture:
    """The picture with every pixel outside a mask replaced by the nearest one inside it."""
    _, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    colours[labels[inside]] = picture[inside]
    return colours[labels]


def ripples(size_px: int, rng: np.random.Generator, cell_px: float) -> NDArray[np.float32]:
    """Smooth unit noise (size_px, size_px) with features of about `cell_px`."""
    cells = max(2, int(size_px / cell_px) + 2)
    noise = rng.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(noise, (size_px, size_px), interpolation=cv2.INTER_CUBIC)


def draw_sea(size_px: int, rng: np.random.Generator) -> Picture:
    """Open water: a colour, slow gradients, swell, and at times whitecaps."""
    green = rng.uniform(25, 115)  # water is green to blue, muddy water brown, none is purple
    colour = green * rng.uniform((0.45, 1.0, 0.65), (1.1, 1.0, 1.35))
    field = ripples(size_px, rng, 300) * rng.uniform(0, 8)
    field += ripples(size_px, rng, 60) * rng.uniform(0, 4)
    field += ripples(size_px, rng, 6) * rng.uniform(0, 5)
    if rng.random() < 0.15:
        field += np.maximum(0, ripples(size_px, rng, 5) - rng.uniform(2.2, 3)) * 90
    return np.clip(colour + field[..., None], 0, 255).astype(np.uint8)


def draw_wake(
    picture: Picture,
    x: float,
    y: float,
    angle: float,
    length: float,
    spread: float,
    rng: np.random.Generator,
) -> None:
    """A bright streak and at times a V, running back from (x, y) against the heading."""
    layer = np.zeros(picture.shape[:2], np.float32)
    for side in (0.0, 0.12, -0.12):
        if side and rng.random() < 0.4:
            continue
        back = angle + np.pi + side * rng.uniform(0.5, 1.5)
        points = [(x + d * np.cos(back), y + d * np.sin(back)) for d in np.linspace(0, length, 6)]
        for index, (a, b) in enumerate(itertools.pairwise(points)):
            thickness = max(1, int(spread * (0.4 + 0.2 * index)))
            strength = rng.uniform(0.5, 1.0) * (1 - index / 5.5)
            cv2.line(layer, tuple(map(int, a)), tuple(map(int, b)), strength, thickness)
    layer = cv2.GaussianBlur(layer, (0, 0), max(1.0, spread * 0.4))[..., None]
    layer *= rng.uniform(0.15, 0.9)
    picture[:] = (picture * (1 - layer) + 225 * layer).astype(np.uint8)


def draw_rocks(picture: Picture, rng: np.random.Generator) -> None:
    """Rocks, islets and shoals of 5 to 90 m, at times ringed with foam: no ships."""
    size = picture.shape[0]
    stone = rng.uniform(60, 190) * rng.uniform((0.9, 0.9, 0.8), (1.1, 1.05, 1.0))
    for _ in range(int(rng.integers(1, 7))):
        layer = np.zeros((size, size), np.float32)
        reach = float(np.exp(rng.uniform(np.log(2), np.log(40))))
        turns = np.sort(rng.uniform(0, 2 * np.pi, 9))
        radii = reach * rng.uniform(0.4, 1.0, 9) * rng.uniform(0.4, 1.0)
        ring = np.column_stack([np.cos(turns) * reach, np.sin(turns) * radii])
        points = (rng.uniform(0, size, 2) + ring).astype(np.int32)
        if rng.random() < 0.5:
            cv2.polylines(layer, [points], True, rng.uniform(0.3, 0.9), 2)
            foam = cv2.GaussianBlur(layer, (0, 0), 1.5)[..., None]
            picture[:] = (picture * (1 - foam) + 230 * foam).astype(np.uint8)
            layer[:] = 0
        cv2.fillPoly(layer, [points], 1.0)
        cover = cv2.GaussianBlur(layer, (0, 0), 1.2)[..., None] * rng.uniform(0.3, 1)
        ground = stone + (ripples(size, rng, 3) * rng.uniform(3, 25))[..., None]
        picture[:] = np.clip(picture * (1 - cover) + ground * cover, 0, 255).astype(np.uint8)


def draw_jetty(picture: Picture, rng: np.random.Generator) -> None:
    """A row of dolphins or a pier of 40 to 500 m with platforms, standing in the water."""
    size = picture.shape[0]
    layer = np.zeros((size, size), np.float32)
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(20, 270)
    along = np.array([np.cos(angle), np.sin(angle)])
    start = rng.uniform(0, size, 2)
    thickness = int(rng.integers(1, 6))
    if rng.random() < 0.75:
        end = start + along * length
        cv2.line(layer, start.astype(int).tolist(), end.astype(int).tolist(), 1.0, thickness)
    for step in np.arange(0, length, rng.uniform(9, 45)):
        half = float(rng.uniform(0.5, 2.5) + thickness / 2)
        box = cv2.boxPoints(((start + along * step).tolist(), (2 * half, 2 * half), 0.0))
        cv2.fillPoly(layer, [box.astype(np.int32)], 1.0)
    if rng.random() < 0.4:  # the head that tankers lie at
        head = (start + along * length).tolist()
        long = float(rng.uniform(8, 60))
        box = cv2.boxPoints((head, (long, float(rng.uniform(4, 10))), np.rad2deg(angle) + 90))
        cv2.fillPoly(layer, [box.astype(np.int32)], 1.0)
    cover = cv2.GaussianBlur(layer, (0, 0), 0.8)[..., None]
    colour = rng.uniform(90, 215) * rng.uniform((0.95, 0.95, 0.9), (1.05, 1.0, 1.0))
    picture[:] = (picture * (1 - cover) + colour * cover).astype(np.uint8)


def draw_mole(picture: Picture, rng: np.random.Generator) -> None:
    """A mole or breakwater of one to four straight or bent parts with heads, standing in water:
    as long and as bright as a ship, but for its ends. At times it is cut through or detached."""
    size = picture.shape[0]
    parts = int(rng.integers(1, 5))
    points = [rng.uniform(-0.2 * size, 1.2 * size, 2)]
    angle = rng.uniform(0, 2 * np.pi)
    for _ in range(parts):
        along = np.array([np.cos(angle), np.sin(angle)])
        points.append(points[-1] + along * float(np.exp(rng.uniform(np.log(20), np.log(330)))))
        angle += rng.normal(0, 0.7)
    line = np.round(points).astype(np.int32)
    thickness = int(rng.integers(3, 15))
    layer = np.zeros((size, size), np.float32)
    cv2.polylines(layer, [line], False, 1.0, thickness)
    for end in (line[0], line[-1]):
        if rng.random() < 0.5:  # a head wider than the rest
            reach = int(thickness * rng.uniform(0.5, 1.1))
            cv2.circle(layer, end.tolist(), max(2, reach), 1.0, -1)
    stone = rng.uniform(75, 205) * rng.uniform((0.92, 0.92, 0.85), (1.08, 1.03, 1.0))
    rough = ripples(size, rng, 2.5) * rng.uniform(2, 22)
    ground = np.clip(stone + rough[..., None], 0, 255).astype(np.float32)
    if rng.random() < 0.6 and thickness > 4:  # a road or a wall on top, and rocks beside it
        top = np.zeros((size, size), np.float32)
        cv2.polylines(top, [line], False, 1.0, max(1, int(thickness * rng.uniform(0.2, 0.6))))
        top = cv2.GaussianBlur(top, (0, 0), 0.7)[..., None]
        ground = ground * (1 - top) + float(rng.uniform(90, 235)) * top
    if rng.random() < 0.3:  # surf on its sides
        surf = np.zeros((size, size), np.float32)
        cv2.polylines(surf, [line], False, 1.0, thickness + int(rng.integers(2, 7)))
        surf = cv2.GaussianBlur(surf, (0, 0), 1.5) * np.clip(ripples(size, rng, 9), 0, 1)
        picture[:] = (picture * (1 - surf[..., None]) + 230 * surf[..., None]).astype(np.uint8)
    cover = cv2.GaussianBlur(layer, (0, 0), 0.9)[..., None]
    picture[:] = np.clip(picture * (1 - cover) + ground * cover, 0, 255).astype(np.uint8)


def draw_cranes(picture: Picture, mask: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Gantry cranes on a quay, their booms of 30 to 80 m reaching over the water, with shadows.

    Args:
        mask: (size_px, size_px) soft mask of the land that they stand on.
    """
    size = mask.shape[0]
    down, right = np.gradient(cv2.GaussianBlur(mask, (0, 0), 4))
    rows, columns = np.nonzero((mask > 0.3) & (mask < 0.7))
    if not len(rows):
        return
    paint = np.array([(225, 225, 225), (70, 110, 190), (190, 70, 60), (215, 190, 80)])
    colour = paint[rng.integers(len(paint))] + rng.normal(0, 12, 3)
    first = rng.integers(len(rows))
    sunward = rng.uniform(0, 2 * np.pi)
    shade = np.array([np.cos(sunward), np.sin(sunward)]) * rng.uniform(6, 25)
    for _ in range(int(rng.integers(1, 6))):
        near = np.hypot(columns - columns[first], rows - rows[first]) < 120
        index = rng.choice(np.flatnonzero(near))
        quay = np.array([columns[index], rows[index]], dtype=np.float64)
        seaward = -np.array([right[rows[index], columns[index]], down[rows[index], columns[index]]])
        seaward /= max(float(np.linalg.norm(seaward)), 1e-6)
        beside = np.array([-seaward[1], seaward[0]])
        reach, inland, wide = rng.uniform(10, 36), rng.uniform(4, 18), rng.uniform(1.0, 3.5)
        leg = rng.uniform(3, 8)
        boom = [(-inland, -wide), (reach, -wide), (reach, wide), (-inland, wide)]
        legs = [(-8, -leg), (-1, -leg), (-1, leg), (-8, leg)]
        for shift, tone in ((shade, None), (np.zeros(2), colour)):
            layer = np.zeros((size, size), np.float32)
            for shape in (boom, legs):
                corners = [quay + shift + a * seaward + b * beside for a, b in shape]
                cv2.fillPoly(layer, [np.round(corners).astype(np.int32)], 1.0)
            cover = cv2.GaussianBlur(layer, (0, 0), 0.7)[..., None]
            under = picture * (0.45 if tone is None else 0.0) + (0 if tone is None else tone)
            picture[:] = np.clip(picture * (1 - cover) + under * cover, 0, 255).astype(np.uint8)


def land_mask(size_px: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Coast, quays, islands, piers and breakwaters as a soft mask (size_px, size_px)."""
    mask = np.zeros((size_px, size_px), np.uint8)
    kind = rng.random()
    if kind < 0.45:  # a straight quay or a natural shore
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.1, 0.45) * size_px
        ys, xs = np.mgrid[0:size_px, 0:size_px].astype(np.float32) - size_px / 2
        edge = xs * np.cos(angle) + ys * np.sin(angle) - offset
        if rng.random() < 0.5:
            edge += ripples(size_px, rng, 70) * rng.uniform(3, 20)
        mask[edge > 0] = 1
    if kind > 0.35:
        for _ in range(int(rng.integers(1, 4))):  # islands, piers, breakwaters
            centre = rng.uniform(0, size_px, 2)
            long = rng.uniform(20, 420)
            short = rng.uniform(4, 16) if rng.random() < 0.65 else long * rng.uniform(0.4, 1)
            box = ((float(centre[0]), float(centre[1])), (long, short), rng.uniform(0, 180))
            points = cv2.boxPoints(box) + rng.normal(0, 0.05 * short, (4, 2))
            cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(0.7, 2))


def draw_yard(ground: Picture, rng: np.random.Generator) -> None:
    """A container yard on `ground`: rows of boxes of 12 x 2.5 m in all colours, with lanes."""
    size = ground.shape[0]
    rows, columns = int(rng.integers(12, 60)), int(rng.integers(4, 24))
    boxes = DECKS[rng.integers(len(DECKS), size=(rows, columns))] + rng.normal(0, 25, (1, 1, 3))
    boxes = np.clip(boxes + rng.normal(0, 18, boxes.shape), 0, 255).astype(np.float32)
    asphalt = rng.uniform(70, 170)
    boxes[:: int(rng.integers(5, 9))] = asphalt
    boxes[rng.random((rows, columns)) < rng.uniform(0, 0.3)] = asphalt
    turn, place = rng.uniform(0, 2 * np.pi), rng.uniform(0, size, 2)
    along = np.array([np.cos(turn), np.sin(turn)]) * 12.2 / NET_GSD_M
    across = np.array([-np.sin(turn), np.cos(turn)]) * 2.5 / NET_GSD_M
    matrix = np.column_stack([along, across, place - along * columns / 2 - across * rows / 2])
    flags = cv2.INTER_LINEAR
    yard = cv2.warpAffine(boxes, matrix, (size, size), flags=flags)
    cover = cv2.warpAffine(np.ones((rows, columns), np.float32), matrix, (size, size), flags=flags)
    cover = cover[..., None]
    ground[:] = np.clip(ground * (1 - cover) + yard * cover, 0, 255).astype(ground.dtype)


def draw_sheds(ground: Picture, rng: np.random.Generator) -> None:
    """Warehouses of 30 to 220 m on `ground`, in rows, and at times a tank farm: as long, as bright
    and as straight as ships, but ashore."""
    size = ground.shape[0]
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    place = rng.uniform(0, size, 2)
    shade = rng.uniform(2, 8) * np.array([np.cos(turn := rng.uniform(0, 6.3)), np.sin(turn)])
    long, wide = rng.uniform(30, 220) / NET_GSD_M, rng.uniform(14, 70) / NET_GSD_M
    wide = min(wide, long)
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    roof = float(rng.uniform(110, 230)) * rng.uniform((0.9, 0.95, 0.95), (1.08, 1.02, 1.05))
    for row, column in itertools.product(range(rows), range(columns)):
        if rng.random() < 0.15:
            continue
        length, width = long * rng.uniform(0.6, 1.1), wide * rng.uniform(0.8, 1.1)
        middle = place + along * column * long * 1.25 + across * row * wide * 1.7
        tone = np.clip(roof * rng.uniform(0.88, 1.1), 0, 255)
        dark = np.clip(ground.mean(axis=(0, 1)) * 0.4, 0, 255)
        fill_box(ground, middle + shade, along, length, width, dark)
        fill_box(ground, middle, along, length, width, tone)
        ridge = middle + across * width / 4
        fill_box(ground, ridge, along, length, width / 2, np.clip(tone * 1.08, 0, 255))
    if rng.random() < 0.3:
        reach = float(rng.uniform(8, 40)) / NET_GSD_M
        start = rng.uniform(0, size, 2)
        for row, column in itertools.product(range(int(rng.integers(1, 5))), range(3)):
            at = start + along * column * reach * 2.8 + across * row * reach * 2.8
            centre = np.round(at).astype(int)
            shadow = np.round(at + shade).astype(int)
            cv2.circle(ground, shadow.tolist(), round(reach), (52, 54, 52), -1, cv2.LINE_AA)
            cv2.circle(ground, centre.tolist(), round(reach), roof.tolist(), -1, cv2.LINE_AA)


def fill_box(
    picture: Picture,
    middle: NDArray[np.float64],
    along: NDArray[np.float64],
    length: float,
    width: float,
    colour: NDArray[np.float64],
) -> None:
    """Fill a rectangle whose long side lies along a unit vector, network pixels."""
    half, side = along * length / 2, np.array([-along[1], along[0]]) * width / 2
    corners = [
        middle + half + side,
        middle + half - side,
        middle - half - side,
        middle - half + side,
    ]
    points = np.round(np.array(corners) * 16).astype(np.int32)
    cv2.fillPoly(picture, [points], colour.tolist(), cv2.LINE_AA, 4)


def draw_cloud(picture: Picture, rng: np.random.Generator) -> None:
    """A patch of thin or thick cloud."""
    size = picture.shape[0]
    veil = ripples(size, rng, rng.uniform(40, 200)) + 0.5 * ripples(size, rng, 20)
    veil = np.clip((veil - rng.uniform(0.8, 1.8)) * rng.uniform(0.4, 1), 0, 0.95)[..., None]
    picture[:] = (picture * (1 - veil) + 235 * veil).astype(np.uint8)
