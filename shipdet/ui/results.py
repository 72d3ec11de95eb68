"""A run on the page: the panel with its count, and its viewer in a frame."""

from html import escape
from typing import Any
from urllib.parse import quote

import gradio as gr

from shipdet.pipeline import Run
from shipdet.ui import html
from shipdet.ui.layout import Page

Updates = dict[Any, Any]  # keyed by component or container, as gradio takes it


def result_components(page: Page) -> list[Any]:
    """The results' components that the functions below update."""
    shown = page.results
    return [shown.empty, shown.section, shown.viewer, shown.shown]


def show_run(page: Page, run: Run) -> Updates:
    """Updates that show a run: its count, and its viewer, which also tells the map its ships."""
    shown = page.results
    return {
        page.panel: html.finished_box(run),
        shown.empty: gr.HTML(visible=False),
        shown.section: gr.Column(visible=True),
        shown.viewer: viewer_frame(run.id),
        shown.shown: run.id,
    }


def clear_results(page: Page) -> Updates:
    """Updates that take the last run off the page."""
    return {
        page.results.empty: gr.HTML(visible=True),
        page.results.section: gr.Column(visible=False),
        page.results.viewer: "",
        page.results.shown: "",
    }


def viewer_frame(run_id: str) -> str:
    """The viewer of a run as a frame; its address is relative, for a proxy's path."""
    address = escape(f"runs/{quote(run_id)}")
    return f'<iframe src="{address}" title="Viewer of the run" class="sd-viewer"></iframe>'
