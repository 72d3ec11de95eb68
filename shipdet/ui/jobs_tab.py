"""The Jobs tab: submit, watch, open, cancel, retry. It requires a configured cluster."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from shipdet.area_files import GEOPACKAGE, SUFFIXES, Entry, name_areas, read_area_file
from shipdet.areas import parse_area
from shipdet.cluster import submit
from shipdet.cluster.engines import health
from shipdet.cluster.engines.objects import ObjectStore, file_name
from shipdet.cluster.jobs.message import NOT_SUBMITTED, JobMessage, job_areas
from shipdet.cluster.store import queries
from shipdet.cluster.store.job_store import Store
from shipdet.errors import BadArea, NotYours, ShipdetError
from shipdet.options import option_fields
from shipdet.requests import AreaRequest, Search
from shipdet.settings import Settings
from shipdet.ui import html, jobs_html
from shipdet.ui.forms import Values, area_request, drawn_box, request_inputs
from shipdet.ui.layout import Page
from shipdet.ui.source_events import AT_ONCE, UNSEEN

POLL_S = 2.0
SHOWN = 100  # jobs in the table
Updates = dict[Component, Any]
Listener = Callable[..., Any]  # registers a function for an event, such as gr.Tab.select

log = logging.getLogger(__name__)


def add_jobs(page: Page, settings: Settings, opened: Listener, left: Listener) -> None:
    """Lay out the tab in the current Blocks; area and search come from the page.

    The tab is refreshed only between ``opened`` and ``left``, because each refresh waits in the
    same queue as the searches of all pages.
    """
    store = submit.open_store(settings)
    mine = gr.State([])  # ids submitted from this page; stored on the server, so not forgeable
    with gr.Row():
        name = gr.Textbox(label="Name", placeholder="letters, digits, . _ -", max_lines=1)
        submit_area = gr.Button("Submit the drawn area", variant="primary", elem_id="submit-job")
        file = gr.File(label="Area file: GeoJSON, CSV, WKT, KML, KMZ or GeoPackage",
                       file_types=[*SUFFIXES, GEOPACKAGE], height=150)  # fmt: skip
        submit_file = gr.Button("Submit the file", elem_id="submit-file")
    outcome = gr.HTML(padding=False, elem_id="job-message")
    engines = gr.HTML(padding=False, elem_id="engines")
    table = gr.HTML(jobs_html.NO_JOBS, padding=False, elem_id="jobs")
    with gr.Row():
        chosen = gr.Dropdown([], label="Job", interactive=True, elem_id="job")
        cancel = gr.Button("Cancel the job", min_width=90)
        retry = gr.Button("Try again", min_width=90)
    card = gr.HTML(jobs_html.OPEN_A_JOB, padding=False, elem_id="job-card")

    def refresh() -> Updates:
        return _refresh(store, table, chosen)

    def send(values: Values, messages: Callable[[], Sequence[JobMessage]]) -> Updates:
        try:
            text, new = _send(messages(), store, settings)
        except ShipdetError as error:
            return {outcome: html.error_box(error)}
        return {outcome: html.hint(text), mine: [*values[mine], *new]}

    def send_area(values: Values) -> Updates:
        return send(values, lambda: drawn_jobs(page, values, str(values[name])))

    def send_file(values: Values) -> Updates:
        return send(values, lambda: _messages_of_file(page, values, name, file))

    def stop(id_: str | None, own: list[str]) -> Updates:
        return _answer(outcome, lambda: _cancel(store, id_, own, settings))

    def requeue(id_: str | None, own: list[str]) -> Updates:
        return _answer(outcome, lambda: _retry(store, id_, own, settings))

    def open_job(id_: str | None) -> Updates:
        return _open(store, id_, settings, card, page)

    inputs: set[Any] = request_inputs(page) | {name, file, mine}
    submit_area.click(send_area, inputs, [outcome, mine], **UNSEEN)
    submit_file.click(send_file, inputs, [outcome, mine], **UNSEEN)
    chosen.input(open_job, chosen, [card, page.results.ships, *page.area.bbox], **UNSEEN)
    cancel.click(stop, [chosen, mine], outcome, **UNSEEN)
    retry.click(requeue, [chosen, mine], outcome, **UNSEEN)

    timers = [gr.Timer(POLL_S, active=False), gr.Timer(10 * POLL_S, active=False)]
    gr.on([opened, timers[0].tick], refresh, None, [table, chosen], **UNSEEN)
    gr.on(
        [opened, timers[1].tick],
        lambda: jobs_html.engines_line(health.engines(settings)),
        None,
        engines,
        **UNSEEN,
    )
    for listener, active in ((opened, True), (left, False)):
        listener(_each(timers, active), None, timers, **AT_ONCE)


def _each(timers: list[gr.Timer], active: bool) -> Callable[[], list[gr.Timer]]:
    return lambda: [gr.Timer(active=active) for _ in timers]


def _refresh(store: Store, table: gr.HTML, chosen: gr.Dropdown) -> Updates:
    try:
        jobs = queries.list_jobs(store, limit=SHOWN)
    except ShipdetError as error:
        return {table: html.error_box(error)}
    choices = [(f"{job['name']} · {job['status']}", job["id"]) for job in jobs]
    return {table: jobs_html.jobs_table(jobs), chosen: gr.update(choices=choices)}


def _answer(outcome: gr.HTML, act: Callable[[], str]) -> Updates:
    """Show the message of an action, or its error."""
    try:
        return {outcome: html.hint(act())}
    except ShipdetError as error:
        return {outcome: html.error_box(error)}


def drawn_jobs(page: Page, values: Values, name: str) -> list[JobMessage]:
    """Return jobs for the drawn rectangle or polygon, with the page's search options.

    An area across the antimeridian gives two.
    """
    polygon = values[page.map.polygon]
    area = json.loads(polygon) if polygon else list(drawn_box(page, values))
    return _jobs(page, values, [(name, area)])


def jobs_of_file(page: Page, values: Values, path: Path, prefix: str) -> list[JobMessage]:
    """Return jobs for the areas of a file, with the page's search options."""
    return _jobs(page, values, name_areas(read_area_file(path), prefix))


def _jobs(page: Page, values: Values, areas: Sequence[Entry]) -> list[JobMessage]:
    return [
        _message(part, side, area_request(page, values, parse_area(side).box.as_tuple()))
        for name, area in areas
        for part, side in job_areas(area, name)
    ]


def _message(name: str, area: Any, request: AreaRequest) -> JobMessage:
    options = {**request.model_dump(), **request.search.model_dump()}
    known = option_fields(AreaRequest, Search, leave_out=NOT_SUBMITTED)
    sent = {key: options[key] for key, _ in known}
    return JobMessage.from_options(name, area, "", sent)


def _messages_of_file(
    page: Page, values: Values, name: gr.Textbox, file: gr.File
) -> list[JobMessage]:
    if not values[file]:
        raise BadArea("Select an area file first.")
    return jobs_of_file(page, values, Path(values[file]), str(values[name] or ""))


def _send(
    messages: Sequence[JobMessage], store: Store, settings: Settings
) -> tuple[str, list[str]]:
    """Submit jobs; return a message and the ids of the new jobs.

    Submitting another person's request again must not give the right to cancel it.
    """
    known = queries.known_ids(store, [message.id for message in messages])
    ids = submit.submit(messages, settings)
    first = messages[0]
    outcome = f"{first.name} ({first.id})" if len(ids) == 1 else f"{len(ids)} jobs"
    return f"Submitted {outcome}.", [id_ for id_ in ids if id_ not in known]


def check_control(job_id: str, own: Sequence[str], settings: Settings) -> None:
    """Raise NotYours if a page that submitted ``own`` may not cancel or retry a job."""
    if not settings.cluster_visitors_control and job_id not in own:
        raise NotYours(
            "This job was not submitted from this page: only the operator can cancel or retry it, "
            "with `shipdet jobs`."
        )


def _cancel(store: Store, id_: str | None, own: Sequence[str], settings: Settings) -> str:
    job = store.job(id_ or "")
    check_control(job["id"], own, settings)
    return f"{submit.cancel(store, job['id'])['name']} is cancelled."


def _retry(store: Store, id_: str | None, own: Sequence[str], settings: Settings) -> str:
    job = store.job(id_ or "")
    check_control(job["id"], own, settings)
    return f"{submit.retry(store, job['id'], settings)['name']} is queued again."


def _open(store: Store, id_: str | None, settings: Settings, card: gr.HTML, page: Page) -> Updates:
    """Show a job's card, and its area and ships on the map."""
    try:
        job = queries.show_job(store, id_ or "")
        card_text = jobs_html.job_card(job, addresses(job, settings))
    except ShipdetError as error:
        return {card: html.error_box(error)}
    sides = ("west", "south", "east", "north")
    numbers = zip(page.area.bbox, (round(job[side], 6) for side in sides), strict=True)
    ships = json.dumps(jobs_html.ships_geojson(job))
    return {card: card_text, page.results.ships: ships, **dict(numbers)}


def addresses(job: dict[str, Any], settings: Settings) -> dict[str, str]:
    """Return addresses of a job's files by kind, valid for some hours."""
    objects = ObjectStore(settings)
    return {
        result["kind"]: objects.address(
            result["object"],
            # The browser shows images and saves other files under a descriptive name.
            "" if result["kind"] in ("overlay", "preview")
            else file_name(job["name"], result["kind"], result["object"]),
        )
        for result in job["results"]
    }  # fmt: skip
