"""From the page's values to requests for the pipeline."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from gradio.components import Component

from shipdet.errors import BadArea, BadImage, MissingScale
from shipdet.requests import AreaRequest, ImageRequest, Search
from shipdet.ui.choices import AUTO_ZOOM
from shipdet.ui.layout import Page, components

NO_AREA = "Draw a rectangle on the map, or fill in west, south, east and north."

Values = dict[Component, Any]


def request_inputs(page: Page) -> set[Component]:
    """The components that requests are made from."""
    return {*components(page.area), *components(page.search), page.picture, page.gsd_m}


def area_request(
    page: Page, values: Values, box: tuple[float, float, float, float] | None = None
) -> AreaRequest:
    """What to search on the map; raises a ShipdetError for values that make no request.

    ``box`` (west, south, east, north) stands in for the drawn rectangle, which is not looked at.
    """
    area = page.area
    drawn = box or tuple(values[number] for number in area.bbox)
    if None in drawn:
        raise BadArea(NO_AREA)
    zoom = values[area.zoom]
    return AreaRequest.check(
        bbox=drawn,
        provider=values[area.provider],
        zoom=None if zoom == AUTO_ZOOM else zoom,
        date_from=values[area.date_from] or None,
        date_to=values[area.date_to] or None,
        max_cloud=values[area.max_cloud],
        priority=values[area.priority],
        acquisition=values[area.acquisition] or "",
        search=_search(page, values),
    )


def image_request(page: Page, values: Values) -> tuple[Path, ImageRequest]:
    """The picture to search and how; raises a ShipdetError for values that make no request."""
    picture, gsd_m = values[page.picture], values[page.gsd_m]
    if picture is None:
        raise BadImage("Choose an image first: PNG, JPEG or GeoTIFF.")
    if not gsd_m and not picture.lower().endswith((".tif", ".tiff")):
        raise MissingScale("Give the image's meters per pixel: ships are recognized by their size.")
    return Path(picture), ImageRequest.check(gsd_m=gsd_m or None, search=_search(page, values))


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
