"""Layout of the page; its events are in events.py."""

from dataclasses import dataclass, fields

import gradio as gr
from gradio.components import Component

from shipdet import pipeline
from shipdet.computing import DeviceSetting, PrecisionSetting
from shipdet.pipeline.batch import IMAGE_SUFFIXES
from shipdet.pipeline.choosing import MIN_SCORE
from shipdet.requests import MIN_LENGTH_M
from shipdet.settings import Settings
from shipdet.ui import html
from shipdet.ui.choices import default_threshold, model_choices
from shipdet.ui.source_inputs import (
    AisInputs,
    AreaInputs,
    DateParts,
    MapInputs,
    PictureInputs,
    dropdown,
    lay_out_ais,
    lay_out_imagery,
    lay_out_map,
    lay_out_picture,
)

SUPER_RESOLUTION = [("Off", "none"), ("×4", "x4"), ("×16", "x16")]
DEVICES: list[tuple[str, DeviceSetting]] = [
    ("Automatic", "auto"),
    ("CPU", "cpu"),
    ("CUDA GPU", "cuda"),
]
PRECISIONS: list[tuple[str, PrecisionSetting]] = [
    ("Automatic", "auto"),
    ("32 bits (fp32)", "fp32"),
    ("16 bits (bf16)", "bf16"),
    ("16 bits (fp16)", "fp16"),
    ("8 bits (int8)", "int8"),
]


@dataclass
class SearchInputs:
    """Inputs of super-resolution and search, named like the fields of requests.Search."""

    upscale: gr.Radio
    threshold: gr.Slider
    min_length_m: gr.Number
    model: gr.Dropdown
    upscaler: gr.Dropdown
    selective: gr.Checkbox
    backend: gr.Dropdown
    device: gr.Dropdown
    precision: gr.Dropdown
    image_format: gr.Dropdown
    quality: gr.Number
    map: gr.Checkbox
    name: gr.Textbox


@dataclass
class Results:
    """Components that show a run."""

    empty: gr.HTML
    section: gr.Column
    viewer: gr.HTML
    shown: gr.Textbox  # id of the displayed run, hidden
    changed: gr.Textbox  # the viewer's last change, hidden
    ships: gr.Textbox  # GeoJSON for the map, hidden


@dataclass
class Page:
    """All components that the events use."""

    map: MapInputs
    sources: gr.Tabs
    area_tab: gr.Tab
    picture_tab: gr.Tab
    area: AreaInputs
    dates: DateParts
    zoom_reason: gr.HTML
    area_file: gr.File
    picture: PictureInputs
    thumbnail: gr.HTML
    ais: AisInputs
    search: SearchInputs
    estimate: gr.HTML
    detect: gr.Button
    cancel: gr.Button
    sample: gr.Button
    images: gr.UploadButton
    panel: gr.HTML
    several: gr.Dropdown  # selects the displayed run after several searches
    summary: gr.File  # of several searches
    results: Results


def components(group: AreaInputs | SearchInputs | PictureInputs) -> list[Component]:
    """Return the components of a group in the order of its fields."""
    return [getattr(group, field.name) for field in fields(group)]


def lay_out(settings: Settings) -> Page:
    """Lay out the page in the current Blocks."""
    gr.HTML(
        '<header class="sd-header"><h1>shipdet</h1>'
        "<p>Finds ships in satellite imagery</p>"
        '<nav aria-label="Pages"><a href="runs" target="_blank">History</a></nav></header>',
        padding=False,
    )
    with gr.Row(elem_classes="sd-main", equal_height=False):
        with gr.Column(scale=6, min_width=340, elem_classes="sd-map-column"):
            chart, box = lay_out_map(settings)
        with gr.Column(scale=4, min_width=320, elem_classes="sd-settings"):
            with gr.Tabs(elem_classes="sd-sources") as sources:
                with gr.Tab("Map area", id="area") as area_tab:
                    area, dates, reason, area_file = lay_out_imagery(settings, box)
                with gr.Tab("Your images", id="picture") as picture_tab:
                    picture, thumbnail = lay_out_picture(settings)
            ais = lay_out_ais()
            search = _search(settings)
        with gr.Column(scale=3, min_width=280, elem_classes="sd-progress"):
            estimate = gr.HTML(html.hint("Estimating …"), elem_id="estimate", padding=False)
            with gr.Row():
                detect = gr.Button(
                    "Detect ships",
                    variant="primary",
                    size="lg",
                    scale=3,
                    min_width=160,
                    elem_id="detect",
                )
                cancel = gr.Button(
                    "Cancel", interactive=False, size="lg", scale=1, min_width=80, elem_id="cancel"
                )
            with gr.Row():
                sample_button = gr.Button(
                    "Try the sample", size="md", min_width=110, elem_id="sample"
                )
                images = gr.UploadButton(
                    "Open images",
                    file_types=[*IMAGE_SUFFIXES],
                    file_count="multiple",
                    type="filepath",
                    size="md",
                    min_width=110,
                    elem_id="open-images",
                )
            panel = gr.HTML(html.IDLE, elem_id="panel", padding=False)
            several = gr.Dropdown(
                [], label="Results of", visible=False, filterable=False, elem_id="several"
            )
            summary = gr.File(
                label="Summary of all searches",
                file_count="multiple",
                interactive=False,
                visible=False,
                elem_id="summary",
            )
    results = _results()
    return Page(
        chart, sources, area_tab, picture_tab, area, dates, reason, area_file, picture, thumbnail,
        ais, search,
        estimate, detect, cancel, sample_button, images, panel, several, summary, results,
    )  # fmt: skip


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
            MIN_SCORE,
            0.999,
            default_threshold(settings.classifier, settings),
            step=0.001,
            label="Threshold",
            scale=2,
            min_width=120,
            elem_id="threshold",
        )
    selective = gr.Checkbox(
        True,
        label="Super-resolution only around possible ships",
        info="The raw image is searched first; super-resolution is applied "
        "around candidates, and the rest is interpolated.",
        visible=False,  # until super-resolution is selected
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
            backend = dropdown(
                "Backend",
                [
                    ("Automatic", "auto"),
                    *(
                        (html.BACKENDS[name] + ("" if available else " (not available)"), name)
                        for name, available, _ in states
                    ),
                ],
                settings.backend,
            )
        missing = [f"{reason}." for _, available, reason in states if not available]
        if missing:
            gr.HTML(html.hint(" ".join(missing)), elem_classes="sd-reason", padding=False)
        with gr.Row():
            device = dropdown("Device", DEVICES, settings.device)
            precision = dropdown("Number format", PRECISIONS, settings.precision)
        with gr.Row():
            image_format = dropdown("Image format", [("PNG", "png"), ("JPEG", "jpg")], "png")
            quality = gr.Number(
                90, label="JPEG quality", minimum=1, maximum=95, precision=0, min_width=100
            )
        name = gr.Textbox(
            label="File name", placeholder="optional prefix of file names", max_lines=1
        )
    return SearchInputs(
        upscale, threshold, min_length_m, model, upscaler, selective, backend, device,
        precision, image_format, quality, map_layer, name,
    )  # fmt: skip


def _model(label: str, task: str, preferred: str, settings: Settings) -> gr.Dropdown:
    choices = model_choices(task, settings)
    there = preferred in (name for _, name in choices)
    return dropdown(label, choices, preferred if there else None)


def _results() -> Results:
    gr.HTML('<h2 class="sd-results">Results</h2>', padding=False)
    empty = gr.HTML(html.NO_RESULTS, padding=False)
    with gr.Column(visible=False, elem_id="results") as section:
        viewer = gr.HTML(padding=False, elem_id="viewer")
    shown, changed, ships = (
        gr.Textbox(elem_id=name, elem_classes="sd-hidden", container=False)
        for name in ("shown-run", "changed-run", "map-ships")
    )
    return Results(empty, section, viewer, shown, changed, ships)
