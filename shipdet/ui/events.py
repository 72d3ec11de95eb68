"""Events of the page: which function each one calls and which components it updates."""

import gradio as gr

from shipdet.settings import Settings
from shipdet.ui.layout import Page
from shipdet.ui.place_events import wire_places
from shipdet.ui.run_events import wire_runs
from shipdet.ui.source_events import wire_map, wire_settings


def wire(page: Page, blocks: gr.Blocks, settings: Settings) -> None:
    """Connect the page's components."""
    source = gr.State("area")  # the open tab
    wire_map(page, blocks)
    wire_places(page, source, settings)
    wire_settings(page, blocks, source, settings)
    wire_runs(page, blocks, source, settings)
