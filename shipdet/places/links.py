"""Read coordinates from links of map services and ``geo:`` addresses."""

import re
from urllib.parse import SplitResult, parse_qs, unquote_plus, urlsplit

from shipdet.errors import BadArea, BadPlace
from shipdet.geometry import BBox, gsd_at
from shipdet.places.coordinates import parse_coordinates
from shipdet.places.place import MAX_ZOOM, POINT_ZOOM, VIEW_PX, Place

#: Query fields of map services that contain a point, in order of preference.
_POINT_FIELDS = ("q", "query", "ll", "center", "cp", "sll", "daddr", "destination", "marker")
_LAT_FIELDS, _LON_FIELDS = ("mlat", "lat", "latitude"), ("mlon", "lon", "lng", "longitude")
_BOX_FIELDS = ("minlon", "minlat", "maxlon", "maxlat")
_ZOOM_FIELDS = ("z", "zoom", "lvl")
_SHORT = ("goo.gl", "maps.app.goo.gl", "g.co", "bit.ly")
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_AT = re.compile(rf"@({_NUMBER}),({_NUMBER})(?:,({_NUMBER})([zma]))?")
_PIN = re.compile(rf"!3d({_NUMBER})!4d({_NUMBER})")
_HASH = re.compile(rf"(?:^|[#&/])(?:map=)?({_NUMBER})/({_NUMBER})/({_NUMBER})(?:$|[&/])")
_FIELD_IN_HASH = re.compile(r"^[\w.]+=")


def parse_link(text: str) -> Place | None:
    """Read a link.

    Args:
        text: An http(s) or ``geo:`` address, RFC 5870 with Android's ``?q=`` and ``?z=``.

    Returns:
        The place; None if the text is not a link.

    Raises:
        BadPlace: The link has no coordinates, or invalid ones.
    """
    address = text.strip()
    if address.lower().startswith("geo:"):
        return _geo(address[4:])
    if not re.match(r"(?:https?://|www\.)\S+$", address, re.IGNORECASE):
        return None
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        raise BadPlace("The link is not a valid address: copy it again.") from None
    if host in _SHORT or host.endswith(".app.goo.gl"):
        raise BadPlace(
            "A short link has no coordinates: open it in a browser and copy the long address."
        )
    place = _from_parts(parts)
    if place is None:
        raise BadPlace(
            "The link has no coordinates: move the map to the place and copy its address again."
        )
    return place


def _geo(rest: str) -> Place:
    path, _, query = rest.partition("?")
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    zoom = _zoom(fields)
    if found := re.match(rf"({_NUMBER}),({_NUMBER})", fields.get("q", "")):
        return _at(found[1], found[2], zoom)
    found = re.fullmatch(rf"({_NUMBER}),({_NUMBER})(?:,{_NUMBER})?(?:;.*)?", path.strip())
    if found is None:
        raise BadPlace("A geo: address needs latitude and longitude, as in geo:36.13,-5.43.")
    return _at(found[1], found[2], zoom)


def _from_parts(parts: SplitResult) -> Place | None:
    """Return the place of a web address: its pin or, without one, the center of its map."""
    path, fragment = unquote_plus(parts.path), unquote_plus(parts.fragment)
    queries = [parts.query, parts.fragment if _FIELD_IN_HASH.match(parts.fragment) else ""]
    fields = {
        name.lower(): values[0] for query in queries for name, values in parse_qs(query).items()
    }
    shown = _AT.search(path)
    zoom = _zoom(fields)
    if shown is not None:
        zoom = _shown_zoom(shown)
    hashed = _HASH.search(fragment)
    if hashed is not None and zoom is None:
        zoom = _rounded(hashed[1])
    if pin := _PIN.search(path):
        return _at(pin[1], pin[2], zoom)
    if box := _box(fields):
        return box
    for name in _LAT_FIELDS:
        for other in _LON_FIELDS:
            if re.fullmatch(_NUMBER, fields.get(name, "")) and re.fullmatch(
                _NUMBER, fields.get(other, "")
            ):
                return _at(fields[name], fields[other], zoom)
    written = [fields[name].replace("~", ",") for name in _POINT_FIELDS if name in fields]
    for value in (*written, *path.split("/")):
        if point := _written(value.removeprefix("loc:")):
            return Place.at(*point, zoom=POINT_ZOOM if zoom is None else zoom)
    if shown is not None:
        return _at(shown[1], shown[2], zoom)
    if hashed is not None:
        return _at(hashed[2], hashed[3], zoom)
    return None


def _written(value: str) -> tuple[float, float] | None:
    """Return the coordinates in a part of a link; None if it has none."""
    if value.startswith("@") or not re.search(r"\d", value):
        return None
    try:
        return parse_coordinates(value)
    except BadPlace:
        return None


def _box(fields: dict[str, str]) -> Place | None:
    text = fields.get("bbox") or " ".join(fields.get(name, "") for name in _BOX_FIELDS)
    if len(re.findall(_NUMBER, text)) != 4:
        return None
    try:
        return Place.of_area(BBox.parse(text))
    except BadArea as error:
        raise BadPlace(str(error)) from None


def _zoom(fields: dict[str, str]) -> int | None:
    values = [fields[name] for name in _ZOOM_FIELDS if name in fields]
    return _rounded(values[0]) if values and re.fullmatch(_NUMBER, values[0]) else None


def _rounded(number: str) -> int:
    return round(min(max(float(number), 0.0), MAX_ZOOM))


def _shown_zoom(shown: re.Match[str]) -> int | None:
    """Return the zoom of ``@lat,lon,12z``, or of ``@lat,lon,500m``, the view's height in meters."""
    lat, size, unit = shown[1], shown[3], shown[4]
    if size is None or unit == "a":
        return None
    if unit == "z":
        return _rounded(size)
    meters = max(float(size), 1.0)
    zooms = range(MAX_ZOOM, -1, -1)
    fits = (z for z in zooms if gsd_at(min(abs(float(lat)), 85.0), z) * VIEW_PX[1] >= meters)
    return next(fits, 0)


def _at(lat: str, lon: str, zoom: int | None) -> Place:
    return Place.at(float(lon), float(lat), zoom=POINT_ZOOM if zoom is None else zoom)
