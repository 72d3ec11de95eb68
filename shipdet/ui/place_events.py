"""Events of places, acquisitions and AIS: lookups before a run."""

import json
from typing import Any

import gradio as gr

from shipdet import pipeline
from shipdet.errors import BadArea, ShipdetError
from shipdet.imagery import get_provider
from shipdet.places import Place, find_place
from shipdet.settings import Settings
from shipdet.ui import html, source_html
from shipdet.ui.forms import Values, ais_of, area_requests, image_request, pictures, request_inputs
from shipdet.ui.layout import Page
from shipdet.ui.results import Updates
from shipdet.ui.source_events import AT_ONCE, UNSEEN, image_facts


def wire_places(page: Page, source: gr.State, settings: Settings) -> None:
    """Connect the place search, the list of acquisitions and the check of an AIS file."""
    _wire_place_search(page)
    inputs: set[Any] = request_inputs(page) | {source}
    page.dates.list_them.click(
        lambda values: list_acquisitions(page, values, settings),
        inputs,
        page.dates.listed,
        api_name=False,
        show_progress="minimal",
    )
    gr.on(
        [page.ais.file.change, page.ais.sample.change, page.ais.acquired.change],
        lambda values: check_ais(page, values, values[source], settings),
        inputs,
        page.ais.message,
        trigger_mode="always_last",
        **UNSEEN,
    )


def _wire_place_search(page: Page) -> None:
    chart = page.map
    hits = gr.State([])  # the listed places, in the map's format

    def search(text: str) -> Updates:
        updates, found = going(page, text)
        return {**updates, hits: found}

    def choose(name: str, found: list[tuple[str, str]]) -> Updates:
        return {chart.target: dict(found).get(name, ""), chart.found: gr.Radio(visible=False)}

    gr.on(
        [chart.place.submit, chart.go.click],
        search,
        chart.place,
        [chart.target, chart.found, chart.message, hits],
        **AT_ONCE,
    )
    chart.found.input(choose, [chart.found, hits], [chart.target, chart.found], **AT_ONCE)


def going(page: Page, text: str) -> tuple[Updates, list[tuple[str, str]]]:
    """Return the updates after a search for a place, and the listed places by name."""
    chart = page.map
    try:
        places = find_place(text or "")
    except ShipdetError as error:
        return {
            chart.message: gr.HTML(html.error_box(error), visible=True),
            chart.found: gr.Radio([], visible=False),
            chart.target: "",
        }, []
    if len(places) == 1:
        return {
            chart.message: gr.HTML(html.hint(_described(places[0])), visible=True),
            chart.found: gr.Radio([], visible=False),
            chart.target: _target(places[0]),
        }, []
    found = [(place.name, _target(place)) for place in places]
    return {
        chart.message: gr.HTML(visible=False),
        chart.found: gr.Radio([name for name, _ in found], value=None, visible=True),
        chart.target: "",
    }, found


def _described(place: Place) -> str:
    return f"{place.name}. Draw the area to search, and choose its imagery."


def _target(place: Place) -> str:
    return json.dumps({"bbox": place.bbox.as_tuple(), "name": place.name})


def list_acquisitions(page: Page, values: Values, settings: Settings) -> str:
    """Return the acquisitions of the area as an HTML list, or one sentence."""
    from shipdet.imagery.stac import acquisitions_for

    try:
        provider = get_provider(values[page.area.provider], settings)
        if provider.kind != "stac":
            raise BadArea(f"{provider.title} has no acquisitions to choose from.")
        requests = [r for _, r in area_requests(page, {**values, page.area.acquisition: ""})]
        # Each area of a file may have another day; the parts of one area share a satellite pass.
        areas = [r.area for r in (requests[:1] if values[page.area_file] else requests)]
        found = acquisitions_for(areas, requests[0], settings)
    except ShipdetError as error:
        return html.error_box(error)
    return source_html.acquisition_list(found, values[page.area.acquisition] or "")


def check_ais(page: Page, values: Values, source: str, settings: Settings) -> str:
    """Return what the AIS file contains near the image, or what is missing, as HTML."""
    ais = ais_of(page, values, source)
    if ais is None:
        return ""
    try:
        if source == "picture":
            request = image_request(page, values)
            facts = image_facts(pictures(page, values)[0], request, settings)
            contacts = pipeline.ais_of_image(facts, ais.file, ais.acquired)
        else:
            first = area_requests(page, values)[0][1]
            contacts = pipeline.ais_of_area(first, ais.file, ais.acquired, settings)
    except ShipdetError as error:
        return html.not_yet(error)
    return source_html.contacts_line(contacts)
