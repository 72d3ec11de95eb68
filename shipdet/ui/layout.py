"""Layout of the page; its events are in events.py."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import get_args

import gradio as gr
from gradio.components import Component

from shipdet import pipeline
from shipdet.imagery import catalogue
from shipdet.requests import MIN_LENGTH_M, Priority
from shipdet.settings import Settings
from shipdet.ui import html
from shipdet.ui.choices import (
    default_threshold,
    model_choices,
    sample_area,
    sample_zoom,
    zoom_choices,
)
from shipdet.ui.map import map_component

SUPER_RESOLUTION = [("Off", "none"), ("×4", "x4"), ("×16", "x16")]
PICTURES = [".png", ".jpg", ".jpeg", ".tif", ".tiff"]
DEVICES = [("Automatic", "auto"), ("Processor", "cpu"), ("CUDA GPU", "cuda")]
DOWNLOADS = {
    "raw": "Image",
    "upscaled": "Super-resolution",
    "overlay": "Overlay",
    "mosaic": "GeoTIFF",
    "geojson": "GeoJSON",
    "csv": "CSV",
    "record": "run.json",
    "zip": "Results (ZIP)",
}


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


@dataclass
class SearchInputs:
    """How to enlarge and search; the names are those of requests.Search."""

    upscale: gr.Radio
    threshold: gr.Slider
    min_length_m: gr.Number
    model: gr.Dropdown
    upscaler: gr.Dropdown
    selective: gr.Checkbox
    backend: gr.Dropdown
    device: gr.Dropdown
    image_format: gr.Dropdown
    quality: gr.Number
    map: gr.Checkbox
    name: gr.Textbox


@dataclass
class Results:
    """What a run fills in."""

    empty: gr.HTML
    section: gr.Column
    slider: gr.ImageSlider
    picture: gr.Image
    overlay: gr.Image
    crops: gr.Gallery
    table: gr.Dataframe
    downloads: dict[str, gr.DownloadButton]
    ships: gr.Textbox  # GeoJSON for the map, hidden


@dataclass
class Page:
    """Everything on the page that events.py needs."""

    drawn: gr.Textbox  # the rectangle as the map sends it, hidden
    sources: gr.Tabs
    area_tab: gr.Tab
    picture_tab: gr.Tab
    area: AreaInputs
    dates: gr.Row
    zoom_reason: gr.HTML
    picture: gr.File
    gsd_m: gr.Number
    search: SearchInputs
    estimate: gr.HTML
    detect: gr.Button
    cancel: gr.Button
    sample: gr.Button
    panel: gr.HTML
    results: Results


def components(group: AreaInputs | SearchInputs) -> list[Component]:
    """The components of a group in the order of its fields."""
    return [getattr(group, field.name) for field in fields(group)]


def lay_out(settings: Settings) -> Page:
    """Put the page together inside the current Blocks."""
    gr.HTML(
        '<header class="sd-header"><h1>shipdet</h1>'
        "<p>Finds ships in satellite imagery</p></header>",
        padding=False,
    )
    with gr.Row(elem_classes="sd-main", equal_height=False):
        with gr.Column(scale=6, min_width=340, elem_classes="sd-map-column"):
            drawn, box = _map_and_numbers(settings)
        with gr.Column(scale=4, min_width=320, elem_classes="sd-settings"):
            with gr.Tabs(elem_classes="sd-sources") as sources:
                with gr.Tab("Map area", id="area") as area_tab:
                    area, dates, reason = _imagery(settings, box)
                with gr.Tab("Your image", id="picture") as picture_tab:
                    picture, gsd_m = _own_picture(settings)
            search = _search(settings)
        with gr.Column(scale=3, min_width=280, elem_classes="sd-progress"):
            estimate = gr.HTML(html.hint("Estimating …"), elem_id="estimate", padding=False)
            detect = gr.Button("Detect ships", variant="primary", size="lg", elem_id="detect")
            with gr.Row():
                cancel = gr.Button(
                    "Cancel", interactive=False, size="md", min_width=90, elem_id="cancel"
                )
                sample_button = gr.Button(
                    "Try the sample", size="md", min_width=130, elem_id="sample"
                )
            panel = gr.HTML(html.IDLE, elem_id="panel", padding=False)
    results = _results()
    return Page(
        drawn, sources, area_tab, picture_tab, area, dates, reason, picture, gsd_m, search,
        estimate, detect, cancel, sample_button, panel, results,
    )  # fmt: skip


def _map_and_numbers(settings: Settings) -> tuple[gr.Textbox, Box]:
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


def _imagery(settings: Settings, box: Box) -> tuple[AreaInputs, gr.Row, gr.HTML]:
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
        priority = _dropdown(
            "First of several", [(name or "Default", name) for name in get_args(Priority)], ""
        )
        acquisition = gr.Textbox(
            label="Acquisition", placeholder="the newest clear one", max_length=200, min_width=90
        )
    area = AreaInputs(
        *box, provider, zoom_input, date_from, date_to, max_cloud, priority, acquisition
    )
    return area, dates, reason_line


def _own_picture(settings: Settings) -> tuple[gr.File, gr.Number]:
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


def _search(settings: Settings) -> SearchInputs:
    with gr.Row():
        upscale = gr.Radio(
            SUPER_RESOLUTION,
            value="none",
            label="Super-resolution",
            scale=3,
            min_width=210,
            elem_id="upscale",
        )
        threshold = gr.Slider(
            0.1,
            0.95,
            default_threshold(settings.classifier, settings),
            step=0.01,
            label="Threshold",
            scale=2,
            min_width=120,
            elem_id="threshold",
        )
    selective = gr.Checkbox(
        label="Super-resolution only where ships could be",
        info="The raw image is searched first; super-resolution is applied "
        "around what could be a ship, and the rest is interpolated.",
        visible=False,  # until super-resolution is chosen
        elem_id="selective",
    )
    with gr.Accordion("More settings", open=False, elem_classes="sd-more"):
        with gr.Row():
            min_length_m = gr.Number(
                MIN_LENGTH_M, label="Shortest ship (m)", minimum=0, elem_id="min-length"
            )
            map_layer = gr.Checkbox(label="Write the map of water and hulls", elem_id="water-map")
        with gr.Row():
            model = _model("Ship model", "ship-classification", settings.classifier, settings)
            upscaler = _model("Upscaler", "super-resolution", settings.upscaler, settings)
        states = pipeline.backends()
        with gr.Row():
            backend = _dropdown(
                "Backend",
                [
                    (html.BACKENDS[name] + ("" if available else " (not here)"), name)
                    for name, available, _ in states
                ],
                settings.backend,
            )
        missing = [f"{reason}." for _, available, reason in states if not available]
        if missing:
            gr.HTML(html.hint(" ".join(missing)), elem_classes="sd-reason", padding=False)
        with gr.Row():
            device = _dropdown("Device", DEVICES, settings.device)
            image_format = _dropdown("Image format", [("PNG", "png"), ("JPEG", "jpg")], "png")
            quality = gr.Number(
                90, label="JPEG quality", minimum=1, maximum=95, precision=0, min_width=100
            )
        name = gr.Textbox(label="File name", placeholder="optional, names the results", max_lines=1)
    return SearchInputs(
        upscale, threshold, min_length_m, model, upscaler, selective, backend, device,
        image_format, quality, map_layer, name,
    )  # fmt: skip


def _model(label: str, task: str, preferred: str, settings: Settings) -> gr.Dropdown:
    choices = model_choices(task, settings)
    there = preferred in (name for _, name in choices)
    return _dropdown(label, choices, preferred if there else None)


def _dropdown(
    label: str, choices: Sequence[tuple[str, str | int]], value: str | int | None
) -> gr.Dropdown:
    return gr.Dropdown(list(choices), value=value, label=label, filterable=False, min_width=100)


def _results() -> Results:
    gr.HTML('<h2 class="sd-results">Results</h2>', padding=False)
    empty = gr.HTML(html.NO_RESULTS, padding=False)
    with gr.Column(visible=False, elem_id="results") as section:
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                slider = gr.ImageSlider(
                    label="Input: raw and with super-resolution",
                    type="filepath",
                    format="png",
                    interactive=False,
                    visible=False,
                    max_height=560,
                )
                picture = gr.Image(
                    label="Input",
                    type="filepath",
                    format="png",
                    interactive=False,
                    elem_id="input",
                )
            with gr.Column(min_width=320):
                overlay = gr.Image(
                    label="Detections",
                    type="filepath",
                    format="png",
                    interactive=False,
                    elem_id="overlay",
                )
        crops = gr.Gallery(
            label="Every ship",
            columns=8,
            height="auto",
            object_fit="contain",
            format="png",
            interactive=False,
            elem_id="crops",
        )
        table = gr.Dataframe(
            headers=list(html.TABLE_COLUMNS),
            label="Detections",
            interactive=False,
            max_height=420,
            elem_id="table",
        )
        with gr.Row(elem_classes="sd-downloads"):
            downloads = {
                kind: gr.DownloadButton(title, size="sm", min_width=120, elem_id=f"download-{kind}")
                for kind, title in DOWNLOADS.items()
            }
    ships = gr.Textbox(elem_id="map-ships", elem_classes="sd-hidden", container=False)
    return Results(empty, section, slider, picture, overlay, crops, table, downloads, ships)
