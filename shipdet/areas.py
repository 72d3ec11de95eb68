"""A job's area: a box or polygons in degrees, read from WKT or GeoJSON."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shipdet.errors import BadArea
from shipdet.geometry import BBox, Floats

MAX_VERTICES = 10_000
AT_ONCE = 1_000_000  # pairs of a place and an edge that are held in memory
MAX_WKT = 256 * 1024  # characters: no message may be longer
# Written so that nothing matches in two ways: a hostile text of any length is read in one pass.
_NUMBER = r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d{1,3})?"
_POINT = re.compile(rf"\s*({_NUMBER})\s+({_NUMBER})(?:\s+{_NUMBER}){{0,2}}\s*")
_SHAPE = re.compile(r"\s*(?:MULTI)?POLYGON\s*(?:(?:ZM?|M)\s*)?\([^A-DF-Z]*\)\s*", re.IGNORECASE)

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Area:
    """An area of interest.

    ``rings`` are closed lines of (longitude, latitude) in degrees; a place is inside when an odd
    number of them goes around it. None of them: the whole box.
    """

    box: BBox
    rings: tuple[Ring, ...] = ()

    def contains(self, lonlat: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether places (n, 2) in degrees are inside, bool (n,)."""
        points = np.asarray(lonlat, np.float64).reshape(-1, 2)
        if not self.rings:
            west, south, east, north = self.box.as_tuple()
            x, y = points.T
            return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))
        inside = np.zeros(len(points), np.bool_)
        for ring in self.rings:
            (x0, y0), (x1, y1) = _ends(ring)
            step = max(1, AT_ONCE // len(x0))
            for part in (slice(n, n + step) for n in range(0, len(points), step)):
                px, py = points[part, 0, None], points[part, 1, None]
                spans = (y0 > py) != (y1 > py)
                with np.errstate(divide="ignore", invalid="ignore"):
                    crosses = spans & (px < (x1 - x0) * (py - y0) / (y1 - y0) + x0)
                inside[part] ^= crosses.sum(axis=1) % 2 == 1
        return inside

    def touches(self, box: BBox) -> bool:
        """Whether the area and a box have anything in common."""
        west, south, east, north = box.as_tuple()
        if not self.rings:
            own = self.box
            return own.west < east and own.east > west and own.south < north and own.north > south
        corners = [(west, south), (west, north), (east, south), (east, north)]
        return bool(self.contains(corners).any()) or any(_crosses(r, box) for r in self.rings)


def parse_area(value: object) -> Area:
    """Read ``[west, south, east, north]``, a WKT or a GeoJSON (multi)polygon.

    Raises :class:`~shipdet.errors.BadArea`.
    """
    if isinstance(value, str):
        return parse_wkt(value)
    if isinstance(value, dict):
        return parse_geojson(value)
    if isinstance(value, list | tuple) and len(value) == 4:
        try:
            west, south, east, north = (_number(side) for side in value)
        except (TypeError, OverflowError):  # no number, or an integer of hundreds of digits
            raise BadArea("West, south, east and north must be four numbers in degrees.") from None
        return Area(BBox(west, south, east, north))
    raise BadArea(
        "An area is four numbers (west, south, east, north), a WKT polygon or a GeoJSON polygon."
    )


def parse_wkt(text: str) -> Area:
    """Read ``POLYGON ((lon lat, ...))`` or ``MULTIPOLYGON``; raises BadArea."""
    if len(text) > MAX_WKT:
        raise BadArea(f"The WKT has more than {MAX_WKT:,} characters: simplify its polygon.")
    body = re.sub(r"^\s*SRID=4326;", "", text, flags=re.IGNORECASE)
    if _SHAPE.fullmatch(body) is None:
        raise BadArea(f"'{text[:60]}' is not a WKT POLYGON or MULTIPOLYGON.")
    rings = []
    for ring in re.findall(r"\(([^()]*)\)", body):
        points = [_POINT.fullmatch(point) for point in ring.split(",")]
        if None in points:
            raise BadArea(f"'{ring[:60]}' is not a list of longitudes and latitudes.")
        rings.append([(float(p[1]), float(p[2])) for p in points if p is not None])
    return _area(rings)


def parse_geojson(value: dict[str, Any]) -> Area:
    """Read a GeoJSON Polygon, MultiPolygon, or a Feature of one; raises BadArea."""
    if value.get("type") == "Feature":
        value = value.get("geometry") or {}
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise BadArea("A GeoJSON area must be a Polygon or a MultiPolygon.")
    parts = value.get("coordinates")
    try:
        polygons: Any = parts if kind == "MultiPolygon" else [parts]
        rings = [
            [(_number(point[0]), _number(point[1])) for point in ring]
            for polygon in polygons
            for ring in polygon
        ]
    except (TypeError, KeyError, IndexError, ValueError, OverflowError):
        raise BadArea("The GeoJSON polygon has no proper list of coordinates.") from None
    return _area(rings)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return float(value)


def _area(rings: Sequence[Sequence[tuple[float, float]]]) -> Area:
    points = [point for ring in rings for point in ring]
    if len(points) > MAX_VERTICES:
        raise BadArea(
            f"The polygon has {len(points):,} corners: simplify it to {MAX_VERTICES:,} at most."
        )
    if not rings or any(len(set(ring)) < 3 for ring in rings):
        raise BadArea("A polygon needs rings of at least three different corners.")
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in points):
        raise BadArea("A polygon's corners must be finite numbers in degrees.")
    xs, ys = zip(*points, strict=True)
    closed = tuple(tuple(ring) if ring[0] == ring[-1] else (*ring, ring[0]) for ring in rings)
    return Area(BBox(min(xs), min(ys), max(xs), max(ys)), closed)


def _ends(ring: Ring) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """x and y of the beginnings and the ends of a ring's edges, each (n,)."""
    points = np.array(ring, np.float64)
    return (points[:-1, 0], points[:-1, 1]), (points[1:, 0], points[1:, 1])


def _crosses(ring: Ring, box: BBox) -> bool:
    """Whether any edge of a ring has a part inside the box (Liang and Barsky, 1984)."""
    (x0, y0), (x1, y1) = _ends(ring)
    enter, leave = np.zeros(len(x0)), np.ones(len(x0))
    possible = np.ones(len(x0), np.bool_)
    dx, dy = x1 - x0, y1 - y0
    for p, q in (
        (-dx, x0 - box.west),
        (dx, box.east - x0),
        (-dy, y0 - box.south),
        (dy, box.north - y0),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            t = q / p
        enter = np.where(p < 0, np.maximum(enter, t), enter)
        leave = np.where(p > 0, np.minimum(leave, t), leave)
        possible &= ~((p == 0) & (q < 0))
    return bool((possible & (enter <= leave)).any())
