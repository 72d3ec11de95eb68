"""From the page's values to requests for the pipeline."""

import json
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from gradio.components import Component

from shipdet import pipeline
from shipdet.areas import named_areas
from shipdet.errors import BadArea, BadImage
from shipdet.requests import AreaRequest, ImageRequest, Search
from shipdet.settings import Settings
from shipdet.ui.choices import AUTO_ZOOM, STATED_BANDS
from shipdet.ui.layout import Page, components
from shipdet.ui.streams import Ais, Searches, area_events, image_events

NO_AREA = "Draw a rectangle on the map, or enter west, south, east and north."
#: Areas or images of one click or call; more are work for the command line or for jobs.
MAX_AT_ONCE = 50

Values = dict[Component, Any]


def request_inputs(page: Page) -> set[Component]:
    """The components that requests are made from."""
    return {
        *components(page.area), *components(page.search), *components(page.picture),
        page.map.polygon, page.area_file, page.ais.file, page.ais.sample, page.ais.acquired,
        page.ais.offered,
    }  # fmt: skip


def searches(page: Page, values: Values, source: str, settings: Settings) -> Searches:
    """What is to be searched, by name; raises a ShipdetError for values that make no request.

    Args:
        page: The page.
        values: What its inputs hold.
        source: The tab that is open: "area" or "picture".
        settings: The app's.
    """
    ais = ais_of(page, values, source)
    if source == "picture":
        request = image_request(page, values)
        return [
            (path.name, partial(image_events, path, request, settings, ais))
            for path in pictures(page, values)
        ]
    return [
        (name, partial(area_events, request, settings, ais))
        for name, request in area_requests(page, values)
    ]


def area_requests(page: Page, values: Values) -> list[tuple[str, AreaRequest]]:
    """What to search on the map: the areas of a file, a polygon, or the drawn rectangle.

    An area across the antimeridian is two. Raises a ShipdetError for values that make no request.
    """
    if values[page.area_file]:
        areas = pipeline.areas_of(Path(values[page.area_file]))
        check_number(len(areas), "areas")
    elif values[page.map.polygon]:
        areas = named_areas(json.loads(values[page.map.polygon]))
    else:
        areas = named_areas(list(_drawn_box(page, values)))
    return pipeline.requests_for(areas, _search(page, values), _imagery(page, values))


def area_request(
    page: Page, values: Values, box: tuple[float, float, float, float] | None = None
) -> AreaRequest:
    """A request for one rectangle; raises a ShipdetError for values that make no request.

    ``box`` (west, south, east, north) stands in for the drawn rectangle, which is not looked at.
    """
    drawn = box or _drawn_box(page, values)
    return AreaRequest.check(bbox=drawn, search=_search(page, values), **_imagery(page, values))


def _drawn_box(page: Page, values: Values) -> tuple[Any, ...]:
    drawn = tuple(values[number] for number in page.area.bbox)
    if None in drawn:
        raise BadArea(NO_AREA)
    return drawn


def _imagery(page: Page, values: Values) -> dict[str, Any]:
    area = page.area
    zoom = values[area.zoom]
    return {
        "provider": values[area.provider],
        "zoom": None if zoom == AUTO_ZOOM else zoom,
        "date_from": values[area.date_from] or None,
        "date_to": values[area.date_to] or None,
        "max_cloud": values[area.max_cloud],
        "priority": values[area.priority],
        "acquisition": values[area.acquisition] or "",
    }


def pictures(page: Page, values: Values) -> list[Path]:
    """The images that were uploaded; raises BadImage when there is none, or too many."""
    chosen = [Path(path) for path in values[page.picture.files] or ()]
    if not chosen:
        raise BadImage("Choose an image first: PNG, JPEG or GeoTIFF.")
    check_number(len(chosen), "images")
    return chosen


def image_request(page: Page, values: Values) -> ImageRequest:
    """How to read and search the images; raises a ShipdetError for values that make no request."""
    bands = values[page.picture.bands]
    return ImageRequest.check(
        gsd_m=values[page.picture.gsd_m] or None,
        bands="" if bands in (None, STATED_BANDS) else bands,
        stretch=values[page.picture.stretch],
        search=_search(page, values),
    )


def ais_of(page: Page, values: Values, source: str) -> Ais | None:
    """The AIS file to match with, if any; a time that was filled in is that of each image."""
    typed = (values[page.ais.acquired] or "").strip()
    acquired = typed if typed != values[page.ais.offered] else None
    if values[page.ais.file]:
        return Ais(Path(values[page.ais.file]), acquired or None)
    on_sample = source == "area" and values[page.area.provider] == "sample"
    return Ais("sample", acquired or None) if on_sample and values[page.ais.sample] else None


def check_number(number: int, what: str) -> None:
    """Raise BadArea for more than ``MAX_AT_ONCE`` areas or images."""
    if number > MAX_AT_ONCE:
        raise BadArea(
            f"{number:,} {what} exceed the limit of {MAX_AT_ONCE} per search: select fewer, or use "
            "the command line."
        )


def _search(page: Page, values: Values) -> Search:
    chosen = {f.name: values[getattr(page.search, f.name)] for f in fields(page.search)}
    if chosen["model"] is None:  # not fetched yet, so the slider does not know its threshold
        chosen["threshold"] = None
    if chosen["min_length_m"] is None:  # an empty field
        del chosen["min_length_m"]
    for text in ("model", "upscaler", "name"):
        chosen[text] = chosen[text] or ""  # nothing chosen is the default
    chosen["selective"] = chosen["selective"] and chosen["upscale"] != "none"  # hidden then
    return Search.check(**chosen)
