"""Convert the page's values to requests for the pipeline."""

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
#: Largest number of areas or images per click or call; the command line and jobs take more.
MAX_AT_ONCE = 50

Values = dict[Component, Any]


def request_inputs(page: Page) -> set[Component]:
    """Return the components whose values make up a request."""
    return {
        *components(page.area), *components(page.search), *components(page.picture),
        page.map.polygon, page.area_file, page.ais.file, page.ais.sample, page.ais.acquired,
        page.ais.offered,
    }  # fmt: skip


def searches(page: Page, values: Values, source: str, settings: Settings) -> Searches:
    """Return the searches by name; raise a ShipdetError for an invalid value.

    Args:
        page: The page.
        values: The values of its inputs.
        source: The open tab: "area" or "picture".
        settings: The app's settings.
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
    """Return requests for the areas of a file, a polygon, or the drawn rectangle.

    An area across the antimeridian gives two. Raises a ShipdetError for an invalid value.
    """
    if values[page.area_file]:
        areas = pipeline.areas_of(Path(values[page.area_file]))
        check_number(len(areas), "areas")
    elif values[page.map.polygon]:
        areas = named_areas(json.loads(values[page.map.polygon]))
    else:
        areas = named_areas(list(drawn_box(page, values)))
    return pipeline.requests_for(areas, _search(page, values), _imagery(page, values))


def area_request(
    page: Page, values: Values, box: tuple[float, float, float, float] | None = None
) -> AreaRequest:
    """Return a request for one rectangle; raise a ShipdetError for an invalid value.

    ``box`` (west, south, east, north) replaces the drawn rectangle.
    """
    drawn = box or drawn_box(page, values)
    return AreaRequest.check(bbox=drawn, search=_search(page, values), **_imagery(page, values))


def drawn_box(page: Page, values: Values) -> tuple[Any, ...]:
    """Return west, south, east and north as entered; raise BadArea if one is missing."""
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
    """Return the uploaded images; raise a ShipdetError if there are none or too many."""
    chosen = [Path(path) for path in values[page.picture.files] or ()]
    if not chosen:
        raise BadImage("Choose an image first: PNG, JPEG or GeoTIFF.")
    check_number(len(chosen), "images")
    return chosen


def image_request(page: Page, values: Values) -> ImageRequest:
    """Return the request for the images; raise a ShipdetError for an invalid value."""
    bands = values[page.picture.bands]
    return ImageRequest.check(
        gsd_m=values[page.picture.gsd_m] or None,
        bands="" if bands in (None, STATED_BANDS) else bands,
        stretch=values[page.picture.stretch],
        search=_search(page, values),
    )


def ais_of(page: Page, values: Values, source: str) -> Ais | None:
    """Return the AIS file, if any; a time filled in by the page means each image's own time."""
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
    if chosen["model"] is None:  # not downloaded yet, so the slider does not show its threshold
        chosen["threshold"] = None
    if chosen["min_length_m"] is None:  # an empty field
        del chosen["min_length_m"]
    for text in ("model", "upscaler", "name"):
        chosen[text] = chosen[text] or ""  # no choice means the default
    return Search.check(**chosen)
