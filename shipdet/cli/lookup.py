"""``shipdet acquisitions`` and ``shipdet place``."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from shipdet.areas import parse_areas
from shipdet.cli.parameters import AsJson, Box, box_of, given, typed
from shipdet.options import with_options
from shipdet.requests import NOT_LISTED, ImageryOptions


@with_options(ImageryOptions, leave_out=NOT_LISTED, style=typed)
def acquisitions(bbox: Box = None, json_: AsJson = False, **options: Any) -> None:
    """List Sentinel-2 acquisitions of an area, newest first (default: the last 60 days).

    [bold]Example[/bold]

    shipdet acquisitions --bbox -5.47 36.09 -5.38 36.17 --date-from 2024-05-01 --date-to 2024-05-31
    """
    from shipdet.imagery.stac import acquisitions_for

    areas = parse_areas(box_of(bbox))
    dates = ImageryOptions.check(**given(options))
    found = acquisitions_for(areas, dates)
    if json_:
        print(json.dumps([acquisition.public() for acquisition in found], indent=1))
        return
    if not found:
        print("No acquisition matches the dates and the cloud cover.")
    for acquisition in found:
        cloud = "  ?" if acquisition.cloud is None else f"{acquisition.cloud:3.0f}"
        print(
            f"{acquisition.time}  {cloud} % cloud  {acquisition.coverage:4.0%} of the area  "
            f"{acquisition.id}  {acquisition.thumbnail}"
        )


def place(
    text: Annotated[
        list[str], typer.Argument(help="A name, coordinates, a map link, a box or a tile.")
    ],
    json_: AsJson = False,
) -> None:
    """Find a place: its coordinates and the area to search.

    [bold]Examples[/bold]

    shipdet place Algeciras

    shipdet place "36°07'48\\"N 5°25'48\\"W"
    """
    from shipdet.places import find_place

    found = find_place(" ".join(text))
    if json_:
        print(json.dumps([asdict(place) for place in found], indent=1))
        return
    for place in found:
        box = " ".join(f"{side:.5f}" for side in place.bbox.as_tuple())
        print(f"{place.name}  {place.lat:.5f} {place.lon:.5f}  zoom {place.zoom}  --bbox {box}")
