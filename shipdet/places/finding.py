"""Find places from a text that a user types or pastes."""

import re

from shipdet.errors import BadArea, BadPlace
from shipdet.geometry import MAX_LATITUDE, TILE_PX, BBox, pixel_to_lonlat
from shipdet.places.coordinates import ambiguous_commas, has_decimal_commas, parse_coordinates
from shipdet.places.links import parse_link
from shipdet.places.names import find_names
from shipdet.places.place import MAX_ZOOM, Place

#: Longest text in characters; links of map services have a few hundred.
MAX_TEXT = 2000
#: Fewest digits of a quadkey; shorter ones cover half a continent and look like numbers.
MIN_QUADKEY = 4

_TILE = re.compile(r"(?:zoom\s*)?(\d{1,2})\s*/\s*(\d{1,8})\s*/\s*(\d{1,8})(?:\.\w+)?")
_QUADKEY = re.compile(rf"[0-3]{{{MIN_QUADKEY},{MAX_ZOOM}}}")
_NUMBER = r"[-+−]?\s?\d+(?:\.\d*)?"
_BOX = re.compile(rf"[\[(]*\s*{_NUMBER}(?:[\s,;]+{_NUMBER}){{3}}\s*[\])]*")


def find_place(text: str) -> list[Place]:
    """Find the places that match a text, without network access.

    Args:
        text: The name of a city or port ("Algeciras", "Norfolk, US"); latitude and longitude in
            common notations ("36.13, -5.43", "36°07'48\\"N 5°25'48\\"W"); a link of a map service
            or a ``geo:`` address; a box ("west, south, east, north"); a tile ("z/x/y") or a
            quadkey.

    Returns:
        At least one place, the most likely first; several only for names.

    Raises:
        BadPlace: The text has another form, is ambiguous, or is a place outside the map.
        MissingExtra: The text is a name, and the packages of ``shipdet[places]`` are missing.

    Example:
        >>> [place.name for place in find_place("Algeciras")][:1]
        ['Algeciras, Spain (port)']
    """
    text = text.strip()
    if not text:
        raise BadPlace("Type the name of a place, coordinates such as 36.13, -5.43, or a map link.")
    if len(text) > MAX_TEXT:
        raise BadPlace(f"A place has at most {MAX_TEXT:,} characters: shorten the text.")
    if (place := parse_link(text)) is not None:
        return [place]
    if found := _TILE.fullmatch(text):
        return [_tile(*(int(number) for number in found.groups()))]
    if _QUADKEY.fullmatch(text):
        return [_quadkey(text)]
    if ambiguous_commas(text):
        raise BadPlace(
            f"'{text[:60]}' can be an area or a point with decimal commas: write '-6 36 -5 37' for "
            "an area, '36.13, -5.43' for a point."
        )
    if _BOX.fullmatch(text) and not has_decimal_commas(text):
        return [_area(text)]
    point = parse_coordinates(text)
    if point is not None:
        return [Place.at(*point)]
    return find_names(text)


def _area(text: str) -> Place:
    numbers = [re.sub(r"\s", "", number) for number in re.findall(_NUMBER, text)]
    try:
        return Place.of_area(BBox.parse(" ".join(numbers).replace("−", "-")))
    except BadArea as error:
        raise BadPlace(f"{error} Four numbers are west, south, east, north.") from None


def _tile(zoom: int, x: int, y: int) -> Place:
    if zoom > MAX_ZOOM:
        raise BadPlace(f"Tile {zoom}/{x}/{y} has a zoom above {MAX_ZOOM}: write zoom/x/y.")
    if max(x, y) >= 2**zoom:
        raise BadPlace(
            f"Tile {zoom}/{x}/{y} does not exist: at zoom {zoom}, x and y go from 0 to "
            f"{2**zoom - 1:,}."
        )
    corners = pixel_to_lonlat([[x * TILE_PX, y * TILE_PX], [(x + 1) * TILE_PX, (y + 1) * TILE_PX]],
                              zoom)  # fmt: skip
    (west, north), (east, south) = corners.tolist()
    return Place.of_area(_on_map(west, south, east, north), f"Tile {zoom}/{x}/{y}", "tile")


def _on_map(west: float, south: float, east: float, north: float) -> BBox:
    """Build the box of a tile, clipped to the map because of rounding."""
    return BBox(
        max(west, -180.0), max(south, -MAX_LATITUDE), min(east, 180.0), min(north, MAX_LATITUDE)
    )


def _quadkey(digits: str) -> Place:
    """Return the tile of a quadkey: one digit per level, bit 0 for x, bit 1 for y (Bing Maps)."""
    x = sum((int(digit) & 1) << power for power, digit in enumerate(reversed(digits)))
    y = sum((int(digit) >> 1) << power for power, digit in enumerate(reversed(digits)))
    return _tile(len(digits), x, y)
