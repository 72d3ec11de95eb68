"""Several areas: from a file, or on both sides of the antimeridian."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shipdet.area_files import name_areas, read_area_file
from shipdet.areas import MAX_NAME, SIDES, Area, is_wkt, named_areas
from shipdet.geometry import BBox
from shipdet.requests import AreaRequest, Search

NamedArea = tuple[str, Area]
NamedRequest = tuple[str, AreaRequest]


def areas_of(value: Any) -> list[NamedArea]:
    """Read areas and their names from a value or a file.

    Args:
        value: West, south, east, north in degrees; the text of a WKT (multi)polygon; a GeoJSON
            geometry or Feature as a dictionary; or the path of a file of areas.

    Returns:
        Pairs of name and area. A single area has no name; an area across the antimeridian is two.

    Raises:
        BadArea: The value or file has no valid area.
    """
    if isinstance(value, BBox):
        return named_areas(value.as_tuple())
    if not isinstance(value, Path) and not (isinstance(value, str) and not is_wkt(value)):
        return named_areas(value)
    path = Path(value)
    entries = name_areas(read_area_file(path), "", MAX_NAME - len(f"-{max(SIDES, key=len)}"))
    return [part for name, area in entries for part in named_areas(area, name or path.stem)]


def requests_for(
    areas: Sequence[NamedArea], search: Search, imagery: dict[str, Any]
) -> list[NamedRequest]:
    """Build one request per area.

    Args:
        areas: Pairs of name and area.
        search: How to search them. Without a ``name``, a run gets the name of its area.
        imagery: Fields of :class:`shipdet.requests.ImageryOptions`.

    Returns:
        Pairs of name and request.

    Raises:
        BadOption: A value of ``imagery`` is invalid.
    """
    return [
        (
            name,
            AreaRequest.of_area(
                area, search=search.model_copy(update={"name": search.name or name}), **imagery
            ),
        )
        for name, area in areas
    ]
