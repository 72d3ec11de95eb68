"""A run's pictures, crops, table and files on the page."""

from typing import Any

import gradio as gr

from shipdet.pipeline import Run
from shipdet.report.run import PREVIEW
from shipdet.ui import html
from shipdet.ui.layout import Page

Updates = dict[Any, Any]  # keyed by component or container, as gradio takes it


def result_components(page: Page) -> list[Any]:
    """The results' components that the functions below update."""
    shown = page.results
    return [
        shown.empty, shown.section, shown.slider, shown.picture, shown.overlay, shown.crops,
        shown.table, shown.ships, *shown.downloads.values(),
    ]  # fmt: skip


def show_numbers(page: Page, run: Run) -> Updates:
    """Updates of what needs no file: the count, the table and the map."""
    return {
        page.panel: html.finished_box(run),
        page.results.table: html.table_rows(run.detections),
        page.results.ships: html.ships_on_map(run.detections),
    }


def show_results(page: Page, run: Run) -> Updates:
    """Updates of the pictures and files of a run."""
    shown, files, found = page.results, run.files, run.detections
    sharpened = "upscaled" in files
    # A browser does not show a picture of hundreds of millions of pixels.
    raw = str(run.folder / PREVIEW if run.record["raw"].get("large") else files["raw"])
    pair = (raw, str(run.folder / PREVIEW)) if sharpened else None
    crops = zip(map(str, run.chips), html.captions(found.items), strict=False)
    return {
        shown.empty: gr.HTML(visible=False),
        shown.section: gr.Column(visible=True),
        shown.slider: gr.ImageSlider(pair, visible=sharpened),
        shown.picture: gr.Image(None if sharpened else raw, visible=not sharpened),
        shown.overlay: str(files["overlay"]),
        shown.crops: list(crops),
        **{
            button: gr.DownloadButton(value=str(files[kind]), visible=True)
            if kind in files
            else gr.DownloadButton(value=None, visible=False)
            for kind, button in shown.downloads.items()
        },
    }


def clear_results(page: Page) -> Updates:
    """Updates that take the last run off the page."""
    return {
        page.results.empty: gr.HTML(visible=True),
        page.results.section: gr.Column(visible=False),
        page.results.ships: "",
    }
