"""A run on the page: its viewer in a frame, and the files of several runs."""

import json
import secrets
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.utils import get_upload_folder

from shipdet import pipeline
from shipdet.detections import Detections, Sighted
from shipdet.errors import ShipdetError
from shipdet.pipeline import Run
from shipdet.report import BatchImage, run_folder, vector, write_summary
from shipdet.settings import Settings
from shipdet.ui.layout import Page
from shipdet.ui.streams import Outcome, Summary

Updates = dict[Any, Any]  # keyed by component or container, as gradio accepts it


def result_components(page: Page) -> list[Any]:
    """Return the components that the functions below update."""
    shown = page.results
    return [shown.empty, shown.section, shown.viewer, shown.shown]


def show_run(page: Page, run: Run) -> Updates:
    """Return updates that show a run in its viewer, which sends ships to the map."""
    shown = page.results
    return {
        shown.empty: gr.HTML(visible=False),
        shown.section: gr.Column(visible=True),
        shown.viewer: viewer_frame(run.id),
        shown.shown: run.id,
    }


#: Largest number of ships drawn during a search; the panel counts all.
MOST_SIGHTED = 500


def sighted_text(sighted: Sighted) -> str:
    """Return the best ships so far as JSON, for the map or the image in its place."""
    best = sorted(sighted.ships, key=lambda ship: -ship.score)[:MOST_SIGHTED]
    features = vector.geojson(Detections(tuple(best)))
    outlines = [ship.corners.round(1).tolist() for ship in best if ship.lon is None]
    size = [sighted.width, sighted.height]
    return json.dumps({**features, "early": True, "outlines": outlines, "size": size})


def kept_folder() -> Path:
    """Create a folder of files for a visitor, which gradio removes after ``UPLOADS_KEPT_S``."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder


def with_removed(summary: Summary, settings: Settings) -> Summary:
    """Replace the outcomes whose run has been removed since by errors.

    A batch that is larger than ``runs_max_gb`` removes its own first runs.
    """

    def checked(outcome: Outcome) -> Outcome:
        if outcome.folder is None:
            return outcome
        try:
            run_folder(outcome.folder.name, settings)
        except ShipdetError as error:
            return Outcome(outcome.name, None, str(error))
        return outcome

    return Summary(tuple(checked(outcome) for outcome in summary.outcomes))


def summary_files(summary: Summary, settings: Settings) -> list[Path]:
    """Write the tables, the GeoPackage and the page of several searches, as for a batch."""
    done = []
    for outcome in summary.outcomes:
        run = None
        if outcome.folder is not None:
            run = pipeline.open_run(run_folder(outcome.folder.name, settings))
        place = None if run is None else Path(run.id)  # shows no path of this machine
        done.append(BatchImage(Path(outcome.name), place, run, outcome.error))
    return write_summary(kept_folder(), done)


def clear_results(page: Page) -> Updates:
    """Return updates that remove the last run from the page."""
    return {
        page.results.empty: gr.HTML(visible=True),
        page.results.section: gr.Column(visible=False),
        page.results.viewer: "",
        page.results.shown: "",
    }


def viewer_frame(run_id: str) -> str:
    """Return a run's viewer as an iframe; its relative address works behind a proxy's path."""
    address = escape(f"runs/{quote(run_id)}")
    return f'<iframe src="{address}" title="Viewer of the run" class="sd-viewer"></iframe>'
