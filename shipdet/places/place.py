"""A place: a point, and the part of the map that shows it."""

import math
from dataclasses import dataclass
from typing import Literal, Self

from shipdet.errors import BadPlace
from shipdet.geometry import MAX_LATITUDE, TILE_PX, BBox, lonlat_to_pixel, pixel_to_lonlat

#: Size of a usual map on a page, in pixels: what a zoom shows and which zoom shows an area.
VIEW_PX = (1024, 768)
#: Zoom for a bare pair of coordinates: some 10 km from side to side.
POINT_ZOOM = 14
#: Tile services go no deeper.
MAX_ZOOM = 22

Kind = Literal["port", "city", "point", "area", "tile"]


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to go on the map.

    Attributes:
        name: what to call it, for a list of choices.
        kind: what the text was: the name of a port or city, a point, an area or a map tile.
        lon: longitude of the middle in degrees, -180 to 180.
        lat: latitude of the middle in degrees.
        zoom: Web-Mercator zoom that shows the place on a map of ``VIEW_PX`` pixels.
        bbox: what to show; for an area or a tile exactly that area.
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
        """A point and its surroundings.

        Args:
            lon: degrees; beyond 180 it goes around the Earth, as some maps write it.
            lat: degrees.
            zoom: how closely to look; cut to 0 to ``MAX_ZOOM``.
            name: what to call it; the coordinates by default.
            kind: "point", "port" or "city".

        Returns:
            The place, with ``bbox`` the area of ``VIEW_PX`` pixels around it.

        Raises:
            BadPlace: the latitude or longitude is out of range or beyond the Web-Mercator map.
        """
        if not (math.isfinite(lon) and math.isfinite(lat)):
            raise BadPlace("Latitude and longitude must be finite numbers in degrees.")
        if abs(lat) > 90:
            raise BadPlace(f"A latitude of {lat:g} does not exist: it lies between -90 and 90.")
        if abs(lat) > MAX_LATITUDE:
            raise BadPlace(
                f"Maps end at {MAX_LATITUDE:.2f} degrees of latitude: {lat:g} cannot be shown."
            )
        if abs(lon) > 360:
            raise BadPlace(f"A longitude of {lon:g} does not exist: it lies between -180 and 180.")
        if abs(lon) > 180:
            lon = (lon + 180) % 360 - 180
        zoom = min(max(zoom, 0), MAX_ZOOM)
        label = name or f"{lat:.5f}, {lon:.5f}"
        return cls(label, kind, lon, lat, zoom, _around(lon, lat, zoom))

    @classmethod
    def of_area(cls, bbox: BBox, name: str = "", kind: Kind = "area") -> Self:
        """An area, shown whole."""
        lon, lat = bbox.center
        label = name or ", ".join(f"{side:.5g}" for side in bbox.as_tuple())
        return cls(label, kind, lon, lat, _zoom_of(bbox), bbox)


def _around(lon: float, lat: float, zoom: int) -> BBox:
    """``VIEW_PX`` pixels of a zoom around a point, cut at the edges of the map."""
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
    """The closest zoom at which all of an area lies on a map of ``VIEW_PX`` pixels."""
    corners = lonlat_to_pixel([[bbox.west, bbox.north], [bbox.east, bbox.south]], 0)
    width, height = (corners[1] - corners[0]).tolist()
    scale = min(VIEW_PX[0] / width, VIEW_PX[1] / height)
    return min(max(math.floor(math.log2(scale)), 0), MAX_ZOOM)
