"""The page as a whole: its layout, its events' functions, and the numbers that they are given."""

import json
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from shipdet import pipeline
from shipdet.detections import Sighted
from shipdet.errors import BadArea, BadImage, BadOption
from shipdet.geometry import Grid
from shipdet.imagery import get_provider, sample
from shipdet.progress import Progress
from shipdet.report.folder import run_folder
from shipdet.requests import AreaRequest, Search
from shipdet.ui import build_blocks, run_events, source_events
from shipdet.ui.choices import AUTO_ZOOM, default_threshold, sample_area, zoom_choices
from shipdet.ui.forms import area_request, image_request, request_inputs, searches
from shipdet.ui.layout import lay_out
from shipdet.ui.results import (
    clear_results,
    result_components,
    show_run,
    sighted_text,
    viewer_frame,
)
from tests.helpers import hub_server
from tests.helpers.painted import tile_grid
from tests.helpers.written_runs import found


def test_the_page_opens_with_the_sample_at_the_recommended_zoom(page, values):
    request = area_request(page, values)
    assert request.provider == "sample" and request.zoom is None
    assert request.bbox == sample_area().as_tuple()


def test_the_sample_area_lies_within_the_sample():
    inner, outer = sample_area(), sample.bbox()
    assert outer.west <= inner.west and inner.east <= outer.east
    assert outer.south <= inner.south and inner.north <= outer.north


def test_a_missing_number_asks_for_a_rectangle(page, values):
    with pytest.raises(BadArea, match="Draw a rectangle"):
        area_request(page, {**values, page.area.east: None})


def test_a_chosen_zoom_and_dates_reach_the_request(page, values):
    changed = {page.area.zoom: 16, page.area.date_from: "2024-05-01", page.search.upscale: "x4"}
    request = area_request(page, {**values, **changed})
    assert (request.zoom, request.date_from, request.date_to) == (16, "2024-05-01", None)
    assert request.search.passes == 1


def test_super_resolution_is_selective_by_default(page, values):
    assert not page.search.selective.visible and area_request(page, values).search.selective
    changed = {page.search.upscale: "x4", page.search.selective: False}
    assert not area_request(page, {**values, **changed}).search.selective


def test_a_model_of_the_hub_comes_with_its_own_threshold(
    settings, make_classifier, monkeypatch, tmp_path
):
    made = make_classifier(tmp_path / "made", threshold=0.62)
    settings = settings.model_copy(update={"classifier": "owner/tiny"})
    with hub_server.running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        hub.repos["owner/tiny"] = {f.name: f.read_bytes() for f in made.iterdir()}
        with gr.Blocks():
            page, source = lay_out(settings), gr.State("area")
        assert hub.requests == [], "a page is built without the network"
        values = {component: component.value for component in request_inputs(page)}
        assert values[page.search.model] is None
        assert area_request(page, values).search.threshold is None

        updates = source_events.estimate_updates(page, source, settings, {**values, source: "area"})
        chosen = updates[page.search.model].value
        assert chosen == "owner/tiny" and default_threshold(chosen, settings) == 0.62
        with gr.Blocks():
            again = lay_out(settings)
        assert (again.search.model.value, again.search.threshold.value) == ("owner/tiny", 0.62)


def test_a_bad_option_is_said_in_one_sentence(page, values):
    with pytest.raises(BadOption, match="Quality"):
        area_request(page, {**values, page.search.quality: None})


def test_images_need_a_file_and_keep_how_they_are_read(page, values, settings):
    with pytest.raises(BadImage, match="Choose an image"):
        searches(page, values, "picture", settings)
    picture = page.picture
    chosen = {picture.files: ["/tmp/a.png", "/tmp/b.png"], picture.gsd_m: 3, picture.bands: "2"}
    changed = {**values, **chosen, picture.stretch: "minmax"}
    assert [name for name, _ in searches(page, changed, "picture", settings)] == ["a.png", "b.png"]
    request = image_request(page, changed)
    assert (request.gsd_m, request.bands, request.stretch) == (3.0, "2", "minmax")


def test_the_recommended_zoom_is_offered_first(settings):
    labels, zooms = zip(*zoom_choices(get_provider("esri", settings), 17), strict=True)
    assert (labels[0], zooms[0]) == ("Best · 17", AUTO_ZOOM)
    assert zooms[1:] == tuple(range(12, 21))


@pytest.mark.parametrize("latitude", [0.0, 36.0, 59.0])
@pytest.mark.parametrize("provider", ["eox", "esri", "sample", "sentinelhub"])
def test_the_best_zoom_is_never_refused_for_its_scale(settings, provider, latitude):
    box = (
        sample_area().as_tuple() if provider == "sample" else (4.0, latitude, 4.02, latitude + 0.01)
    )
    request = AreaRequest.check(bbox=box, provider=provider)
    settings = settings.model_copy(update={"sentinelhub_instance_id": "of-nobody"})
    estimate = pipeline.estimate(request, settings, untrusted=True)
    zoom, _ = pipeline.default_zoom(provider, request.box.center[1], Search(), settings)
    assert estimate.zoom == zoom and estimate.gsd_m <= 10.0
    assert not [note for note in estimate.notes if "instead" in note], "by this provider"


def test_a_run_fills_every_part_of_the_results(page, a_run):
    updates = show_run(page, a_run)
    assert set(updates) == set(result_components(page))
    assert f'src="runs/{a_run.id}"' in updates[page.results.viewer]
    assert updates[page.results.shown] == a_run.id
    assert set(clear_results(page)) == set(result_components(page))


def test_the_address_of_a_viewer_cannot_inject_markup():
    frame = viewer_frame('Häfen "1"/<x>')
    assert 'src="runs/H%C3%A4fen%20%221%22/%3Cx%3E"' in frame


class Ended:
    """A search that has taken some steps."""

    def __init__(self, *events, result=None, error=None):
        self.events, self.result, self.error = events, result, error

    def follow(self):
        return iter(self.events)


def test_a_search_is_followed_to_its_run(page, settings, a_run):
    search = Ended(Progress("fetch", 1, 2), Progress("detect", 1, 2), result=a_run.folder)
    first, second, last = run_events.following(page, search, settings)
    assert "Downloading" in first[page.panel] and first[page.results.shown] == ""
    assert "Searching" in second[page.panel]
    assert last[page.results.shown] == a_run.id and last[page.detect].interactive


def sighted(grid, *scores):
    ships = found(grid, [(60.0 + 40 * n, 60.0, 90.0, score) for n, score in enumerate(scores)])
    return Sighted(ships.items, grid.width, grid.height)


def test_ships_show_while_a_search_goes_on(page, settings, a_run, monkeypatch):
    monkeypatch.setattr(run_events, "SHOW_EVERY_S", -1.0)
    grid = tile_grid(300, 200, 16)
    search = Ended(
        Progress("fetch", 1, 2),
        Progress("detect", 1, 3, sighted=sighted(grid, 0.9)),
        Progress("detect", 2, 3, sighted=sighted(grid, 0.9, 0.8)),
        Progress("report", 0, 2),
        result=a_run.folder,
    )
    begun, one, two, writing, last = run_events.following(page, search, settings)
    assert begun[page.results.ships] == "" and page.results.ships not in writing
    assert "1 ship so far (provisional)" in one[page.panel]
    assert "2 ships so far (provisional)" in two[page.panel]
    assert page.results.shown not in two and last[page.results.shown] == a_run.id
    drawn = json.loads(two[page.results.ships])
    assert drawn["early"] and len(drawn["features"]) == 2 and drawn["outlines"] == []


def test_an_image_without_a_place_is_drawn_on_in_its_pixels():
    drawn = json.loads(sighted_text(sighted(Grid(300, 200, 1.5, 1.5), 0.9)))
    assert drawn["features"] == [] and drawn["size"] == [300, 200]
    assert np.mean(drawn["outlines"][0], axis=0) == pytest.approx([60, 60], abs=0.1)


def test_what_was_sighted_goes_when_a_search_is_cancelled(page, settings):
    *_, last = run_events.following(page, Ended(Progress("detect", 1, 3)), settings)
    assert last[page.results.ships] == ""


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ({}, "Cancelled"),
        ({"error": BadImage("This is no image.")}, "This is no image."),
        ({"error": RuntimeError("/secret")}, "Something unexpected"),
        ({"result": Path("gone-20260101-000000-abcdef")}, "no longer on disk"),
    ],
)
def test_what_ends_a_search_is_reported_and_detect_works_again(page, settings, end, expected):
    [last] = run_events.following(page, Ended(**end), settings)
    assert expected in last[page.panel] and "/secret" not in last[page.panel]
    assert last[page.detect].interactive and not last[page.cancel].interactive


def test_the_threshold_takes_what_scores_need(page):
    assert page.search.threshold.maximum == 0.999 and page.search.threshold.step == 0.001


def test_only_a_persons_threshold_rewrites_the_shown_run(settings):
    config = build_blocks(settings).config
    [threshold] = [
        part["id"] for part in config["components"] if part["props"].get("elem_id") == "threshold"
    ]
    events = {e for one in config["dependencies"] for of, e in one["targets"] if of == threshold}
    assert events == {"input"}, "a change is also what another ship model sets"


@pytest.mark.parametrize("run_id", ["..", "../runs", "/etc", "a/b", "", ".hidden", "a" * 200])
def test_a_forged_run_id_leads_nowhere(run_id, a_run, settings):
    with pytest.raises(BadOption):
        run_folder(run_id, settings)
    assert run_folder(a_run.id, settings) == a_run.folder


def test_the_app_builds_with_only_the_endpoints_that_are_meant(settings):
    endpoints = build_blocks(settings).get_api_info()["named_endpoints"]
    assert set(endpoints) == {
        "/estimate", "/providers", "/models", "/find_place", "/acquisitions", "/detect_area",
        "/detect_areas", "/detect_image", "/match_ais", "/bundle",
    }  # fmt: skip
    names = [p["parameter_name"] for p in endpoints["/detect_area"]["parameters"]]
    assert names[:6] == ["west", "south", "east", "north", "provider", "zoom"]
    assert all(endpoint["description"] for endpoint in endpoints.values())
