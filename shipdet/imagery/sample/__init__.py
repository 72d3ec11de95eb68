"""A synthetic harbor as map tiles, with known ships, for use without a network.

It is labeled as synthetic wherever it is shown, and lies in the open ocean near Null Island, at
zoom 10 to 18. The training code of this project drew the image and wrote its ground truth.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from shipdet.geometry import TILE_PX, BBox, pixel_to_lonlat
from shipdet.imagery.tile_png import tile_png

MIN_ZOOM, MAX_ZOOM = 10, 18
#: Acquisition time that the sample states.
ACQUIRED = "2024-06-07T10:30:00Z"
#: AIS file made from the ground truth: one ship is missing, one reports a wrong position, and one
#: reports a position without a ship.
AIS_FILE = Path(__file__).with_name("ais.csv")
MARGIN_PX = 4  # around an enlarged tile, so that there are no seams between tiles

__all__ = ["ACQUIRED", "AIS_FILE", "MAX_ZOOM", "MIN_ZOOM", "Ship", "bbox", "tile", "truth"]


@dataclass(frozen=True, slots=True)
class Ship:
    """The ground truth of a ship in the sample.

    Attributes:
        lon, lat: Center in degrees.
        length_m, width_m: Size of the hull in meters.
        heading_deg: Direction of the bow, clockwise from north.
        axis_deg: Direction of the axis, 0 to 180.
        kind: Type of ship.
        state: Whether it is at a quay, at anchor or under way.
    """

    lon: float
    lat: float
    length_m: float
    width_m: float
    heading_deg: float
    axis_deg: float
    kind: Literal["container", "tanker", "bulk", "cargo", "ferry", "tug", "fishing", "patrol"]
    state: Literal["moored", "anchored", "moving"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Position of the image, in global pixels of its zoom."""

    zoom: int
    left: int
    top: int
    width: int
    height: int


def bbox() -> BBox:
    """Return the bounding box of the scene."""
    place = _place()
    right, bottom = place.left + place.width, place.top + place.height
    corners = pixel_to_lonlat([[place.left, place.top], [right, bottom]], place.zoom)
    (west, north), (east, south) = corners.tolist()
    return BBox(west, south, east, north)


@lru_cache(maxsize=1)
def truth() -> tuple[Ship, ...]:
    """Return all ships of the scene."""
    return tuple(Ship(**ship) for ship in _file()["ships"])


def tile(z: int, x: int, y: int) -> bytes | None:
    """Return a 256-px PNG tile (x to the east, y to the south), or None outside the sample.

    Any integers are safe. Pixels outside the scene are transparent.
    """
    if not MIN_ZOOM <= z <= MAX_ZOOM or not _touches(z, x, y):
        return None
    return tile_png(*_cut(_scene(), z, x, y))


@lru_cache(maxsize=1)
def _file() -> dict[str, Any]:
    text = Path(__file__).with_name("harbor.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@lru_cache(maxsize=1)
def _place() -> _Place:
    facts = _file()
    return _Place(*(facts[k] for k in ("zoom", "left_px", "top_px", "width_px", "height_px")))


@lru_cache(maxsize=1)
def _scene() -> npt.NDArray[np.uint8]:
    """Return the image (height, width, 3), 38 MB."""
    import cv2

    data = np.frombuffer(Path(__file__).with_name("harbor.jpg").read_bytes(), np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert bgr is not None, "a file of the package is damaged"
    return np.ascontiguousarray(bgr[..., ::-1])


def _touches(z: int, x: int, y: int) -> bool:
    if not (0 <= x < 2**z and 0 <= y < 2**z):  # URLs may contain integers of any size
        return False
    place = _place()
    size = TILE_PX * 2.0 ** (place.zoom - z)
    return (
        (x + 1) * size > place.left
        and x * size < place.left + place.width
        and (y + 1) * size > place.top
        and y * size < place.top + place.height
    )


def _cut(
    scene: npt.NDArray[np.uint8], z: int, x: int, y: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Cut pixels (256, 256, 3) and coverage of a tile, averaged or enlarged from the scene."""
    import cv2

    place = _place()
    pixels = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    covered = np.zeros((TILE_PX, TILE_PX), np.bool_)
    if z > place.zoom:
        factor = 2 ** (z - place.zoom)
        side = TILE_PX // factor
        left, top = x * side - place.left - MARGIN_PX, y * side - place.top - MARGIN_PX
        # Repeats the edge of the scene in a margin beyond it.
        rows = np.clip(np.arange(top, top + side + 2 * MARGIN_PX), 0, place.height - 1)
        columns = np.clip(np.arange(left, left + side + 2 * MARGIN_PX), 0, place.width - 1)
        around = np.ascontiguousarray(scene[rows][:, columns])
        large = cv2.resize(around, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        margin = MARGIN_PX * factor
        pixels[:] = large[margin:-margin, margin:-margin]
        covered[:] = True
        return pixels, covered
    factor = 2 ** (place.zoom - z)  # the scene's corner is a whole pixel of every zoom
    left, top = place.left // factor - x * TILE_PX, place.top // factor - y * TILE_PX
    x0, x1 = max(left, 0), min(left + place.width // factor, TILE_PX)
    y0, y1 = max(top, 0), min(top + place.height // factor, TILE_PX)
    part = scene[
        (y0 - top) * factor : (y1 - top) * factor, (x0 - left) * factor : (x1 - left) * factor
    ]
    pixels[y0:y1, x0:x1] = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    covered[y0:y1, x0:x1] = True
    return pixels, covered
