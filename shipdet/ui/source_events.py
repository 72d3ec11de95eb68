"""Events of the map and the settings, before a run."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import gradio as gr

from shipdet import pipeline
from shipdet.errors import BadArea, MissingScale, ShipdetError
from shipdet.imagery import Provider, get_provider, sample
from shipdet.imagery.providers import effective_provider
from shipdet.pipeline import Estimate, ImageFacts
from shipdet.requests import ImageRequest, Search
from shipdet.settings import Settings
from shipdet.ui import html, source_html
from shipdet.ui.choices import (
    AUTO_ZOOM,
    band_choices,
    default_threshold,
    model_choices,
    zoom_choices,
)
from shipdet.ui.forms import (
    NO_AREA,
    Values,
    area_requests,
    image_request,
    pictures,
    request_inputs,
)
from shipdet.ui.layout import Page
from shipdet.ui.map import layer_address
from shipdet.ui.results import Updates

UNSEEN: dict[str, Any] = {"api_name": False, "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**UNSEEN, "queue": False}
FACTS_KEPT = 64
"""Number of images whose facts are cached; each change of a setting needs those of all images."""


def wire_map(page: Page, blocks: gr.Blocks) -> None:
    """Synchronize map and numbers, and show ships and imagery on the map."""
    chart, numbers = page.map, page.area.bbox
    for triggers, inputs, script in (
        ([n.change for n in numbers], numbers, "(...box) => { shipdet.box(...box) }"),
        (page.results.ships.change, page.results.ships, "(text) => { shipdet.ships(text) }"),
        (chart.layer.change, chart.layer, "(text) => { shipdet.layer(text) }"),
        (chart.others.change, chart.others, "(text) => { shipdet.others(text) }"),
        (chart.target.change, chart.target, "(text) => { shipdet.go(text) }"),
        (page.area.provider.input, page.area.provider, "(id) => { shipdet.keepProvider(id) }"),
    ):
        gr.on(triggers, None, inputs, js=script, api_name=False)
    to_numbers = "(text) => shipdet.numbers(text)"
    chart.box.change(None, chart.box, numbers, js=to_numbers, api_name=False)
    kept: list[Any] = [*numbers, page.area.provider, chart.polygon]
    known = json.dumps([value for _, value in page.area.provider.choices])
    last = f"(...opened) => shipdet.last({known}, ...opened)"
    blocks.load(None, kept, kept, js=last, api_name=False)


def wire_settings(page: Page, blocks: gr.Blocks, source: gr.State, settings: Settings) -> None:
    """Update the estimate whenever a setting changes."""
    inputs: set[Any] = request_inputs(page) | {source}
    # Every estimate rewrites the list of zooms, so only a user's input counts as a change of it.
    # Clearing a number fires only its input event.
    quiet = {
        *(page.area.zoom, page.search.threshold, page.search.name, page.picture.bands),
        *(page.ais.file, page.ais.sample, page.ais.acquired, page.ais.offered),
    }
    triggers = [
        blocks.load,
        page.area.zoom.input,
        page.picture.bands.input,
        *(number.input for number in page.area.bbox),
        *(component.change for component in inputs - quiet - {source}),
    ]

    def estimated(values: Values) -> Updates:
        return estimate_updates(page, source, settings, values)

    outputs = [
        page.area.zoom, page.zoom_reason, page.dates.section, page.dates.acquisitions,
        page.area.priority, page.estimate, page.search.model, page.map.layer, page.map.others,
        page.map.picture, page.thumbnail, page.picture.bands, page.ais.sample, page.ais.known,
    ]  # fmt: skip
    gr.on(triggers, estimated, inputs, outputs, trigger_mode="always_last", **AT_ONCE)
    # Gradio fires no change event when a deleted area clears the numbers.
    page.map.box.change(
        lambda text: html.not_yet(BadArea(NO_AREA)) if text == "null" else gr.skip(),
        page.map.box,
        page.estimate,
        **AT_ONCE,
    )
    # Runs in the browser, so that text typed meanwhile is kept.
    page.ais.known.change(
        None,
        [page.ais.known, page.ais.acquired, page.ais.offered],
        [page.ais.acquired, page.ais.offered],
        js="(now, typed, before) => [typed && typed !== before ? typed : now, now]",
        api_name=False,
    )
    page.search.model.change(
        lambda model: default_threshold(model, settings),
        page.search.model,
        page.search.threshold,
        **AT_ONCE,
    )
    page.search.upscale.change(
        lambda upscale: gr.Checkbox(visible=upscale != "none"),
        page.search.upscale,
        page.search.selective,
        **AT_ONCE,
    )
    uploaded = page.images.upload(
        lambda files: {
            page.picture.files: files,
            page.sources: gr.Tabs(selected="picture"),
            source: "picture",
        },
        page.images,
        [page.picture.files, page.sources, source],
        **AT_ONCE,
    )
    uploaded.then(estimated, inputs, outputs, **AT_ONCE)
    # Gradio does not report every change of a state, so opening a tab updates the estimate.
    for tab, name in ((page.area_tab, "area"), (page.picture_tab, "picture")):
        opened = tab.select(lambda name=name: name, None, source, **AT_ONCE)
        opened.then(estimated, inputs, outputs, **AT_ONCE)


def estimate_updates(page: Page, source: gr.State, settings: Settings, values: Values) -> Updates:
    """Return what the page shows before a run: size, place, time, the model's values."""
    try:
        updates, chosen = _of_area(page, settings, values)
    except ShipdetError as error:  # such as a model that cannot be downloaded
        return {page.estimate: html.not_yet(error)}
    if values[source] == "picture":
        return {**updates, **_of_images(page, settings, values)}
    updates |= {page.map.picture: "", page.map.others: "", page.ais.known: ""}
    try:
        requests = area_requests(page, {**values, page.area.zoom: chosen})
        if values[page.area_file]:
            updates[page.map.others] = source_html.area_outlines(requests)
        each = [pipeline.estimate(request, settings, untrusted=True) for _, request in requests]
        first = each[0]
        updates[page.estimate] = (
            html.estimate_box(first) if len(each) == 1 else source_html.estimates_box(each)
        )
        updates |= _dated(page, values, first, requests[0][1].box.as_tuple(), settings)
        if values[page.search.model] is None:  # the configured model has just been downloaded
            models = model_choices("ship-classification", settings)
            updates[page.search.model] = gr.Dropdown(models, value=settings.classifier)
    except ShipdetError as error:
        updates[page.estimate] = html.not_yet(error)
    return updates


def _of_area(page: Page, settings: Settings, values: Values) -> tuple[Updates, Any]:
    """Return the updates that depend on provider and place alone, and the selected zoom."""
    area = page.area
    provider = get_provider(values[area.provider], settings)
    south, north = values[area.south], values[area.north]
    latitude = (south + north) / 2 if None not in (south, north) else 0.0
    latitude = max(-85.0, min(85.0, latitude))
    search = Search(model=values[page.search.model] or "", upscale=values[page.search.upscale])
    zoom, reason = pipeline.default_zoom(provider.id, latitude, search, settings, untrusted=True)
    choices = zoom_choices(provider, zoom)
    chosen = values[area.zoom]
    if chosen not in [value for _, value in choices]:
        chosen = AUTO_ZOOM
    dated = provider.kind == "stac"
    return {
        area.zoom: gr.Dropdown(choices, value=chosen),
        page.zoom_reason: html.hint(reason),
        page.dates.section: gr.Column(visible=provider.needs_instance or dated),
        page.dates.acquisitions: gr.Column(visible=dated),
        area.priority: gr.Dropdown(visible=provider.needs_instance),
        page.ais.sample: gr.Checkbox(visible=provider.kind == "sample"),
        page.map.layer: map_layer(provider, settings),
    }, chosen


def map_layer(provider: Provider, settings: Settings) -> str:
    """Return the map's base layer for a provider, as JSON."""
    try:
        used, _ = effective_provider(provider, settings)
    except ShipdetError:
        used = provider
    if used.kind == "stac":  # its tiles belong to an acquisition
        wait = f"{used.title} is shown here after an acquisition of the area is found."
        return json.dumps({"id": used.id, "wait": wait})
    return json.dumps({"id": used.id})


def _dated(
    page: Page, values: Values, estimate: Estimate, box: tuple[float, ...], settings: Settings
) -> Updates:
    """Return the acquisition time, for the map and as the default time for AIS."""
    provider = get_provider(values[page.area.provider], settings)
    moment = sample.ACQUIRED if provider.kind == "sample" else estimate.acquired
    updates: Updates = {page.ais.known: moment or ""}
    if provider.kind == "stac" and estimate.acquired:
        where = {"acquisition": estimate.acquisition, "area": ",".join(f"{s:.6f}" for s in box)}
        title = f"{provider.title}, {estimate.acquired}"
        url = f"{layer_address(provider)}?{urlencode(where, quote_via=quote)}"
        updates[page.map.layer] = json.dumps({"id": provider.id, "url": url, "title": title})
    return updates


def _of_images(page: Page, settings: Settings, values: Values) -> Updates:
    """Return previews, outlines, estimates and errors of the images."""
    updates: Updates = {
        page.map.others: "", page.map.picture: "", page.thumbnail: "", page.ais.known: "",
    }  # fmt: skip
    updates[page.ais.sample] = gr.Checkbox(visible=False)  # not for images
    if not values[page.picture.files]:
        return updates | {page.estimate: html.hint("Choose an image: PNG, JPEG or GeoTIFF.")}
    try:
        paths, request = pictures(page, values), image_request(page, values)
    except ShipdetError as error:
        return updates | {page.estimate: html.not_yet(error)}
    facts: list[ImageFacts] = []
    errors: list[tuple[str, ShipdetError]] = []
    for path in paths:
        try:
            facts.append(image_facts(path, request, settings))
        except ShipdetError as error:
            errors.append((path.name, error))
    errors += [(f.name, f.refusal) for f in facts if f.refusal is not None]
    if facts:
        card = source_html.picture_card(facts[0])
        unplaced = facts[0].outline is None
        updates |= {
            page.map.picture: card if unplaced else "",
            page.thumbnail: "" if unplaced else card,
            page.map.others: source_html.outlines(facts),
            page.picture.bands: gr.Dropdown(band_choices(facts[0].bands)),
            page.ais.known: facts[0].acquired or "",
        }
    if errors and all(isinstance(error, MissingScale) for _, error in errors):
        updates[page.estimate] = html.not_yet(errors[0][1])
    elif errors:
        updates[page.estimate] = source_html.refusals(errors)
    else:
        updates[page.estimate] = source_html.images_box(facts)
    return updates


def image_facts(path: Path, request: ImageRequest, settings: Settings) -> ImageFacts:
    """Return the facts of an upload, cached per combination of reading options."""
    # Options that do not affect the facts must not cause another read.
    plain = request.search.model_copy(
        update={"threshold": None, "name": "", "min_length_m": 0.0, "map": False}
    )
    return _facts(path, request.model_copy(update={"search": plain}), _Same(settings))


class _Same:
    """Settings as a cache key: each app has one settings object."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __hash__(self) -> int:
        return id(self.settings)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.settings is self.settings


@lru_cache(maxsize=FACTS_KEPT)
def _facts(path: Path, request: ImageRequest, same: _Same) -> ImageFacts:
    return pipeline.inspect_image(path, request, same.settings, untrusted=True)
