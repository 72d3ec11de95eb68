"""Events of the map and the settings: what is shown before a run."""

from typing import Any

import gradio as gr

from shipdet import pipeline
from shipdet.errors import BadArea, ShipdetError
from shipdet.imagery import get_provider
from shipdet.requests import Search
from shipdet.settings import Settings
from shipdet.ui import html
from shipdet.ui.choices import AUTO_ZOOM, default_threshold, model_choices, zoom_choices
from shipdet.ui.forms import NO_AREA, Values, area_request, image_request, request_inputs
from shipdet.ui.layout import Page
from shipdet.ui.results import Updates

UNSEEN: dict[str, Any] = {"api_name": False, "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**UNSEEN, "queue": False}


def wire_map(page: Page) -> None:
    """Let map and numbers follow each other, and show ships and imagery on the map."""
    numbers, to_numbers = page.area.bbox, "(text) => shipdet.numbers(text)"
    for triggers, inputs, script in (
        ([n.change for n in numbers], numbers, "(...box) => { shipdet.box(...box) }"),
        (page.results.ships.change, page.results.ships, "(text) => { shipdet.ships(text) }"),
        (page.area.provider.change, page.area.provider, "(id) => { shipdet.layer(id) }"),
    ):
        gr.on(triggers, None, inputs, js=script, api_name=False)
    page.drawn.change(None, page.drawn, numbers, js=to_numbers, api_name=False)


def wire_settings(page: Page, blocks: gr.Blocks, source: gr.State, settings: Settings) -> None:
    """Estimate anew whenever a setting changes."""
    inputs: set[Any] = request_inputs(page) | {source}
    # The zoom's own list is rewritten here, so only a user's choice counts as a change of it; a
    # number that is cleared says so as input only.
    quiet = {page.area.zoom, page.search.threshold, page.search.name}
    triggers = [
        blocks.load,
        page.area.zoom.input,
        *(number.input for number in page.area.bbox),
        *(component.change for component in inputs - quiet),
    ]

    def estimated(values: Values) -> Updates:
        return estimate_updates(page, source, settings, values)

    outputs = [
        page.area.zoom, page.zoom_reason, page.dates, page.estimate, page.search.model,
    ]  # fmt: skip
    gr.on(triggers, estimated, inputs, outputs, trigger_mode="always_last", **AT_ONCE)
    # A deleted rectangle empties the numbers, which gradio does not count as a change of them.
    page.drawn.change(
        lambda text: html.not_yet(BadArea(NO_AREA)) if text == "null" else gr.skip(),
        page.drawn,
        page.estimate,
        **AT_ONCE,
    )
    page.search.model.change(
        lambda model: default_threshold(model, settings),
        page.search.model,
        page.search.threshold,
        **AT_ONCE,
    )
    page.search.upscale.change(
        lambda upscale: gr.Checkbox(visible=upscale != "none"),
        page.search.upscale,
        page.search.selective,
        **AT_ONCE,
    )
    page.area_tab.select(lambda: "area", None, source, **AT_ONCE)
    page.picture_tab.select(lambda: "picture", None, source, **AT_ONCE)


def estimate_updates(page: Page, source: gr.State, settings: Settings, values: Values) -> Updates:
    """What the page shows of a request before it runs: tiles, size, time, the model's values."""
    area = page.area
    provider = get_provider(values[area.provider], settings)
    south, north = values[area.south], values[area.north]
    latitude = (south + north) / 2 if None not in (south, north) else 0.0
    latitude = max(-85.0, min(85.0, latitude))
    search = Search(model=values[page.search.model] or "", upscale=values[page.search.upscale])
    zoom, reason = pipeline.default_zoom(provider.id, latitude, search, settings, untrusted=True)
    choices = zoom_choices(provider, zoom)
    chosen = values[area.zoom]
    if chosen not in [value for _, value in choices]:
        chosen = AUTO_ZOOM
    updates: Updates = {
        area.zoom: gr.Dropdown(choices, value=chosen),
        page.zoom_reason: html.hint(reason),
        page.dates: gr.Row(visible=provider.needs_instance or provider.kind == "stac"),
    }
    try:
        if values[source] == "picture":
            image_request(page, values)
            updates[page.estimate] = html.hint("Ready to search this image.")
        else:
            request = area_request(page, {**values, area.zoom: chosen})
            updates[page.estimate] = html.estimate_box(
                pipeline.estimate(request, settings, untrusted=True)
            )
            if values[page.search.model] is None:  # the configured one has been fetched only now
                models = model_choices("ship-classification", settings)
                updates[page.search.model] = gr.Dropdown(models, value=settings.classifier)
    except ShipdetError as error:
        updates[page.estimate] = html.not_yet(error)
    return updates
