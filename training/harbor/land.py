"""Draw the coast: fields, a town, roads, beach, and the port's quays, yards, tanks, breakwater."""

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from training.harbor import harbor_layout
from training.harbor.brush import Brush, Color, steps
from training.harbor.harbor_layout import GSD_M, HEIGHT_PX, WIDTH_PX
from training.harbor.ships import CARGO
from training.harbor.texture import clouds, spectral, tiled

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Rng = np.random.Generator

LAND_ROWS = 960  # only port structures lie farther south
SHADOW: Color = (48, 50, 48)
CONCRETE: Color = (172, 168, 158)
ROAD: Color = (136, 134, 130)
FIELDS: tuple[Color, ...] = (
    (112, 118, 82), (134, 128, 92), (92, 106, 72), (150, 138, 104), (84, 98, 70), (126, 108, 82),
)  # fmt: skip
ROOFS: tuple[Color, ...] = (
    (164, 112, 90), (176, 126, 102), (196, 192, 184), (150, 150, 148), (208, 206, 200),
)  # fmt: skip


def natural_land() -> Mask:
    """Return the mask of the land without structures."""
    east_m = (np.arange(WIDTH_PX, dtype=np.float64) + 0.5) * GSD_M
    south_m = (np.arange(HEIGHT_PX) + 0.5) * GSD_M
    return np.asarray(south_m[:, None] < harbor_layout.coast_m(east_m)[None, :])


def built_land() -> Mask:
    """Return the mask of quays, pier, jetty and breakwater."""
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    brush = Brush(mask, GSD_M)
    for shape in (
        harbor_layout.TERMINAL,
        harbor_layout.BASIN_QUAY,
        harbor_layout.PIER,
        harbor_layout.JETTY,
        harbor_layout.JETTY_HEAD,
    ):
        brush.polygon(shape, (255, 0, 0))
    brush.line(harbor_layout.BREAKWATER, harbor_layout.BREAKWATER_M, (255, 0, 0))
    return mask > 127


def draw_land(scene: Pixels, natural: Mask, built: Mask, rng: Rng) -> None:
    """Draw land and port structures onto the scene, in place."""
    country = np.empty((LAND_ROWS, WIDTH_PX, 3), np.uint8)
    country[:] = FIELDS[0]
    brush = Brush(country, GSD_M)
    _fields(brush, rng)
    _trees(country, rng)
    _town(brush, rng, (80, 30, 1250, 330))
    _town(brush, rng, (3180, 30, 4860, 300))
    _roads(brush)
    _grain(country, rng, 7.0)
    edge = cv2.distanceTransform(natural[:LAND_ROWS].astype(np.uint8), cv2.DIST_L2, 3)
    sand = np.clip(1.3 - edge / 14, 0, 1)[..., None]
    country[:] = country + (np.array([190, 178, 146]) - country) * sand
    scene[:LAND_ROWS][natural[:LAND_ROWS]] = country[natural[:LAND_ROWS]]

    port = scene.copy()
    port_brush = Brush(port, GSD_M)
    _port(port_brush, rng)
    _breakwater(port_brush, rng)
    rows = slice(0, int(1900 / GSD_M))
    _grain(port[rows], rng, 4.0)
    scene[rows][built[rows]] = port[rows][built[rows]]
    _cranes(Brush(scene, GSD_M))


def _fields(brush: Brush, rng: Rng) -> None:
    for column in range(30):
        for row in range(8):
            u, v = column * 175 - 60 + row * 22, row * 150 - 60 - column * 3
            jitter = rng.uniform(-24, 24, (4, 2))
            corners = np.array([(u, v), (u + 178, v - 3), (u + 200, v + 152), (u + 22, v + 155)])
            base = FIELDS[int(rng.integers(0, len(FIELDS)))]
            shade = rng.uniform(0.9, 1.12)
            color = _shade(base, shade)
            brush.polygon(corners + jitter, color)
            if rng.random() < 0.5:  # furrows
                for offset in steps(6, 150, 9):
                    ends = [(u + 8 + offset * 0.14, v + offset), (u + 180, v + offset - 3)]
                    brush.line(ends, 1.2, _shade(color, 0.93))


def _trees(country: Pixels, rng: Rng) -> None:
    clumps = tiled(spectral(rng, 640, 9, 0.7), LAND_ROWS, WIDTH_PX)
    groves = clouds(rng, LAND_ROWS, WIDTH_PX, 260)
    wood = clumps + 1.1 * groves > 1.9
    lit = tiled(spectral(rng, 512, 5, 0.6), LAND_ROWS, WIDTH_PX)
    color = np.stack([56 + 7 * lit, 74 + 8 * lit, 50 + 5 * lit], axis=-1)
    country[wood] = np.clip(color[wood], 0, 255)


def _town(brush: Brush, rng: Rng, area: tuple[float, float, float, float]) -> None:
    west, north, east, south = area
    for u in steps(west, east, 92):
        brush.line([(u - 8, north - 20), (u - 8, south + 20)], 6, ROAD)
        for v in steps(north, south, 26):
            for du in steps(0, 74, 22):
                if rng.random() < 0.2:
                    continue
                length, width = rng.uniform(10, 17), rng.uniform(9, 15)
                uu, vv = u + du + rng.uniform(0, 6), v + rng.uniform(0, 6)
                roof = _shade(ROOFS[int(rng.integers(0, len(ROOFS)))], rng.uniform(0.88, 1.1))
                brush.box(uu - 3.5, vv - 4, length, width, SHADOW)
                brush.box(uu, vv, length, width, roof)
                brush.box(uu, vv + width * 0.22, length, width * 0.5, _shade(roof, 1.08))
    for v in steps(north - 14, south, 104):
        brush.line([(west - 30, v), (east + 20, v)], 6, ROAD)


def _roads(brush: Brush) -> None:
    east = np.arange(-50, 5000, 40.0)
    coastal = harbor_layout.coast_m(east) - 74
    brush.line(np.stack([east, np.minimum(coastal, 470)], axis=-1), 12, (122, 120, 118))
    for x in (1290, 2300, 3140):
        brush.line([(x, -10), (x + 40, 470)], 10, ROAD)


def _port(brush: Brush, rng: Rng) -> None:
    for shape in (harbor_layout.BASIN_QUAY, harbor_layout.TERMINAL, harbor_layout.PIER):
        brush.polygon(shape, CONCRETE)
    brush.polygon(harbor_layout.JETTY, (150, 148, 142))
    brush.polygon(harbor_layout.JETTY_HEAD, (162, 160, 152))
    for v in steps(70, 780, 118):  # container yard: blocks with lanes between
        for u in steps(1370, 2210, 170):
            brush.box(u + 72, v + 45, 154, 96, (128, 126, 122))
            for row in range(13):
                for slot in range(11):
                    if rng.random() < 0.3:
                        continue
                    color = _shade(CARGO[int(rng.integers(0, len(CARGO)))], rng.uniform(0.85, 1.1))
                    brush.box(u + 6 + slot * 13, v + 4 + row * 7, 12.2, 5.6, color)
    for rail in (868, 884):  # of the cranes
        brush.line([(1335, rail), (2285, rail)], 1.2, (116, 114, 110))
    for at, down, length, width in (
        (2420, 150, 150, 60), (2420, 260, 150, 60), (2420, 420, 120, 70),
        (2640, 120, 130, 55), (2640, 420, 110, 60), (2990, 470, 90, 60),
    ):  # fmt: skip
        brush.box(at - 7, down - 8, length, width, SHADOW)
        brush.box(at, down, length, width, (186, 190, 192))
        brush.box(at, down + width / 4, length, width / 2, (202, 205, 206))
    for u in steps(2830, 3020, 60):  # tank farm
        for v in steps(120, 320, 65):
            brush.disc(u - 6, v - 7, 23, SHADOW)
            brush.disc(u, v, 23, (210, 208, 202))
            brush.disc(u + 2, v + 2, 15, (222, 220, 215))
    brush.line([(2810, 590), (2810, 1225)], 9, (146, 144, 140))
    for v in steps(640, 1200, 60):  # parked trailers on the pier
        for du in (-38, -28, 28, 38):
            if rng.random() < 0.6:
                brush.box(2810 + du, v + rng.uniform(-8, 8), 3, 13, CARGO[int(rng.integers(0, 10))])


def _breakwater(brush: Brush, rng: Rng) -> None:
    brush.line(harbor_layout.BREAKWATER, harbor_layout.BREAKWATER_M, (140, 134, 124))
    points = np.array(harbor_layout.BREAKWATER, dtype=float)
    for start, end in pairwise(points):
        for share in np.linspace(0, 1, 260):
            at = start + (end - start) * share + rng.uniform(-11, 11, 2)
            shade = rng.uniform(0.6, 1.35)
            brush.disc(float(at[0]), float(at[1]), 1.6, _shade((140, 134, 124), shade))
    brush.line(harbor_layout.BREAKWATER, 6, (182, 178, 168))


def _cranes(brush: Brush) -> None:
    """Draw ship-to-shore cranes, whose booms reach over the quay's edge and over some ships."""
    for u in (1420, 1560, 1700, 1850, 2020, 2150):
        brush.line([(u - 9, 856), (u - 9, 918)], 1.5, SHADOW)
        for side in (-4, 4):
            brush.line([(u + side, 846), (u + side, 926)], 1.3, (64, 92, 140))
        brush.box(u, 876, 12, 16, (76, 104, 150))


def _grain(picture: Pixels, rng: Rng, strength: float) -> None:
    height, width = picture.shape[:2]
    fine = tiled(spectral(rng, 600, 3.2, 1.0), height, width) * strength
    broad = clouds(rng, height, width, 120) * strength * 0.8
    picture[:] = np.clip(picture + (fine + broad)[..., None], 0, 255)


def _shade(color: Color, factor: float) -> Color:
    r, g, b = (min(255, round(value * factor)) for value in color)
    return r, g, b
