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
from shipdet.errors import Busy, ShipdetError
from shipdet.report.folder import run_folder
from shipdet.settings import Settings
from shipdet.ui import html
from shipdet.ui.choices import AUTO_ZOOM, sample_area
from shipdet.ui.forms import Values, request_inputs, searches
from shipdet.ui.layout import Page, components
from shipdet.ui.place_events import wire_places
from shipdet.ui.results import (
    Updates,
    clear_results,
    result_components,
    show_numbers,
    show_results,
)
from shipdet.ui.source_events import AT_ONCE, UNSEEN, wire_map, wire_settings
from shipdet.ui.source_html import summary_box
from shipdet.ui.streams import DEVICE, AllEvents, Outcome, Summary, one_after_another

log = logging.getLogger(__name__)

SHOW_EVERY_S = 0.15  # a browser gains nothing from more


def wire(page: Page, blocks: gr.Blocks, settings: Settings) -> None:
    """Connect the page's components."""
    source = gr.State("area")  # the tab that is open
    run_id = gr.State("")  # the run that is shown
    wire_map(page, blocks)
    wire_places(page, source, settings)
    wire_settings(page, blocks, source, settings)
    _wire_runs(page, source, run_id, settings)


def _wire_runs(page: Page, source: gr.State, run_id: gr.State, settings: Settings) -> None:
    inputs: set[Component] = request_inputs(page) | {source}
    results = result_components(page)
    progress: list[Any] = [page.panel, page.detect, page.sample, page.cancel]

    def detect(values: Values) -> Iterator[Updates]:
        try:
            events = one_after_another(searches(page, values, values[source], settings))
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

    sample_inputs: list[Any] = [
        source, page.sources, page.search.upscale, page.area_file, page.map.polygon,
        *components(page.area),
    ]  # fmt: skip
    sampled = page.sample.click(
        lambda: _sample_inputs(page, source), None, sample_inputs, **AT_ONCE
    )
    runs = []
    for clicked in (page.detect.click, sampled.then):
        waiting = clicked(lambda: _started(page), None, progress, **AT_ONCE)
        run = waiting.then(
            detect,
            inputs,
            [*progress, run_id, page.several, *results],
            concurrency_id=DEVICE,
            concurrency_limit=1,
            **UNSEEN,
        )
        run.failure(lambda: _refused(page), None, progress, **AT_ONCE)
        runs.append(run)
    page.several.input(
        lambda name: _show(page, run_id, settings, name) if name else gr.skip(),
        page.several,
        [page.panel, run_id, *results],
        concurrency_limit=None,
        **UNSEEN,
    )
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


def _following(
    page: Page, run_id: gr.State, settings: Settings, events: AllEvents
) -> Iterator[Updates]:
    panel = html.ProgressPanel()
    shown, stage = 0.0, None
    with closing(events):
        for event in events:
            if isinstance(event, Path):
                shown_run = _show(page, run_id, settings, event.name)
                yield {**shown_run, **_buttons(page, running=False)}
                return
            if isinstance(event, Summary):
                yield {**_summary(page, run_id, settings, event), **_buttons(page, running=False)}
                return
            shown_html, now = panel.show(event), time.monotonic()
            if stage is None:  # it has begun: the last run makes room
                hidden = {page.several: gr.Dropdown(visible=False), run_id: ""}
                yield {page.panel: shown_html, **hidden, **clear_results(page)}
            elif event.stage != stage or now - shown > SHOW_EVERY_S:
                yield {page.panel: shown_html}
            else:
                continue
            shown, stage = now, event.stage


def _show(page: Page, run_id: gr.State, settings: Settings, name: str) -> Updates:
    """Updates that show a run of the runs folder."""
    run = pipeline.open_run(run_folder(name, settings))
    return {**show_numbers(page, run), **show_results(page, run), run_id: run.id}


def _summary(page: Page, run_id: gr.State, settings: Settings, summary: Summary) -> Updates:
    """Updates after several searches: what became of each, and the results of the first."""
    done = [outcome for outcome in summary.outcomes if outcome.folder is not None]
    counted = [
        (o.name, None if o.folder is None else _ships(o, settings), o.error)
        for o in summary.outcomes
    ]
    choices = [(outcome.name, outcome.folder.name) for outcome in done if outcome.folder]
    shown: Updates = {}
    if choices:
        shown = _show(page, run_id, settings, choices[0][1])
        shown[page.several] = gr.Dropdown(choices, value=choices[0][1], visible=True)
    return {**shown, page.panel: summary_box(counted)}


def _ships(outcome: Outcome, settings: Settings) -> int:
    assert outcome.folder is not None
    return len(pipeline.open_run(run_folder(outcome.folder.name, settings)).detections)


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
        page.area_file: None,
        page.map.polygon: "",
        **dict(zip(area.bbox, sample_area().as_tuple(), strict=True)),
    }
