"""Draw ships seen from above: hull, deck, cargo, superstructure, shadow."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from training.harbor.brush import Brush, Color, steps
from training.harbor.harbor_layout import GSD_M, Kind, Ship

SUPERSAMPLING = 4
SHADOW_DEG = 318.0  # the sun is in the south-east
HEIGHT_M: dict[Kind, float] = {
    "container": 24, "tanker": 13, "bulk": 12, "cargo": 10,
    "ferry": 20, "tug": 6, "fishing": 5, "patrol": 6,
}  # fmt: skip
CARGO: tuple[Color, ...] = (
    (140, 70, 58), (152, 98, 70), (66, 88, 118), (84, 112, 138), (176, 174, 168),
    (102, 108, 110), (76, 104, 90), (164, 138, 84), (122, 64, 60), (190, 188, 182),
)  # fmt: skip
WHITE: Color = (226, 225, 218)
GRAY: Color = (128, 130, 130)

Rng = np.random.Generator
Pixels = npt.NDArray[np.uint8]


def draw_ship(scene: Pixels, ship: Ship, rng: Rng) -> None:
    """Draw an antialiased ship with its shadow onto the scene, in place."""
    reach_px = int((ship.length_m / 2 + 45) / GSD_M) + 2
    cx, cy = ship.east_m / GSD_M, ship.south_m / GSD_M
    x0, y0 = int(cx) - reach_px, int(cy) - reach_px
    side = 2 * reach_px
    meters = GSD_M / SUPERSAMPLING
    origin = ((cx - x0) * SUPERSAMPLING, (cy - y0) * SUPERSAMPLING)
    picture, mask = ship_alone(ship, side * SUPERSAMPLING, meters, origin, rng)

    # The patch may extend beyond the scene, so draw on a padded copy.
    patch = _cut(scene, x0, y0, side).astype(np.float32)
    shadow = _shrink(_shadow(mask, HEIGHT_M[ship.kind] / meters), side)
    patch *= 1 - 0.5 * shadow[..., None]
    grain = 1 + 0.05 * rng.standard_normal((side, side, 1)).astype(np.float32)
    alpha = _shrink(mask, side)[..., None]
    colors = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    # The image is black outside the hull, so it is already premultiplied by its coverage.
    patch = patch * (1 - alpha) + colors * grain
    _put(scene, np.clip(patch, 0, 255).astype(np.uint8), x0, y0)


def ship_alone(
    ship: Ship, side_px: int, meters_per_px: float, origin_px: tuple[float, float], rng: Rng
) -> tuple[Pixels, Pixels]:
    """Draw a ship on a black background.

    Args:
        ship: The ship.
        side_px: Side of the image.
        meters_per_px: Meters per pixel.
        origin_px: Pixel (x, y) of the ship's center.
        rng: Source of randomness.

    Returns:
        RGB (side, side, 3), black where nothing is drawn, and the hull's coverage (side, side), 0
        to 255.
    """
    mask = np.zeros((side_px, side_px), np.uint8)
    outline = hull(ship.length_m, ship.width_m, ship.kind)
    Brush(mask, meters_per_px, origin_px, ship.heading_deg).polygon(outline, (255, 0, 0))
    picture = np.zeros((side_px, side_px, 3), np.uint8)
    _DRAW[ship.kind](Brush(picture, meters_per_px, origin_px, ship.heading_deg), ship, rng)
    return picture, mask


def hull(length: float, width: float, kind: Kind) -> list[tuple[float, float]]:
    """Return the outline as (u, v) in meters from the center, starting at the bow (+u)."""
    half = width / 2
    blunt = kind in ("tanker", "bulk")
    bow = min(length * 0.3, width * (0.75 if blunt else 1.5))
    stern = min(length * 0.12, width * 0.6)
    power = 2.4 if blunt else 1.7
    side: list[tuple[float, float]] = []
    for t in np.linspace(1, 0, 14):  # from the stem back to the shoulder
        side.append((length / 2 - bow + bow * t, half * (1 - t**power)))
    for t in np.linspace(0, 1, 6):
        side.append((-length / 2 + stern * (1 - t), half * (1 - 0.22 * t**2)))
    return side + [(u, -v) for u, v in reversed(side)]


def _inner(ship: Ship, margin: float) -> list[tuple[float, float]]:
    length, width = ship.length_m, ship.width_m
    return [
        (u * (1 - 2 * margin / length), v * (1 - 2 * margin / width))
        for u, v in hull(length, width, ship.kind)
    ]


def _deck(brush: Brush, ship: Ship, hull_color: Color, deck_color: Color) -> None:
    brush.polygon(hull(ship.length_m, ship.width_m, ship.kind), hull_color)
    brush.polygon(_inner(ship, min(1.0, ship.width_m * 0.08)), deck_color)


def _bridge(brush: Brush, u: float, length: float, width: float, height: float) -> None:
    """Draw a superstructure: its shadow on the deck, tiers, bridge wings and funnel."""
    brush.box(u + 0.4 * height, 0, length, width, (58, 56, 54))
    brush.box(u, 0, length, width, WHITE)
    brush.box(u + length * 0.18, 0, length * 0.4, width * 0.86, (238, 238, 234))
    brush.box(u + length * 0.28, 0, 2.6, width * 1.06, (206, 208, 206))
    brush.box(u - length * 0.34, 0, length * 0.2, width * 0.24, (92, 60, 54))


def _container(brush: Brush, ship: Ship, rng: Rng) -> None:
    length, width = ship.length_m, ship.width_m
    _deck(brush, ship, (44, 52, 66), (112, 70, 60))
    bridge_u = -length * 0.27
    rows = int((width - 2.5) / 2.5)
    for u in steps(-length / 2 + 9, length / 2 - width * 0.8, 14.2):
        if abs(u - bridge_u) < 15:
            continue
        brush.box(u, 0, 13.2, rows * 2.5 + 0.6, (46, 46, 48))
        tier = rng.integers(0, len(CARGO))
        for row in range(rows):
            v = (row - (rows - 1) / 2) * 2.5
            # Neighbors in a bay often belong to one owner and have one color.
            pick = tier if rng.random() < 0.35 else rng.integers(0, len(CARGO))
            shade = rng.uniform(0.82, 1.12)
            color = _shade(CARGO[int(pick)], shade)
            if rng.random() > 0.06:
                brush.box(u, v, 12.4, 2.25, color)
    _bridge(brush, bridge_u, 13, width * 0.92, 20)
    brush.disc(length / 2 - width * 0.45, 0, width * 0.07, (170, 168, 160))


def _tanker(brush: Brush, ship: Ship, rng: Rng) -> None:
    length, width = ship.length_m, ship.width_m
    styles: tuple[tuple[Color, Color], ...] = (
        ((112, 50, 42), (158, 86, 68)),
        ((42, 56, 52), (86, 118, 96)),
        ((60, 44, 42), (140, 76, 62)),
        ((56, 60, 70), (142, 140, 126)),
    )
    hull_color, deck = styles[int(rng.integers(0, len(styles)))]
    _deck(brush, ship, hull_color, deck)
    light, dark = _shade(deck, 1.22), _shade(deck, 0.72)
    fore = length / 2 - width * 0.75
    aft = -length / 2 + length * 0.17
    for v in (-1.8, 0.0, 1.8):  # pipes along the middle
        brush.line([(aft, v), (fore, v)], 0.7, light)
    for u in steps(aft + 8, fore, length * 0.075):  # frames of the cargo tanks
        brush.line([(u, -width * 0.42), (u, width * 0.42)], 0.6, dark)
    middle = 0.03 * length
    brush.box(middle, 0, 5, width * 0.84, light)  # manifold and its cranes
    brush.line([(middle, 2), (middle + 16, width * 0.1)], 1.3, WHITE)
    brush.box(length / 2 - width * 0.42, 0, width * 0.3, width * 0.34, _shade(deck, 1.1))
    _bridge(brush, -length / 2 + length * 0.1, length * 0.085, width * 0.84, 16)


def _bulk(brush: Brush, ship: Ship, rng: Rng) -> None:
    length, width = ship.length_m, ship.width_m
    _deck(brush, ship, (66, 40, 38), (136, 76, 60))
    hatch: Color = ((168, 160, 142), (96, 116, 108))[int(rng.integers(0, 2))]
    fore, aft = length / 2 - width * 0.8, -length / 2 + length * 0.2
    count = 7 if length > 200 else 5
    pitch = (fore - aft) / count
    for index in range(count):
        u = aft + pitch * (index + 0.5)
        brush.box(u + 1.6, 0, pitch * 0.66, width * 0.58, (70, 46, 40))
        brush.box(u, 0, pitch * 0.64, width * 0.56, _shade(hatch, rng.uniform(0.93, 1.06)))
        brush.line([(u - pitch * 0.3, 0), (u + pitch * 0.3, 0)], 0.6, _shade(hatch, 0.75))
        if index and length < 200:
            brush.box(u - pitch / 2, 0, 4, 4, (196, 178, 92))  # deck cranes
            brush.line([(u - pitch / 2, 0), (u, width * 0.2)], 1.2, (214, 196, 108))
    _bridge(brush, -length / 2 + length * 0.1, length * 0.075, width * 0.84, 15)


def _cargo(brush: Brush, ship: Ship, rng: Rng) -> None:
    length, width = ship.length_m, ship.width_m
    hull_color: Color = ((46, 66, 104), (40, 86, 72), (96, 40, 36))[int(rng.integers(0, 3))]
    _deck(brush, ship, hull_color, (122, 84, 72))
    fore, aft = length / 2 - width * 1.15, -length / 2 + length * 0.22
    hatch: Color = ((176, 172, 158), (84, 112, 98), (150, 110, 92))[int(rng.integers(0, 3))]
    half = (fore - aft) / 2
    for index in range(2):
        u = aft + half * (index + 0.5)
        brush.box(u + 1.2, 0, half * 0.9, width * 0.74, (62, 52, 48))
        brush.box(u, 0, half * 0.88, width * 0.7, hatch)
        for line in steps(u - half * 0.4, u + half * 0.41, 6.5):
            brush.line([(line, -width * 0.34), (line, width * 0.34)], 0.5, _shade(hatch, 0.8))
    brush.box(length / 2 - width * 0.6, 0, width * 0.4, width * 0.4, (150, 146, 138))
    _bridge(brush, -length / 2 + length * 0.11, length * 0.12, width * 0.86, 11)


def _ferry(brush: Brush, ship: Ship, rng: Rng) -> None:
    length, width = ship.length_m, ship.width_m
    _deck(brush, ship, (190, 194, 196), WHITE)
    brush.box(-length * 0.06, 0, length * 0.74, width * 0.8, (236, 236, 232))
    brush.box(-length * 0.3, 0, length * 0.24, width * 0.72, (112, 142, 126))  # open deck
    brush.box(length * 0.2, 0, length * 0.16, width * 0.9, (214, 216, 216))
    for side in (-1, 1):
        for u in steps(-length * 0.2, length * 0.2, 11):
            brush.box(u, side * width * 0.43, 8, 2.0, (206, 110, 52))  # lifeboats
    brush.box(-length * 0.1 + 6, 1, 12, width * 0.34, (112, 112, 112))
    brush.box(-length * 0.1, 0, 11, width * 0.3, (40, 66, 120))  # funnel
    for _ in range(6):
        u, v = rng.uniform(-0.05, 0.25) * length, rng.uniform(-0.25, 0.25) * width
        brush.box(u, v, 5, 3, (160, 164, 164))


def _small(brush: Brush, ship: Ship, rng: Rng) -> None:
    length, width = ship.length_m, ship.width_m
    styles: dict[str, tuple[Color, Color]] = {
        "tug": ((40, 40, 44), (146, 72, 56)),
        "fishing": ((44, 84, 130), (188, 184, 172)),
        "patrol": ((150, 156, 160), (176, 180, 180)),
    }
    hull_color, deck = styles[ship.kind]
    _deck(brush, ship, hull_color, deck)
    house = {"tug": 0.1, "fishing": -0.2, "patrol": 0.04}[ship.kind] * length
    brush.box(house + 1.6, 0, length * 0.3, width * 0.62, (74, 72, 70))
    brush.box(house, 0, length * 0.28, width * 0.6, WHITE)
    brush.box(house + length * 0.06, 0, length * 0.1, width * 0.5, (240, 240, 238))
    brush.box(-length * 0.38, 0, length * 0.08, width * 0.4, _shade(deck, rng.uniform(0.6, 0.8)))


_DRAW: dict[Kind, Callable[[Brush, Ship, Rng], None]] = {
    "container": _container,
    "tanker": _tanker,
    "bulk": _bulk,
    "cargo": _cargo,
    "ferry": _ferry,
    "tug": _small,
    "fishing": _small,
    "patrol": _small,
}


def _shade(color: Color, factor: float) -> Color:
    r, g, b = (min(255, round(value * factor)) for value in color)
    return r, g, b


def _shadow(mask: Pixels, height_px: float) -> Pixels:
    """Return the mask of the shadow: the ship's mask smeared away from the sun."""
    theta = np.radians(SHADOW_DEG)
    length = height_px * 0.8  # sun at about 51 degrees
    dx, dy = np.sin(theta) * length, -np.cos(theta) * length
    smeared = mask.copy()
    for share in np.linspace(0, 1, max(2, int(length / 4))):
        matrix = np.array([[1, 0, dx * share], [0, 1, dy * share]], np.float32)
        moved = cv2.warpAffine(mask, matrix, (mask.shape[1], mask.shape[0]))
        np.maximum(smeared, moved, out=smeared)
    return np.asarray(cv2.GaussianBlur(smeared, (0, 0), SUPERSAMPLING * 0.7), np.uint8)


def _shrink(mask: Pixels, side: int) -> npt.NDArray[np.float32]:
    small = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def _window(scene: Pixels, x0: int, y0: int, side: int) -> tuple[slice, slice, slice, slice]:
    """Return rows and columns of the overlap in the scene, then in the patch."""
    height, width = scene.shape[:2]
    left, right = max(0, x0), min(width, x0 + side)
    top, bottom = max(0, y0), min(height, y0 + side)
    return (
        slice(top, bottom),
        slice(left, right),
        slice(top - y0, bottom - y0),
        slice(left - x0, right - x0),
    )


def _cut(scene: Pixels, x0: int, y0: int, side: int) -> Pixels:
    rows, columns, patch_rows, patch_columns = _window(scene, x0, y0, side)
    patch = np.zeros((side, side, 3), np.uint8)
    patch[patch_rows, patch_columns] = scene[rows, columns]
    return patch


def _put(scene: Pixels, patch: Pixels, x0: int, y0: int) -> None:
    rows, columns, patch_rows, patch_columns = _window(scene, x0, y0, patch.shape[0])
    scene[rows, columns] = patch[patch_rows, patch_columns]
