"""Events of a run: start, follow, resume, cancel, filter, show.

A search belongs to the server (:mod:`shipdet.viewer.live_searches`): a page only follows it. It
continues when the page is closed, and the browser's next page finds it by the stored id.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from shipdet import pipeline
from shipdet.errors import ShipdetError, log_unexpected
from shipdet.pipeline import Run
from shipdet.report.folder import run_folder
from shipdet.settings import Settings
from shipdet.ui import html
from shipdet.ui.choices import AUTO_ZOOM, sample_area
from shipdet.ui.forms import Values, request_inputs, searches
from shipdet.ui.layout import Page, components
from shipdet.ui.results import (
    Updates,
    clear_results,
    result_components,
    show_run,
    sighted_text,
    summary_files,
    with_removed,
)
from shipdet.ui.source_events import AT_ONCE, UNSEEN
from shipdet.ui.source_html import ais_card, summary_box
from shipdet.ui.streams import Outcome, Searches, Summary, one_after_another
from shipdet.viewer import live_searches
from shipdet.viewer.live_searches import Running

SHOW_EVERY_S = 0.15  # more frequent updates are not noticeable


def wire_runs(page: Page, blocks: gr.Blocks, source: gr.State, settings: Settings) -> None:
    """Connect the buttons, the threshold and the viewer."""
    search = gr.State("")  # id of the followed search
    # Not a secret: the id already is one, and a restarted server must be able to read it.
    remembered = gr.BrowserState("", storage_key="shipdet.search", secret="shipdet")
    inputs: set[Any] = request_inputs(page) | {source}
    progress: list[Any] = [page.panel, page.detect, page.sample, page.cancel]
    after: list[Any] = [page.several, page.summary, page.results.ships, *result_components(page)]
    outputs = [*progress, *after]

    def start(values: Values) -> Updates:
        try:
            requested = searches(page, values, values[source], settings)
            started = live_searches.start(
                _title(page, values, requested),
                lambda: one_after_another(requested),
                settings.max_queue,
            )
        except ShipdetError as error:
            shown = {page.panel: html.error_box(error), page.estimate: ""}  # no second error
            return {**shown, **_buttons(page, running=False), search: ""}
        return {**_started(page), search: started.id, remembered: started.id}

    def follow(id_: str) -> Iterator[Updates]:
        yield gr.skip()  # without any update, gradio clears the outputs
        if found := live_searches.find(id_):
            yield from following(page, found, settings)

    def resume(id_: str) -> Iterator[Updates]:
        found = live_searches.find(id_ or "")
        if found is None or found.error or found.cancelled:
            yield gr.skip()
            return
        if found.ended is None:
            yield {**_started(page), search: found.id}
        yield from following(page, found, settings)

    def cancel(id_: str) -> Updates:
        if found := live_searches.find(id_):
            found.cancel()
        return {page.cancel: gr.Button(interactive=False)}

    follows: dict[str, Any] = {**UNSEEN, "concurrency_limit": None}
    sample_inputs: list[Any] = [
        source, page.sources, page.search.upscale, page.area_file, page.map.polygon,
        *components(page.area),
    ]  # fmt: skip
    sampled = page.sample.click(
        lambda: _sample_inputs(page, source), None, sample_inputs, **AT_ONCE
    )
    # The numbers may already be the sample's while the map shows another place.
    sampled.then(None, page.area.bbox, js="(...bbox) => { shipdet.fly(...bbox) }", api_name=False)
    for clicked in (page.detect.click, sampled.then):
        started = clicked(start, inputs, [*progress, page.estimate, search, remembered], **AT_ONCE)
        started.then(follow, search, outputs, **follows)
    blocks.load(resume, remembered, [*outputs, search], **follows)
    page.cancel.click(cancel, search, page.cancel, **AT_ONCE)
    _wire_shown_run(page, settings)


def _wire_shown_run(page: Page, settings: Settings) -> None:
    shown = page.results.shown

    def choose(name: str | None) -> Any:
        if not name:
            return gr.skip()
        try:
            return _shown(page, settings, name)
        except ShipdetError as error:
            return {page.panel: html.error_box(error)}

    page.several.input(
        choose,
        page.several,
        [page.panel, *result_components(page)],
        concurrency_limit=None,
        **UNSEEN,
    )

    def refilter(run_id: str, threshold: float) -> Iterator[Updates]:
        if not run_id:
            yield gr.skip()
            return
        try:
            before = pipeline.open_run(run_folder(run_id, settings))
            yield {page.panel: finished_panel(replace(before, threshold=threshold))}
            yield {page.panel: finished_panel(pipeline.refilter(before, threshold))}
        except ShipdetError as error:
            yield {page.panel: html.error_box(error)}

    def recount(run_id: str) -> Updates:
        try:
            run = pipeline.open_run(run_folder(run_id, settings))
        except ShipdetError as error:
            return {page.panel: html.error_box(error)}
        return {page.panel: finished_panel(run)}

    # Only a user's change applies to the displayed run; choosing a ship model sets it too.
    page.search.threshold.input(
        refilter,
        [shown, page.search.threshold],
        page.panel,
        trigger_mode="always_last",
        concurrency_limit=None,
        **UNSEEN,
    ).then(None, js="() => { shipdet.reload() }")
    shown.change(None, shown, js="(id) => { shipdet.shown(id) }", api_name=False)
    page.results.changed.change(recount, shown, page.panel, **AT_ONCE)


def _title(page: Page, values: Values, requested: Searches) -> str:
    """Describe the search in a few words for the history."""
    names = [name for name, _ in requested]
    if len(names) > 1:
        return f"{len(names)} searches, starting with {names[0]}"
    return names[0] or f"Area of {values[page.area.provider]}"


def following(page: Page, search: Running, settings: Settings) -> Iterator[Updates]:
    """Yield updates of the page during a search, and its outcome at the end."""
    panel = html.ProgressPanel()
    shown_at, stage = 0.0, None
    drawn: int | None = None
    for event in search.follow():
        text, now = panel.show(event), time.monotonic()
        if event.stage == "detect" and event.sighted is None:  # the next of several searches begins
            drawn = None
        if stage is None:  # the search has begun: remove the last run
            yield {
                page.panel: text,
                page.several: gr.Dropdown(visible=False),
                page.summary: gr.File(visible=False),
                page.results.ships: "",
                **clear_results(page),
            }
        elif event.stage != stage or now - shown_at > SHOW_EVERY_S:
            updates: Updates = {page.panel: text}
            if event.sighted is not None and len(event.sighted.ships) != drawn:
                drawn = len(event.sighted.ships)
                updates[page.results.ships] = sighted_text(event.sighted)
            yield updates
        else:
            continue
        shown_at, stage = now, event.stage
    yield _ended(page, search, settings)


def _ended(page: Page, search: Running, settings: Settings) -> Updates:
    try:
        if search.error is not None:
            raise search.error
        if isinstance(search.result, Summary):
            return {**_buttons(page, running=False), **_summary(page, settings, search.result)}
        if isinstance(search.result, Path):
            return {**_buttons(page, running=False), **_shown(page, settings, search.result.name)}
        return _stopped(page, html.CANCELLED)
    except Exception as error:
        log_unexpected(error, "a run")
        return _stopped(page, html.error_box(error))


def _shown(page: Page, settings: Settings, name: str) -> Updates:
    """Return updates that show a run of the runs folder."""
    run = pipeline.open_run(run_folder(name, settings))
    return {**show_run(page, run), page.panel: finished_panel(run)}


def finished_panel(run: Run) -> str:
    """Return the panel of a finished run: ships and AIS matches."""
    return html.finished_box(run) + ais_card(run.record)


def _summary(page: Page, settings: Settings, summary: Summary) -> Updates:
    """Return updates after several searches: each outcome, and the results of the first."""
    summary = with_removed(summary, settings)
    counted = [
        (o.name, None if o.folder is None else _ships(o, settings), o.error)
        for o in summary.outcomes
    ]
    choices = [(o.name, o.folder.name) for o in summary.outcomes if o.folder is not None]
    shown: Updates = {}
    if choices:
        shown = _shown(page, settings, choices[0][1])
        shown[page.several] = gr.Dropdown(choices, value=choices[0][1], visible=True)
    files = [str(path) for path in summary_files(summary, settings)]
    shown[page.summary] = gr.File(files, visible=True)
    return {**shown, page.panel: summary_box(counted)}


def _ships(outcome: Outcome, settings: Settings) -> int:
    assert outcome.folder is not None
    return len(pipeline.open_run(run_folder(outcome.folder.name, settings)).detections)


def _started(page: Page) -> Updates:
    return {page.panel: html.WAITING, **_buttons(page, running=True)}


def _stopped(page: Page, message: str) -> Updates:
    return {page.panel: message, page.results.ships: "", **_buttons(page, running=False)}


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
