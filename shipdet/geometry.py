"""Bounding boxes, the Web Mercator tile grid, ground sample distance and oriented boxes.

Depends on numpy only. Longitudes and latitudes are degrees (WGS 84), map coordinates are EPSG:3857
meters, ``x`` counts pixels to the right and ``y`` down. Integer coordinates are pixel corners: the
center of the first pixel is (0.5, 0.5).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from shipdet.errors import BadArea

Floats = npt.NDArray[np.float64]

TILE_PX = 256
EARTH_RADIUS_M = 6378137.0  # WGS 84 semi-major axis, the sphere of EPSG:3857
MERCATOR_HALF_M = math.pi * EARTH_RADIUS_M
MAX_LATITUDE = 85.0511287798066  # edge of the Web Mercator square: atan(sinh(pi))
MEAN_RADIUS_M = 6371008.8  # IUGG mean Earth radius, for distances on the ground


@dataclass(frozen=True, slots=True)
class BBox:
    """A box in degrees.

    Longitudes beyond ±180 degrees, as from a map that is scrolled across the antimeridian, are
    shifted by multiples of 360 degrees.

    Attributes:
        west: Western longitude, less than ``east``.
        south: Southern latitude, less than ``north``.
        east: Eastern longitude.
        north: Northern latitude.

    Raises:
        BadArea: The numbers are not a box on the Web Mercator map, or it crosses the antimeridian.

    Example:
        >>> BBox(4.0, 51.0, 5.0, 52.0).center
        (4.5, 51.5)
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        values = self.as_tuple()
        if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
            raise BadArea("West, south, east and north must be four numbers in degrees.")
        check_degrees(values)
        if not (-540 <= self.west <= 540 and -540 <= self.east <= 540):
            raise BadArea("Longitudes must lie between -180 and 180 degrees.")
        self._wrap_longitudes()
        if not (-90 <= self.south <= 90 and -90 <= self.north <= 90):
            raise BadArea("Latitudes must lie between -90 and 90 degrees.")
        if self.west == self.east or self.south == self.north:
            raise BadArea("The area is empty: draw a rectangle or give four different edges.")
        if self.south > self.north:
            raise BadArea(
                f"South ({self.south:g}) is greater than north ({self.north:g}): swap the two."
            )
        if self.west > self.east:
            raise BadArea(
                f"West ({self.west:g}) is greater than east ({self.east:g}): swap the two, or "
                "split an area that crosses the antimeridian (180 degrees) into two areas."
            )
        if self.south < -MAX_LATITUDE or self.north > MAX_LATITUDE:
            raise BadArea(
                f"Map tiles end at {MAX_LATITUDE:.2f} degrees of latitude: choose an area nearer "
                "to the equator."
            )

    def _wrap_longitudes(self) -> None:
        """Shift a box from another copy of the world to -180 to 180 degrees.

        Raises:
            BadArea: The box crosses the antimeridian.
        """
        if not 0 < self.east - self.west <= 360:
            if not (-180 <= self.west <= 180 and -180 <= self.east <= 180):
                raise BadArea("Longitudes must lie between -180 and 180 degrees.")
            return
        turns = math.floor((self.west + 180) / 360)
        west, east = self.west - 360 * turns, self.east - 360 * turns
        if east > 180:
            raise BadArea(
                f"The area crosses the antimeridian (180 degrees): split it into {west:.7g} to "
                f"180 and -180 to {east - 360:.7g}."
            )
        if turns:
            object.__setattr__(self, "west", west)
            object.__setattr__(self, "east", east)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``west,south,east,north``, separated by commas or spaces.

        Raises:
            BadArea: The text is not four numbers, or they are not a box.
        """
        return cls(*four_numbers(text))

    def as_tuple(self) -> tuple[float, float, float, float]:
        """(west, south, east, north)."""
        return self.west, self.south, self.east, self.north

    @property
    def center(self) -> tuple[float, float]:
        """Longitude and latitude of the center."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2

    @property
    def area_km2(self) -> float:
        """Area on the sphere in square kilometers: R^2 * dlon * (sin n - sin s)."""
        band = math.sin(math.radians(self.north)) - math.sin(math.radians(self.south))
        return float(math.radians(self.east - self.west) * band * MEAN_RADIUS_M**2 / 1e6)


def four_numbers(text: str) -> tuple[float, float, float, float]:
    """Read west, south, east and north, without checking that they are a box.

    Raises:
        BadArea: The text is not four numbers.
    """
    try:
        west, south, east, north = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise BadArea(
            f"'{text[:60]}' is not four numbers: give west, south, east, north in degrees."
        ) from None
    return west, south, east, north


def check_degrees(values: Iterable[float]) -> None:
    """Check that no coordinate is too large to be in degrees.

    Raises:
        BadArea: A coordinate is; the message names the usual cause.
    """
    if max(map(abs, values)) > 1000:
        raise BadArea(
            "The coordinates look projected, in meters: convert them to degrees of longitude and "
            "latitude (WGS 84)."
        )


def near_longitude(lon: npt.ArrayLike, reference: float) -> Floats:
    """Shift longitudes by multiples of 360 to within 180 degrees of a reference."""
    return np.asarray(reference + (np.asarray(lon, np.float64) - reference + 180.0) % 360.0 - 180.0)


def wrap_longitude(lon: npt.ArrayLike) -> Floats:
    """Wrap longitudes to -180 to 180 degrees; values in this range are returned unchanged."""
    degrees = np.asarray(lon, np.float64)
    return np.where(np.abs(degrees) > 180.0, (degrees + 180.0) % 360.0 - 180.0, degrees)


def gsd_at(latitude: float, zoom: int) -> float:
    """Return the meters per pixel of a 256-px Web Mercator tile at a latitude and zoom."""
    circumference_m = 2 * MERCATOR_HALF_M
    return circumference_m * math.cos(math.radians(latitude)) / (TILE_PX * 2.0**zoom)


def lonlat_to_pixel(lonlat: npt.ArrayLike, zoom: int) -> Floats:
    """Convert longitude/latitude (..., 2) to global pixel coordinates (..., 2) of a zoom level."""
    points = np.asarray(lonlat, dtype=np.float64)
    size = TILE_PX * 2.0**zoom
    phi = np.radians(points[..., 1])
    x = (points[..., 0] + 180.0) / 360.0 * size
    y = (1.0 - np.arcsinh(np.tan(phi)) / np.pi) / 2.0 * size
    return np.stack([x, y], axis=-1)


def pixel_to_lonlat(xy: npt.ArrayLike, zoom: int) -> Floats:
    """Convert global pixel coordinates (..., 2) of a zoom level to longitude/latitude (..., 2)."""
    points = np.asarray(xy, dtype=np.float64)
    size = TILE_PX * 2.0**zoom
    lon = points[..., 0] / size * 360.0 - 180.0
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * points[..., 1] / size))))
    return np.stack([lon, lat], axis=-1)


class PixelBox(NamedTuple):
    """A rectangle of whole pixels, right and bottom exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0


def pixel_box(bbox: BBox, zoom: int) -> PixelBox:
    """Return the global pixels of a zoom level that the box touches, at least 1 x 1."""
    corners = np.array([[bbox.west, bbox.north], [bbox.east, bbox.south]])
    (x0, y0), (x1, y1) = lonlat_to_pixel(corners, zoom)
    # The tolerance keeps an edge that lies on a pixel border from adding a pixel.
    left, top = math.floor(x0 + 1e-6), math.floor(y0 + 1e-6)
    return PixelBox(
        left, top, max(left + 1, math.ceil(x1 - 1e-6)), max(top + 1, math.ceil(y1 - 1e-6))
    )


def tiles_of(box: PixelBox) -> list[tuple[int, int]]:
    """List (x, y) of the 256-px tiles that cover a box of global pixels, row by row."""
    xs = range(box.x0 // TILE_PX, (box.x1 - 1) // TILE_PX + 1)
    ys = range(box.y0 // TILE_PX, (box.y1 - 1) // TILE_PX + 1)
    return [(x, y) for y in ys for x in xs]


def mercator_to_lonlat(xy: Floats) -> Floats:
    """Convert EPSG:3857 meters (..., 2) to longitude/latitude (..., 2)."""
    lon = np.degrees(xy[..., 0] / EARTH_RADIUS_M)
    lat = np.degrees(np.arctan(np.sinh(xy[..., 1] / EARTH_RADIUS_M)))
    return np.stack([lon, lat], axis=-1)


Affine = tuple[float, float, float, float, float, float]
ToLonLat = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Grid:
    """The size, georeference and ground sample distance of an image.

    Attributes:
        width: Columns.
        height: Rows.
        gsd_x_m: Ground meters per pixel along a row.
        gsd_y_m: Ground meters per pixel along a column.
        crs: Coordinate reference system; None for an image with a scale but no georeference.
        transform: (a, b, c, d, e, f): map x = a*x + b*y + c, map y = d*x + e*y + f.
        to_wgs84: Converts map coordinates (n, 2) to longitude/latitude (n, 2).
    """

    width: int
    height: int
    gsd_x_m: float
    gsd_y_m: float
    crs: str | None = None
    transform: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    to_wgs84: ToLonLat | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_tiles(cls, box: PixelBox, zoom: int) -> Self:
        """Build the grid of a mosaic that covers a box of global Web Mercator pixels."""
        pixel_m = 2 * MERCATOR_HALF_M / (TILE_PX * 2**zoom)
        west = box.x0 * pixel_m - MERCATOR_HALF_M
        north = MERCATOR_HALF_M - box.y0 * pixel_m
        middle = pixel_to_lonlat([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2], zoom)
        gsd_m = gsd_at(float(middle[1]), zoom)
        return cls(
            box.width,
            box.height,
            gsd_m,
            gsd_m,
            "EPSG:3857",
            (pixel_m, 0.0, west, 0.0, -pixel_m, north),
            mercator_to_lonlat,
        )

    @property
    def gsd_m(self) -> float:
        """Ground meters per pixel, the geometric mean of both directions."""
        return math.sqrt(self.gsd_x_m * self.gsd_y_m)

    @property
    def georeferenced(self) -> bool:
        """Whether pixels have a longitude and latitude."""
        return self.to_wgs84 is not None

    def scaled(self, width: int, height: int) -> "Grid":
        """Return the grid of the same ground with a different number of pixels."""
        sx, sy = self.width / width, self.height / height
        a, b, c, d, e, f = self.transform
        return replace(
            self,
            width=width,
            height=height,
            gsd_x_m=self.gsd_x_m * sx,
            gsd_y_m=self.gsd_y_m * sy,
            transform=(a * sx, b * sy, c, d * sx, e * sy, f),
        )

    def lonlat(self, xy: npt.ArrayLike) -> Floats:
        """Convert pixel coordinates (n, 2) to longitude/latitude (n, 2).

        Longitudes are from -180 to 180, so they jump by 360 across the antimeridian.

        Raises:
            ValueError: The grid has no georeference.
        """
        if self.to_wgs84 is None:
            raise ValueError("the grid has no georeference")
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        a, b, c, d, e, f = self.transform
        mapped = np.stack(
            [
                a * points[:, 0] + b * points[:, 1] + c,
                d * points[:, 0] + e * points[:, 1] + f,
            ],
            axis=-1,
        )
        lonlat = self.to_wgs84(mapped)
        lonlat[:, 0] = wrap_longitude(lonlat[:, 0])
        return lonlat


def bearing_deg(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the initial bearing from lon/lat a to b, 0 to 360 degrees clockwise from north."""
    (lon0, lat0), (lon1, lat1) = np.radians(np.asarray([a, b], dtype=np.float64))
    east = math.sin(lon1 - lon0) * math.cos(lat1)
    north = math.cos(lat0) * math.sin(lat1) - math.sin(lat0) * math.cos(lat1) * math.cos(
        lon1 - lon0
    )
    return math.degrees(math.atan2(east, north)) % 360.0


def distance_m(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Return the great-circle distance between lon/lat arrays (..., 2) in meters (haversine)."""
    p, q = np.radians(np.asarray(a, np.float64)), np.radians(np.asarray(b, np.float64))
    half = (q - p) / 2
    h = (
        np.sin(half[..., 1]) ** 2
        + np.cos(p[..., 1]) * np.cos(q[..., 1]) * np.sin(half[..., 0]) ** 2
    )
    return np.asarray(2 * MEAN_RADIUS_M * np.arcsin(np.sqrt(np.clip(h, 0.0, 1.0))))


def rectangle(center: tuple[float, float], length: float, width: float, axis_deg: float) -> Floats:
    """Return the corners of an oriented box.

    Args:
        center: (x, y), with y down.
        length: Extent along the axis, in the unit of ``center``.
        width: Extent across the axis, in the same unit.
        axis_deg: Direction of the axis, degrees clockwise from up.

    Returns:
        float64 (4, 2): bow-left, bow-right, stern-right, stern-left.
    """
    theta = math.radians(axis_deg)
    along = np.array([math.sin(theta), -math.cos(theta)]) * length / 2
    across = np.array([math.cos(theta), math.sin(theta)]) * width / 2
    middle = np.asarray(center, dtype=np.float64)
    return np.stack(
        [
            middle + along - across,
            middle + along + across,
            middle - along + across,
            middle - along - across,
        ]
    )
