"""Where the image comes from: the map, an area's imagery, and images of the visitor's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import gradio as gr

from shipdet.imagery import catalogue
from shipdet.requests import Priority
from shipdet.settings import Settings
from shipdet.ui import html
from shipdet.ui.choices import sample_area, sample_zoom, zoom_choices
from shipdet.ui.map import map_component

PICTURES = [".png", ".jpg", ".jpeg", ".tif", ".tiff"]

Box = tuple[gr.Number, gr.Number, gr.Number, gr.Number]


@dataclass
class AreaInputs:
    """Where the imagery comes from."""

    west: gr.Number
    south: gr.Number
    east: gr.Number
    north: gr.Number
    provider: gr.Dropdown
    zoom: gr.Dropdown
    date_from: gr.Textbox
    date_to: gr.Textbox
    max_cloud: gr.Slider
    priority: gr.Dropdown
    acquisition: gr.Textbox

    @property
    def bbox(self) -> list[gr.Number]:
        """West, south, east, north."""
        return [self.west, self.south, self.east, self.north]


def lay_out_map(settings: Settings) -> tuple[gr.Textbox, Box]:
    """The map, the rectangle that it tells, and its four numbers."""
    area = sample_area()
    map_component(catalogue(settings).values(), "sample", area)
    drawn = gr.Textbox(elem_id="map-box", elem_classes="sd-hidden", container=False)
    with gr.Row(elem_classes="sd-numbers"):
        west, south, east, north = (
            gr.Number(value, label=label, min_width=70, elem_id=label.lower())
            for label, value in zip(
                ("West", "South", "East", "North"), area.as_tuple(), strict=True
            )
        )
    return drawn, (west, south, east, north)


def lay_out_imagery(settings: Settings, box: Box) -> tuple[AreaInputs, gr.Row, gr.HTML]:
    """Provider, zoom and dates of an area."""
    providers = catalogue(settings)
    zoom, reason = sample_zoom(settings)
    with gr.Row():
        provider = gr.Dropdown(
            [(p.title, p.id) for p in providers.values()],
            value="sample",
            label="Imagery",
            filterable=False,
            scale=3,
            min_width=150,
            elem_id="provider",
        )
        zoom_input = gr.Dropdown(
            zoom_choices(providers["sample"], zoom),
            value="auto",
            label="Zoom",
            filterable=False,
            scale=2,
            min_width=120,
            elem_id="zoom",
        )
    reason_line = gr.HTML(html.hint(reason), elem_classes="sd-reason", padding=False)
    with gr.Row(visible=False) as dates:
        date_from = gr.Textbox(label="From", placeholder="2024-05-01", min_width=90)
        date_to = gr.Textbox(label="To", placeholder="2024-05-31", min_width=90)
        max_cloud = gr.Slider(0, 100, 20, step=5, label="Cloud cover up to %", min_width=110)
        priority = dropdown(
            "First of several", [(name or "Default", name) for name in get_args(Priority)], ""
        )
        acquisition = gr.Textbox(
            label="Acquisition", placeholder="the newest clear one", max_length=200, min_width=90
        )
    area = AreaInputs(
        *box, provider, zoom_input, date_from, date_to, max_cloud, priority, acquisition
    )
    return area, dates, reason_line


def lay_out_picture(settings: Settings) -> tuple[gr.File, gr.Number]:
    """The upload of an image and its scale."""
    picture = gr.File(
        label=f"PNG, JPEG or GeoTIFF, up to {settings.max_upload_mb} MB",
        file_types=PICTURES,
        type="filepath",
        height=150,
        elem_id="picture",
    )
    gsd_m = gr.Number(
        None,
        label="Meters per pixel",
        info="Leave empty for a GeoTIFF that carries its own georeference.",
        elem_id="gsd",
    )
    return picture, gsd_m


def dropdown(
    label: str, choices: Sequence[tuple[str, str | int]], value: str | int | None
) -> gr.Dropdown:
    """A list to choose one of."""
    return gr.Dropdown(list(choices), value=value, label=label, filterable=False, min_width=100)
