"""Events of the page: which function each one calls and which components it updates."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from shipdet import pipeline
from shipdet.errors import BadArea, Busy, ShipdetError
from shipdet.imagery import get_provider
from shipdet.report.folder import run_folder
from shipdet.requests import Search
from shipdet.settings import Settings
from shipdet.ui import html
from shipdet.ui.choices import (
    AUTO_ZOOM,
    default_threshold,
    model_choices,
    sample_area,
    zoom_choices,
)
from shipdet.ui.forms import NO_AREA, Values, area_request, image_request, request_inputs
from shipdet.ui.layout import Page, components
from shipdet.ui.results import (
    Updates,
    clear_results,
    result_components,
    show_numbers,
    show_results,
)
from shipdet.ui.streams import DEVICE, RunEvents, area_events, image_events

log = logging.getLogger(__name__)

SHOW_EVERY_S = 0.15  # a browser gains nothing from more
UNSEEN: dict[str, Any] = {"api_name": False, "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**UNSEEN, "queue": False}


def wire(page: Page, blocks: gr.Blocks, settings: Settings) -> None:
    """Connect the page's components."""
    source = gr.State("area")  # the tab that is open
    run_id = gr.State("")  # the run that is shown
    _wire_map(page)
    _wire_settings(page, blocks, source, settings)
    _wire_runs(page, source, run_id, settings)


def _wire_map(page: Page) -> None:
    numbers, to_numbers = page.area.bbox, "(text) => shipdet.numbers(text)"
    for triggers, inputs, script in (
        ([n.change for n in numbers], numbers, "(...box) => { shipdet.box(...box) }"),
        (page.results.ships.change, page.results.ships, "(text) => { shipdet.ships(text) }"),
        (page.area.provider.change, page.area.provider, "(id) => { shipdet.layer(id) }"),
    ):
        gr.on(triggers, None, inputs, js=script, api_name=False)
    page.drawn.change(None, page.drawn, numbers, js=to_numbers, api_name=False)


def _wire_settings(page: Page, blocks: gr.Blocks, source: gr.State, settings: Settings) -> None:
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


def _wire_runs(page: Page, source: gr.State, run_id: gr.State, settings: Settings) -> None:
    inputs: set[Component] = request_inputs(page) | {source}
    results = result_components(page)
    progress: list[Any] = [page.panel, page.detect, page.sample, page.cancel]

    def detect(values: Values) -> Iterator[Updates]:
        try:
            events = _events(page, source, settings, values)
            yield from _following(page, run_id, settings, events)
        except Exception as error:
            if not isinstance(error, ShipdetError):
                log.exception("a run failed")
            yield _stopped(page, html.error_box(error))

    def refilter(run: str, threshold: float) -> Iterator[Updates]:
        if not run:
            return
        try:
            before = pipeline.open_run(run_folder(run, settings))
            yield show_numbers(page, replace(before, threshold=threshold))
            after = pipeline.refilter(before, threshold)
            yield {**show_numbers(page, after), **show_results(page, after)}
        except ShipdetError as error:
            yield {page.panel: html.error_box(error)}

    sample_inputs: list[Any] = [source, page.sources, page.search.upscale, *components(page.area)]
    sampled = page.sample.click(
        lambda: _sample_inputs(page, source), None, sample_inputs, **AT_ONCE
    )
    runs = []
    for clicked in (page.detect.click, sampled.then):
        waiting = clicked(lambda: _started(page), None, progress, **AT_ONCE)
        run = waiting.then(
            detect,
            inputs,
            [*progress, run_id, *results],
            concurrency_id=DEVICE,
            concurrency_limit=1,
            **UNSEEN,
        )
        run.failure(lambda: _refused(page), None, progress, **AT_ONCE)
        runs.append(run)
    # First stop, then say so: a last step forward may still be on its way to the page.
    stopping = page.cancel.click(
        lambda: gr.Button(interactive=False), None, page.cancel, cancels=runs, **AT_ONCE
    )
    stopping.then(lambda: _stopped(page, html.CANCELLED), None, progress, **AT_ONCE)
    page.search.threshold.change(
        refilter,
        [run_id, page.search.threshold],
        [page.panel, *results],
        trigger_mode="always_last",
        concurrency_limit=None,
        **UNSEEN,
    )


def _events(page: Page, source: gr.State, settings: Settings, values: Values) -> RunEvents:
    if values[source] == "picture":
        return image_events(*image_request(page, values), settings)
    return area_events(area_request(page, values), settings)


def _following(
    page: Page, run_id: gr.State, settings: Settings, events: RunEvents
) -> Iterator[Updates]:
    panel = html.ProgressPanel()
    shown, stage = 0.0, None
    with closing(events):
        for event in events:
            if isinstance(event, Path):
                run = pipeline.open_run(run_folder(event.name, settings))
                shown_run = {**show_numbers(page, run), **show_results(page, run)}
                yield {**shown_run, **_buttons(page, running=False), run_id: run.id}
                return
            shown_html, now = panel.show(event), time.monotonic()
            if stage is None:  # it has begun: the last run makes room
                yield {page.panel: shown_html, run_id: "", **clear_results(page)}
            elif event.stage != stage or now - shown > SHOW_EVERY_S:
                yield {page.panel: shown_html}
            else:
                continue
            shown, stage = now, event.stage


def _started(page: Page) -> Updates:
    return {page.panel: html.WAITING, **_buttons(page, running=True)}


def _stopped(page: Page, message: str) -> Updates:
    return {page.panel: message, **_buttons(page, running=False)}


def _refused(page: Page) -> Updates:
    busy = Busy("Too many runs are waiting for this machine: try again in some minutes.")
    return _stopped(page, html.error_box(busy))


def _buttons(page: Page, running: bool) -> Updates:
    return {
        page.detect: gr.Button(interactive=not running),
        page.sample: gr.Button(interactive=not running),
        page.cancel: gr.Button(interactive=running),
    }


def _sample_inputs(page: Page, source: gr.State) -> Updates:
    area = page.area
    return {
        source: "area",
        page.sources: gr.Tabs(selected="area"),
        area.provider: "sample",
        area.zoom: AUTO_ZOOM,
        page.search.upscale: "none",
        **dict(zip(area.bbox, sample_area().as_tuple(), strict=True)),
    }
