"""Several areas: of a file, of polygons, or on both sides of the antimeridian."""

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
    """The areas of a value or of a file, with their names.

    Args:
        value: West, south, east, north in degrees; the text of a WKT (multi)polygon; a GeoJSON
            geometry or Feature as a dictionary; or the path of a file of areas.

    Returns:
        One area without a name, or several with one; an area that crosses the antimeridian is two.

    Raises:
        BadArea: There is no area in it.
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
    """A search for each area; its results bear the name of the area where they have none.

    Raises:
        BadOption: A value of ``imagery``, the fields of :class:`shipdet.requests.ImageryOptions`,
            is wrong.
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
