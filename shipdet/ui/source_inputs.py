"""Inputs of the source: the map, an area's imagery, and uploaded images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import gradio as gr

from shipdet.area_files import GEOPACKAGE, SUFFIXES
from shipdet.imagery import catalog
from shipdet.pipeline.batch import IMAGE_SUFFIXES
from shipdet.requests import Priority, StretchName
from shipdet.settings import Settings
from shipdet.ui import html
from shipdet.ui.choices import STATED_BANDS, sample_area, sample_zoom, zoom_choices
from shipdet.ui.map import map_component

AREA_FILES = [*SUFFIXES, GEOPACKAGE]
STRETCHES: list[tuple[str, StretchName]] = [
    ("Automatic", "auto"),
    ("2nd to 98th percentile", "percentile"),
    ("Lowest to highest", "minmax"),
    ("None, clipped at 255", "none"),
]
#: Choices until an image states its bands; others can be typed.
BANDS = [(STATED_BANDS, STATED_BANDS), ("1, 2, 3", "1,2,3"), ("3, 2, 1", "3,2,1")]
MAP_PX = 480
UPLOAD_PX = 160  # tall enough that the label does not cover the icon

Box = tuple[gr.Number, gr.Number, gr.Number, gr.Number]


@dataclass
class MapInputs:
    """Hidden text boxes with messages between page and map, and the place search."""

    box: gr.Textbox  # the area's box, from the map
    polygon: gr.Textbox  # its GeoJSON if it is a polygon
    layer: gr.Textbox  # the imagery to show
    others: gr.Textbox  # areas of a file and outlines of images, GeoJSON
    target: gr.Textbox  # where the map moves
    place: gr.Textbox  # the text to find
    go: gr.Button
    found: gr.Radio  # several places that match
    message: gr.HTML
    picture: gr.HTML  # an image without a georeference, instead of the map


@dataclass
class AreaInputs:
    """Inputs of the area and its imagery."""

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
class DateParts:
    """Components that are shown only for dated imagery."""

    section: gr.Column
    acquisitions: gr.Column
    list_them: gr.Button
    listed: gr.HTML


@dataclass
class PictureInputs:
    """Inputs of images; all but ``files`` are named like fields of requests.ImageRequest."""

    files: gr.File
    gsd_m: gr.Number
    bands: gr.Dropdown
    stretch: gr.Dropdown


@dataclass
class AisInputs:
    """The AIS file to match ships with."""

    file: gr.File
    sample: gr.Checkbox
    acquired: gr.Textbox
    known: gr.Textbox  # acquisition time of the imagery, hidden
    offered: gr.Textbox  # the time that the page filled in, hidden
    message: gr.HTML


def hidden(name: str, value: str = "") -> gr.Textbox:
    """Return a hidden text box for scripts."""
    return gr.Textbox(value, elem_id=name, elem_classes="sd-hidden", container=False)


def lay_out_map(settings: Settings) -> tuple[MapInputs, Box]:
    """Lay out the place search, the map, its hidden messages and the area's four numbers."""
    area = sample_area()
    with gr.Column(elem_classes="sd-goto"):
        with gr.Row(equal_height=True):
            place = gr.Textbox(
                label="Go to a place",
                placeholder="port or city, 36.13 -5.43, map link, bbox, z/x/y",
                max_lines=1,
                max_length=2000,
                container=False,
                scale=5,
                min_width=120,
                elem_id="place",
            )
            go = gr.Button("Go", size="md", min_width=56, scale=0, elem_id="go")
        found = gr.Radio([], label="Several places match", visible=False, elem_id="places")
        message = gr.HTML("", visible=False, padding=False, elem_id="place-message")
    map_component(catalog(settings).values(), "sample", area, MAP_PX)
    picture = gr.HTML("", padding=False, elem_id="own-picture")
    box, polygon, layer, others, target = (
        hidden(f"map-{name}") for name in ("box", "polygon", "layer", "others", "target")
    )
    with gr.Row(elem_classes="sd-numbers"):
        west, south, east, north = (
            gr.Number(value, label=label, min_width=70, elem_id=label.lower())
            for label, value in zip(
                ("West", "South", "East", "North"), area.as_tuple(), strict=True
            )
        )
    parts = MapInputs(box, polygon, layer, others, target, place, go, found, message, picture)
    return parts, (west, south, east, north)


def lay_out_imagery(settings: Settings, box: Box) -> tuple[AreaInputs, DateParts, gr.HTML, gr.File]:
    """Lay out provider, zoom, dates and acquisitions of an area, and the area file."""
    providers = catalog(settings)
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
    with gr.Column(visible=False) as section:
        with gr.Row():
            date_from = gr.Textbox(
                label="From", placeholder="2024-05-01", min_width=90, elem_id="date-from"
            )
            date_to = gr.Textbox(
                label="To", placeholder="2024-05-31", min_width=90, elem_id="date-to"
            )
            max_cloud = gr.Slider(0, 100, 20, step=5, label="Cloud cover up to (%)", min_width=110)
            priority = dropdown(
                "Priority of acquisitions",
                [(name or "Default", name) for name in get_args(Priority)],
                "",
            )
        with gr.Column() as acquisitions:
            with gr.Row(equal_height=True):
                acquisition = gr.Textbox(
                    label="Acquisition",
                    placeholder="newest clear one",
                    max_length=200,
                    max_lines=1,
                    min_width=90,
                    scale=3,
                    elem_id="acquisition",
                )
                list_them = gr.Button(
                    "List acquisitions", size="md", min_width=130, scale=1, elem_id="acquisitions"
                )
            listed = gr.HTML("", padding=False, elem_id="acquisition-list")
    with gr.Accordion("Areas from a file", open=False, elem_classes="sd-more"):
        area_file = gr.File(
            label="GeoJSON, KML, KMZ, GeoPackage, WKT or CSV",
            file_types=AREA_FILES,
            type="filepath",
            height=UPLOAD_PX,
            elem_id="area-file",
        )
    area = AreaInputs(
        *box, provider, zoom_input, date_from, date_to, max_cloud, priority, acquisition
    )
    return area, DateParts(section, acquisitions, list_them, listed), reason_line, area_file


def lay_out_picture(settings: Settings) -> tuple[PictureInputs, gr.HTML]:
    """Lay out the upload of images, their reading options and the preview."""
    files = gr.File(
        label=f"PNG, JPEG or GeoTIFF, up to {settings.max_upload_mb} MB each",
        file_types=[*IMAGE_SUFFIXES],
        file_count="multiple",
        type="filepath",
        height=UPLOAD_PX,
        elem_id="picture",
    )
    gsd_m = gr.Number(
        None,
        label="Meters per pixel (GSD)",
        placeholder="from the file",
        info="Needed only if the image has no georeference.",
        elem_id="gsd",
    )
    with gr.Row():
        bands = gr.Dropdown(
            BANDS,
            value=STATED_BANDS,
            label="Bands",
            info="Red, green and blue, or one gray band.",
            allow_custom_value=True,
            min_width=100,
            elem_id="bands",
        )
        stretch = gr.Dropdown(
            STRETCHES,
            value="auto",
            label="Stretch",
            info="Conversion of values to 8 bits.",
            filterable=False,
            min_width=100,
            elem_id="stretch",
        )
    thumbnail = gr.HTML("", padding=False, elem_id="thumbnail")
    return PictureInputs(files, gsd_m, bands, stretch), thumbnail


def lay_out_ais() -> AisInputs:
    """Lay out the upload of an AIS file and the time of the image."""
    sample = gr.Checkbox(
        label="Match with the sample's AIS file",
        info="One ship sends no AIS, one reports a wrong position, one is not in the image.",
        elem_id="sample-ais",
    )
    with gr.Accordion("Identify ships with AIS", open=False, elem_classes="sd-more"):
        file = gr.File(
            label="CSV or Parquet from MarineCadastre or the Danish Maritime Authority",
            type="filepath",
            height=UPLOAD_PX,
            elem_id="ais",
        )
        acquired = gr.Textbox(
            label="Time of the image",
            placeholder="2024-05-01T10:56:00Z",
            info="With time zone; filled in if the imagery contains it.",
            max_lines=1,
            max_length=40,
            elem_id="acquired",
        )
        message = gr.HTML("", padding=False, elem_id="ais-message")
    known, offered = hidden("acquired-known"), hidden("acquired-offered")
    return AisInputs(file, sample, acquired, known, offered, message)


def dropdown(
    label: str, choices: Sequence[tuple[str, str | int]], value: str | int | None
) -> gr.Dropdown:
    """Return a drop-down list."""
    return gr.Dropdown(list(choices), value=value, label=label, filterable=False, min_width=100)
