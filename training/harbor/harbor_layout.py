"""Layout of the synthetic harbor, in meters east and south of its north-west corner.

The harbor lies in open ocean near Null Island, so that it cannot be mistaken for a real one. Near
the equator a Web Mercator pixel has its nominal size, so one factor converts meters to pixels.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shipdet.geometry import BBox, Floats, gsd_at, pixel_to_lonlat

REFERENCE_ZOOM = 17
# Corner and size of the scene in tiles of zoom 15, each 1024 reference pixels wide.
TILE15_X, TILE15_Y, TILES15_WIDE, TILES15_HIGH = 16320, 16376, 4, 3
UNIT_PX = 1024
WIDTH_PX, HEIGHT_PX = TILES15_WIDE * UNIT_PX, TILES15_HIGH * UNIT_PX
LEFT_PX, TOP_PX = TILE15_X * UNIT_PX, TILE15_Y * UNIT_PX
GSD_M = gsd_at(0.0, REFERENCE_ZOOM)

Kind = Literal["container", "tanker", "bulk", "cargo", "ferry", "tug", "fishing", "patrol"]
State = Literal["moored", "anchored", "moving"]


@dataclass(frozen=True, slots=True)
class Ship:
    """Ground truth of a ship: center, size and heading."""

    lon: float
    lat: float
    length_m: float
    width_m: float
    heading_deg: float
    kind: Kind
    state: State
    east_m: float
    south_m: float


# kind, state, east m, south m, length m, width m, heading
_FLEET: tuple[tuple[Kind, State, float, float, float, float, float], ...] = (
    ("container", "moored", 1640, 921, 294, 32, 90),
    ("container", "moored", 2080, 920, 210, 30, 270),
    ("tanker", "moored", 620, 1216, 183, 32, 84),
    ("ferry", "moored", 2732, 1010, 160, 26, 0),
    ("cargo", "moored", 2883, 960, 115, 18, 180),
    ("tug", "moored", 2400, 600, 32, 11, 90),
    ("tanker", "anchored", 900, 2280, 274, 46, 36),
    ("tanker", "anchored", 1720, 1830, 228, 32, 41),
    ("bulk", "anchored", 2520, 2080, 225, 32, 31),
    ("bulk", "anchored", 1480, 2860, 190, 30, 43),
    ("cargo", "anchored", 3320, 2560, 135, 20, 38),
    ("tanker", "anchored", 2260, 3180, 145, 23, 34),
    ("container", "moving", 3930, 2120, 300, 40, 298),
    ("cargo", "moving", 560, 3160, 100, 16, 72),
    ("ferry", "moving", 3330, 1500, 120, 20, 322),
    ("fishing", "moving", 2960, 2960, 25, 7, 205),
    ("fishing", "moving", 1190, 1500, 34, 9, 118),
    ("patrol", "moving", 4450, 1560, 45, 8.5, 12),
    ("patrol", "moving", 4250, 3230, 62, 10, 335),
)

# The container terminal's quay is its south side; the pier extends farther south.
TERMINAL = ((1330, -50), (2290, -50), (2290, 900), (1330, 900))
BASIN_QUAY = ((2280, -50), (3080, -50), (3080, 585), (2280, 585))
PIER = ((2750, 560), (2870, 560), (2870, 1240), (2750, 1240))
JETTY = ((612, 440), (626, 440), (626, 1194), (612, 1194))
JETTY_HEAD = ((560, 1186), (680, 1174), (681, 1185), (561, 1197))
BREAKWATER = ((3690, 520), (3880, 820), (3930, 1120), (3870, 1430), (3700, 1700))
BREAKWATER_M = 22.0


def bbox() -> BBox:
    """Return the bounding box of the scene."""
    corners = pixel_to_lonlat(
        [[LEFT_PX, TOP_PX], [LEFT_PX + WIDTH_PX, TOP_PX + HEIGHT_PX]], REFERENCE_ZOOM
    )
    (west, north), (east, south) = corners.tolist()
    return BBox(west, south, east, north)


def truth() -> tuple[Ship, ...]:
    """Return every ship of the scene."""
    ships = []
    for kind, state, east_m, south_m, length_m, width_m, heading in _FLEET:
        lon, lat = pixel_to_lonlat(
            [LEFT_PX + east_m / GSD_M, TOP_PX + south_m / GSD_M], REFERENCE_ZOOM
        ).tolist()
        ships.append(Ship(lon, lat, length_m, width_m, heading, kind, state, east_m, south_m))
    return tuple(ships)


def coast_m(east_m: Floats) -> Floats:
    """Return the southern limit of the natural land, a bay with capes, in meters."""
    x = east_m / 1000
    return np.asarray(
        560
        + 90 * np.sin(1.9 * x + 0.4)
        + 45 * np.sin(5.3 * x + 1.7)
        + 14 * np.sin(17.0 * x)
        + 6 * np.sin(41.0 * x + 2.0)
    )
