"""An area of interest: a box or polygons in degrees, read from WKT or GeoJSON."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import shapely

from shipdet.errors import BadArea
from shipdet.geometry import BBox, check_degrees

MAX_VERTICES = 10_000
MAX_WKT = 256 * 1024  # characters: the longest job message
SLIVER_DEG = 1e-6  # 0.1 m: a narrower part beyond the antimeridian is a rounding error

_WKT = re.compile(r"\s*(?:SRID=4326;)?\s*((?:MULTI)?POLYGON\b.*)", re.IGNORECASE | re.DOTALL)

Polygons: TypeAlias = shapely.Polygon | shapely.MultiPolygon


@dataclass(frozen=True)
class Area:
    """An area of interest.

    Attributes:
        box: The bounding box, in degrees.
        polygon: The polygons, in degrees; None for the whole box. A point is inside if any
            polygon contains it, even where polygons overlap. Where a polygon crosses itself, the
            even-odd rule applies.
    """

    box: BBox
    polygon: Polygons | None = None

    def contains(self, lonlat: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Test which points are inside.

        Args:
            lonlat: Longitudes and latitudes in degrees, (n, 2).

        Returns:
            bool (n,); a point on the border is inside.
        """
        x, y = np.asarray(lonlat, np.float64).reshape(-1, 2).T
        if self.polygon is None:
            west, south, east, north = self.box.as_tuple()
            return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))
        inside = np.zeros(len(x), np.bool_)
        for part in self._pieces:
            inside |= shapely.intersects_xy(part, x, y)
        return inside

    @property
    def parts(self) -> list[BBox]:
        """The bounding box of each polygon; an area split at the antimeridian has two."""
        if self.polygon is None:
            return [self.box]
        bounds = [tuple(map(float, p.bounds)) for p in shapely.get_parts(self.polygon)]
        return [BBox(*b) for b in bounds if b[0] < b[2] and b[1] < b[3]] or [self.box]

    @property
    def shape(self) -> Polygons:
        """The polygons, or the box as a polygon, in degrees."""
        return shapely.box(*self.box.as_tuple()) if self.polygon is None else self.polygon

    def touches(self, box: BBox) -> bool:
        """Whether the area and a box intersect."""
        return bool(shapely.intersects(self._pieces, shapely.box(*box.as_tuple())).any())

    @cached_property
    def _pieces(self) -> npt.NDArray[np.object_]:
        """The polygons, prepared: unprepared ones fail on rings that cross themselves."""
        pieces = _pieces_of(self.shape)
        shapely.prepare(pieces)
        return pieces


def _pieces_of(shape: Polygons) -> npt.NDArray[np.object_]:
    """Split a multipolygon whose polygons overlap; return other shapes whole.

    In one multipolygon, the even-odd rule would exclude the overlap.
    """
    if isinstance(shape, shapely.Polygon) or shape.is_valid:
        return np.array([shape], np.object_)
    return np.asarray(shapely.get_parts(shape), np.object_)


def parse_area(value: object) -> Area:
    """Read an area.

    Args:
        value: ``[west, south, east, north]`` in degrees, a WKT (multi)polygon, or a GeoJSON
            Polygon, MultiPolygon or Feature as a dictionary.

    Returns:
        The area.

    Raises:
        BadArea: The value has another form, or the area is empty.

    Example:
        >>> parse_area([4.0, 51.9, 4.2, 52.0]).box.area_km2 > 100
        True
    """
    if isinstance(value, str):
        return parse_wkt(value)
    if isinstance(value, dict):
        return parse_geojson(value)
    if isinstance(value, list | tuple) and len(value) == 4:
        try:
            west, south, east, north = (_number(side) for side in value)
        except (TypeError, OverflowError):  # not a number, or an integer of hundreds of digits
            raise BadArea("West, south, east and north must be four numbers in degrees.") from None
        return Area(BBox(west, south, east, north))
    raise BadArea(
        "An area is four numbers (west, south, east, north), a WKT polygon or a GeoJSON polygon."
    )


def parse_areas(value: object) -> list[Area]:
    """Read an area that may cross the antimeridian or lie on another copy of the world.

    A box crosses the antimeridian if its west exceeds its east by more than 180 degrees, as in RFC
    7946. An edge of a polygon does so if its ends are more than 180 degrees apart.

    Args:
        value: As for :func:`parse_area`, with longitudes of -540 to 540 degrees.

    Returns:
        One area, or one on each side of the antimeridian, from -180 to 180 degrees.

    Raises:
        BadArea: As for :func:`parse_area`, or the area spans 360 degrees or more.

    Example:
        >>> [area.box.as_tuple() for area in parse_areas([179.5, -17, -179.5, -16])]
        [(179.5, -17.0, 180.0, -16.0), (-180.0, -17.0, -179.5, -16.0)]
    """
    if isinstance(value, list | tuple) and len(value) == 4:
        try:
            west, south, east, north = (_number(side) for side in value)
        except (TypeError, OverflowError):
            return [parse_area(value)]
        if west - east > 180:
            east += 360
        inside = west >= -180 and east <= 180
        if inside or not (west < east and south < north):
            return [parse_area([west, south, east, north])]
        return [Area(box) for box in _wrapped(shapely.box(west, south, east, north), boxes=True)]
    shape = _shape(value)
    if shape is None or shape.is_empty:
        return [parse_area(value)]
    west, _, east, _ = shape.bounds
    if west < -180 or east > 180:
        return [_area(part) for part in _wrapped(shape)]
    parts = shapely.get_parts(shape).tolist()
    if east - west <= 180 or any(np.ptp(part.bounds[::2]) > 180 for part in parts):
        return [_area(shape)]
    # The polygons are already split at the antimeridian, as RFC 7946 recommends.
    sides = ([p for p in parts if p.bounds[0] >= 0], [p for p in parts if p.bounds[0] < 0])
    return [_area(shapely.MultiPolygon(side)) for side in sides if side]


def boxes_of(area: BBox | Sequence[float]) -> list[BBox]:
    """Return the boxes of an area: one, or one on each side of the antimeridian.

    Args:
        area: A box, or west, south, east and north as for :func:`parse_areas`.

    Raises:
        BadArea: As for :func:`parse_areas`.
    """
    return [area] if isinstance(area, BBox) else [part.box for part in parse_areas(list(area))]


#: Largest number of characters in the name of a run or a job.
MAX_NAME = 64

#: Names of the parts of an area that crosses the antimeridian.
SIDES = ("eastern-hemisphere", "western-hemisphere")


def named_areas(value: object, name: str = "") -> list[tuple[str, Area]]:
    """Read an area as :func:`parse_areas` does, and name its parts.

    Args:
        value: As for :func:`parse_areas`.
        name: The name of the area; may be empty.

    Returns:
        The area with its name, or one named area on each side of the antimeridian.

    Raises:
        BadArea: As for :func:`parse_areas`.

    Example:
        >>> [part for part, _ in named_areas([179.5, -17, 180.5, -16], "taveuni")]
        ['taveuni-eastern-hemisphere', 'taveuni-western-hemisphere']
    """
    areas = parse_areas(value)
    if len(areas) == 1:
        return [(name, areas[0])]
    return [
        ("-".join(filter(None, (name, side))), area)
        for side, area in zip(SIDES, areas, strict=False)
    ]


def _shape(value: object) -> Polygons | None:
    """Return the unchecked polygons of WKT or GeoJSON; None for other values."""
    if isinstance(value, str):
        return _unwrapped(_wkt_shape(value))
    return _unwrapped(geojson_polygons(value)) if isinstance(value, dict) else None


@overload
def _wrapped(shape: Polygons, *, boxes: Literal[True]) -> list[BBox]: ...
@overload
def _wrapped(shape: Polygons) -> list[Polygons]: ...
def _wrapped(shape: Polygons, *, boxes: bool = False) -> list[BBox] | list[Polygons]:
    """Split polygons by copy of the world and move each part to -180 to 180 degrees."""
    west, _, east, _ = shape.bounds
    check_degrees(shape.bounds)
    if not (west >= -540 and east <= 540 and east - west < 360):
        raise BadArea("Longitudes must lie between -540 and 540 degrees, less than 360 apart.")
    valid = shapely.union_all(shapely.make_valid(_pieces_of(shape)))
    parts: list[Polygons] = []
    for turn in range(math.floor((west + 180) / 360), math.floor((east + 180) / 360) + 1):
        world = shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)
        flat = shapely.get_parts(shapely.intersection(valid, world)).tolist()
        polygons = [part for part in flat if isinstance(part, shapely.Polygon) and part.area > 0]
        if polygons:
            whole = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
            parts.append(shapely.transform(whole, lambda xy, turn=turn: xy - [360 * turn, 0]))
    parts = [part for part in parts if np.ptp(part.bounds[::2]) > SLIVER_DEG] or parts
    return [BBox(*map(float, part.bounds)) for part in parts] if boxes else parts


def is_wkt(text: str) -> bool:
    """Whether a text begins like the WKT of polygons; the rest is not checked."""
    return re.match(r"\s*(?:SRID=\d+;)?\s*(?:MULTI)?POLYGON\b", text, re.IGNORECASE) is not None


def parse_wkt(text: str) -> Area:
    """Read ``POLYGON ((lon lat, ...))`` or ``MULTIPOLYGON``, with or without ``SRID=4326;``.

    Raises:
        BadArea: The text is longer than ``MAX_WKT``, or is not a polygon.
    """
    return _area(_unwrapped(_wkt_shape(text)))


def parse_geojson(value: dict[str, Any]) -> Area:
    """Read a GeoJSON Polygon, MultiPolygon, or a Feature of one.

    Raises:
        BadArea: The value has another type, or its coordinates are not lists of numbers.
    """
    return _area(_unwrapped(geojson_polygons(value)))


def _wkt_shape(text: str) -> Polygons:
    if len(text) > MAX_WKT:
        raise BadArea(f"The WKT has more than {MAX_WKT:,} characters: simplify its polygon.")
    begins = " ".join(text[:60].split())
    refusal = f"'{begins}' is not a WKT POLYGON or MULTIPOLYGON of longitudes and latitudes."
    found = _WKT.fullmatch(text)  # keeps deeply nested collections from GEOS
    if found is None:
        raise BadArea(refusal)
    with np.errstate(all="ignore"):  # out-of-range numbers become infinite; checked later
        shape = shapely.from_wkt(found[1], on_invalid="fix")  # closes rings
    if not isinstance(shape, Polygons):
        raise BadArea(refusal)
    return shape


def geojson_polygons(value: dict[str, Any]) -> Polygons:
    """Build the polygons of a GeoJSON Polygon, MultiPolygon or Feature, in any coordinates.

    Raises:
        BadArea: As for :func:`parse_geojson`.
    """
    if value.get("type") == "Feature":
        value = value.get("geometry") or {}
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise BadArea("A GeoJSON area must be a Polygon or a MultiPolygon.")
    parts = value.get("coordinates")
    try:
        polygons: Any = parts if kind == "MultiPolygon" else [parts]
        rings = [
            [[(_number(point[0]), _number(point[1])) for point in ring] for ring in polygon]
            for polygon in polygons
        ]
    except (TypeError, KeyError, IndexError, ValueError, OverflowError):
        raise BadArea("The GeoJSON polygon has no valid list of coordinates.") from None
    return polygon_of_rings(rings)


def polygon_of_rings(polygons: Sequence[Sequence[Sequence[tuple[float, float]]]]) -> Polygons:
    """Build polygons from rings, the outer ring first; open rings are closed.

    Raises:
        BadArea: A ring has fewer than three different corners.
    """
    if not all(rings and all(len(set(ring)) >= 3 for ring in rings) for rings in polygons):
        raise BadArea("A polygon needs rings of at least three different corners.")
    shapes = [shapely.Polygon(rings[0], rings[1:]) for rings in polygons]
    return shapes[0] if len(shapes) == 1 else shapely.MultiPolygon(shapes)


def _unwrapped(shape: Polygons) -> Polygons:
    """Unwrap polygons whose edges jump by more than 180 degrees of longitude.

    All rings move to the same copy of the world. Rings around a pole do not change.
    """
    corners = shapely.get_coordinates(shape)
    if len(corners) > MAX_VERTICES or not np.isfinite(corners).all():
        return shape  # _area raises the error
    parts = shapely.get_parts(shape)
    given = [shapely.get_coordinates(ring) for ring in shapely.get_rings(parts)]
    changed = [new for old in given if (new := _continuous(old)) is not old]
    if not changed:
        return shape

    def near(ring: shapely.LinearRing) -> npt.NDArray[np.float64]:
        lonlat = _continuous(shapely.get_coordinates(ring))
        turns = np.round((changed[0][:, 0].mean() - lonlat[:, 0].mean()) / 360)
        return np.add(lonlat, [360 * turns, 0])

    polygons = [shapely.Polygon(near(p.exterior), [near(r) for r in p.interiors]) for p in parts]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _continuous(lonlat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Move the corners of a ring by 360 degrees so that no edge jumps by more than 180 degrees."""
    turns = np.cumsum(np.round(np.diff(lonlat[:, 0], prepend=lonlat[0, 0]) / 360))
    longitudes = lonlat[:, 0] - 360 * turns
    if not turns.any() or turns[-1] or not np.ptp(longitudes):  # no jump, a pole, all longitudes
        return lonlat
    return np.column_stack([longitudes, lonlat[:, 1]])


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("not a number")
    return float(value)


def _area(shape: Polygons) -> Area:
    corners = shapely.get_coordinates(shape)
    if len(corners) > MAX_VERTICES:
        raise BadArea(
            f"The polygon has {len(corners):,} corners: simplify it to {MAX_VERTICES:,} at most."
        )
    if not np.isfinite(corners).all():
        raise BadArea("A polygon's corners must be finite numbers in degrees.")
    rings = shapely.get_rings(shapely.get_parts(shape))
    if not len(rings) or any(len(np.unique(r.coords, axis=0)) < 3 for r in rings):
        raise BadArea("A polygon needs rings of at least three different corners.")
    box = BBox(*map(float, shape.bounds))
    shift = box.west - shape.bounds[0]  # 0, except on another copy of the world
    return Area(box, shapely.transform(shapely.force_2d(shape), lambda xy: np.add(xy, [shift, 0])))
