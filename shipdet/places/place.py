"""A place: a point, and the part of the map that shows it."""

import math
from dataclasses import dataclass
from typing import Literal, Self

from shipdet.errors import BadArea, BadPlace
from shipdet.geometry import (
    MAX_LATITUDE,
    TILE_PX,
    BBox,
    check_degrees,
    lonlat_to_pixel,
    pixel_to_lonlat,
    wrap_longitude,
)

#: Assumed size of a map on a page in pixels, to convert between zoom and area.
VIEW_PX = (1024, 768)
#: Zoom for a pair of coordinates: the map shows about 10 km.
POINT_ZOOM = 14
#: Highest zoom of tile services.
MAX_ZOOM = 22

Kind = Literal["port", "city", "point", "area", "tile"]


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the map.

    Attributes:
        name: Name for a list of choices.
        kind: What the text describes: a port, a city, a point, an area or a map tile.
        lon: Longitude of the center in degrees, -180 to 180.
        lat: Latitude of the center in degrees.
        zoom: Web Mercator zoom that shows the place on a map of ``VIEW_PX`` pixels.
        bbox: The area to show; for an area or a tile, exactly that area.
    """

    name: str
    kind: Kind
    lon: float
    lat: float
    zoom: int
    bbox: BBox

    @classmethod
    def at(
        cls, lon: float, lat: float, zoom: int = POINT_ZOOM, name: str = "", kind: Kind = "point"
    ) -> Self:
        """Build the place of a point.

        Args:
            lon: Longitude in degrees; values beyond ±180 are wrapped.
            lat: Latitude in degrees.
            zoom: Map zoom; clipped to 0 to ``MAX_ZOOM``.
            name: Name; the coordinates by default.
            kind: "point", "port" or "city".

        Returns:
            The place; its ``bbox`` is the area of ``VIEW_PX`` pixels around it.

        Raises:
            BadPlace: The point is out of range or outside the Web Mercator map.
        """
        if not (math.isfinite(lon) and math.isfinite(lat)):
            raise BadPlace("Latitude and longitude must be finite numbers in degrees.")
        try:
            check_degrees((lon, lat))
        except BadArea as error:
            raise BadPlace(str(error)) from None
        if abs(lat) > 90:
            raise BadPlace(f"A latitude of {lat:g} does not exist: it must lie between -90 and 90.")
        if abs(lat) > MAX_LATITUDE:
            raise BadPlace(
                f"Maps end at {MAX_LATITUDE:.2f} degrees of latitude: {lat:g} cannot be shown."
            )
        if abs(lon) > 360:
            raise BadPlace(
                f"A longitude of {lon:g} does not exist: it must lie between -180 and 180."
            )
        lon = float(wrap_longitude(lon))
        zoom = min(max(zoom, 0), MAX_ZOOM)
        label = name or f"{lat:.5f}, {lon:.5f}"
        return cls(label, kind, lon, lat, zoom, _around(lon, lat, zoom))

    @classmethod
    def of_area(cls, bbox: BBox, name: str = "", kind: Kind = "area") -> Self:
        """Build the place of an area."""
        lon, lat = bbox.center
        label = name or ", ".join(f"{side:.5g}" for side in bbox.as_tuple())
        return cls(label, kind, lon, lat, _zoom_of(bbox), bbox)


def _around(lon: float, lat: float, zoom: int) -> BBox:
    """Return the area of ``VIEW_PX`` pixels around a point, clipped to the map."""
    x, y = lonlat_to_pixel([lon, lat], zoom).tolist()
    side = TILE_PX * 2.0**zoom
    half_x, half_y = (min(size, side) / 2 for size in VIEW_PX)
    corners = [
        [max(x - half_x, 0.0), max(y - half_y, 0.0)],
        [min(x + half_x, side), min(y + half_y, side)],
    ]
    (west, north), (east, south) = pixel_to_lonlat(corners, zoom).tolist()
    return BBox(
        max(west, -180.0), max(south, -MAX_LATITUDE), min(east, 180.0), min(north, MAX_LATITUDE)
    )


def _zoom_of(bbox: BBox) -> int:
    """Return the highest zoom at which an area fits on a map of ``VIEW_PX`` pixels."""
    corners = lonlat_to_pixel([[bbox.west, bbox.north], [bbox.east, bbox.south]], 0)
    width, height = (corners[1] - corners[0]).tolist()
    scale = min(VIEW_PX[0] / width, VIEW_PX[1] / height)
    return min(max(math.floor(math.log2(scale)), 0), MAX_ZOOM)
