"""Places, areas, acquisitions, images and AIS on the page, before a run."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from shipdet import pipeline
from shipdet.errors import BadArea, MissingScale, ShipdetError, sentence
from shipdet.imagery import catalog, get_provider, sample
from shipdet.requests import ImageRequest
from shipdet.ui import place_events, run_events, source_events, source_html
from shipdet.ui.api import answers
from shipdet.ui.choices import band_choices
from shipdet.ui.forms import MAX_AT_ONCE, ais_of, area_requests, searches
from shipdet.ui.results import summary_files
from shipdet.ui.streams import Outcome, Summary, one_after_another
from shipdet.viewer.live_searches import Running
from tests.helpers.stac_server import ITEMS, StacServer

TRIANGLE = {"type": "Polygon", "coordinates": [[[-0.70, 0.06], [-0.69, 0.06], [-0.69, 0.07]]]}
KML = (
    '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>',
    "<Placemark><name>{}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>{}</coordinates>"
    "</LinearRing></outerBoundaryIs></Polygon></Placemark>",
)


@pytest.fixture
def source():
    """Stands for the state that holds which tab is open."""
    return object()


@pytest.fixture
def estimated(page, values, source, settings):
    """What the page shows for some changed values."""

    def updates(tab="area", changed=None, own=settings):
        given = {**values, source: tab, **(changed or {})}
        return source_events.estimate_updates(page, source, own, given)

    return updates


def kml(path: Path, *names: str) -> Path:
    marks = (
        KML[1].format(name, f"{west},0.06 {west + 0.002},0.06 {west + 0.002},0.062")
        for name, west in zip(names, (-0.70, -0.69, -0.68), strict=False)
    )
    path.write_text(KML[0].format("".join(marks)))
    return path


def geotiff(path: Path, west: float, bands: int = 3) -> Path:
    pixels = np.random.default_rng(0).integers(0, 4000, (bands, 60, 80), dtype=np.uint16)
    place = {"crs": "EPSG:4326", "transform": from_origin(west, 0.08, 0.00003, 0.00003)}
    profile = {"driver": "GTiff", "width": 80, "height": 60, "count": bands, "dtype": "uint16"}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(pixels)
    return path


def test_a_drawn_polygon_limits_the_search(page, values):
    ((name, request),) = area_requests(page, {**values, page.map.polygon: json.dumps(TRIANGLE)})
    assert name == "" and request.bbox == (-0.70, 0.06, -0.69, 0.07)
    assert request.area.contains([(-0.691, 0.061), (-0.699, 0.069)]).tolist() == [True, False]


@pytest.mark.parametrize("east", [-179.9, 180.1])
def test_a_box_across_the_antimeridian_is_two_searches(page, values, east):
    edges = dict(zip(page.area.bbox, (179.9, -17, east, -16.9), strict=True))
    parts = area_requests(page, {**values, **edges, page.area.provider: "esri"})
    assert [request.bbox[0] for _, request in parts] == [179.9, -180.0]
    assert [request.search.name for _, request in parts] == [name for name, _ in parts]


def test_a_box_on_another_copy_of_the_world_comes_home(page, values):
    edges = dict(zip(page.area.bbox, (364.0, 51, 364.1, 51.1), strict=True))
    ((_, request),) = area_requests(page, {**values, **edges})
    assert request.bbox == pytest.approx((4.0, 51, 4.1, 51.1))


def test_the_areas_of_a_file_are_searches_of_their_own(page, values, settings, tmp_path):
    file = kml(tmp_path / "ports.kml", "North quay", "Kai Süd")
    changed = {**values, page.area_file: str(file)}
    named = searches(page, changed, "area", settings)
    assert [name for name, _ in named] == ["North-quay", "Kai-Süd"]
    shapes = json.loads(source_html.area_outlines(area_requests(page, changed)))["features"]
    assert [shape["properties"]["name"] for shape in shapes] == ["North-quay", "Kai-Süd"]


def test_too_many_areas_at_once_are_refused(page, values, tmp_path):
    file = tmp_path / "many.csv"
    lines = ["west,south,east,north", *("0,0,1,1" for _ in range(MAX_AT_ONCE + 1))]
    file.write_text("\n".join(lines))
    with pytest.raises(BadArea, match="51 areas exceed the limit of 50"):
        area_requests(page, {**values, page.area_file: str(file)})


def test_the_estimate_of_several_areas_is_their_sum(page, estimated, tmp_path):
    file = kml(tmp_path / "ports.kml", "a1", "b1", "c1")
    updates = estimated(changed={page.area_file: str(file)})
    assert "3 areas" in updates[page.estimate]
    assert len(json.loads(updates[page.map.others])["features"]) == 3
    assert not estimated()[page.map.others], "without a file the map shows the drawn area only"


def test_several_searches_go_on_after_errors_to_a_summary():
    def done(name):
        yield Path(name)

    def failing():
        raise ShipdetError("It is foggy.")
        yield

    def broken():
        raise ZeroDivisionError
        yield

    begun = [("a", lambda: done("run-a")), ("b", failing), ("x", broken),
             ("c", lambda: done("run-c"))]  # fmt: skip
    *_, summary = one_after_another(begun)
    expected = (Outcome("a", Path("run-a")), Outcome("b", None, "It is foggy."),
                Outcome("x", None, sentence(ZeroDivisionError())),
                Outcome("c", Path("run-c")))  # fmt: skip
    assert summary == Summary(expected)
    box = source_html.summary_box([("a", 2, ""), ("<b>", None, "It is foggy."), ("c", 1, "")])
    assert "3 ships found in 3 searches, 1 could not be searched" in box and "&lt;b&gt;" in box


def test_several_searches_leave_the_files_of_a_batch(page, settings, a_run):
    outcomes = (Outcome("quay", a_run.folder), Outcome("mole", None, "It is foggy."))
    files = {path.name: path for path in summary_files(Summary(outcomes), settings)}
    assert set(files) == {"summary.csv", "ships.csv", "ships.gpkg", "index.html"}
    with files["summary.csv"].open() as file:
        rows = [(row["image"], row["folder"], row["ships"], row["error"])
                for row in csv.DictReader(file)]  # fmt: skip
    assert rows == [("quay", a_run.id, "2", ""), ("mole", "", "", "It is foggy.")]
    html = files["index.html"].read_text()
    assert "data:image/jpeg" in html and "overlay.png" not in html, "it needs no other file"
    search = Running("two areas", result=Summary(outcomes))
    search.ended = 0.0
    [last] = run_events.following(page, search, settings)
    assert last[page.summary].visible and last[page.several].visible


def test_a_removed_run_does_not_hide_the_others(page, settings, a_run):
    gone = settings.runs_dir / "gone-20260101-000000-abcdef"
    search = Running(
        "two areas", result=Summary((Outcome("mole", gone), Outcome("quay", a_run.folder)))
    )
    search.ended = 0.0
    [last] = run_events.following(page, search, settings)
    assert "2 ships found" in last[page.panel] and "1 could not be searched" in last[page.panel]
    answer = list(answers((event for event in [search.result]), settings))[-1]
    assert "error" in answer["runs"][0] and answer["runs"][1]["result"]["run"] == a_run.id


def test_one_search_keeps_its_own_events():
    assert list(one_after_another([("", lambda: iter([Path("run")]))])) == [Path("run")]


def test_going_somewhere(page):
    updates, found = place_events.going(page, "36.13, -5.43")
    box = json.loads(updates[page.map.target])["bbox"]
    assert box[0] < -5.43 < box[2] and found == []
    updates, found = place_events.going(page, "Algeciras")
    names = updates[page.map.found].choices
    assert len(found) > 1 and names[0][0].startswith("Algeciras, Spain")
    updates, _ = place_events.going(page, "91 N 5 E")
    assert "latitude of 91" in updates[page.map.message].value


def test_every_provider_has_a_layer_of_the_map(settings):
    for provider in catalog(settings).values():
        layer = json.loads(source_events.map_layer(provider, settings))
        assert layer["id"] == ("eox" if provider.id == "sentinelhub" else provider.id)
        assert ("wait" in layer) == (provider.kind == "stac")


def test_acquisitions_are_listed_and_shown_on_the_map(page, values, estimated, tmp_path, settings):
    with StacServer(tmp_path) as server:
        settings = settings.model_copy(update={"stac_url": server.url, "retries": 0})
        edges = dict(zip(page.area.bbox, server.bbox.as_tuple(), strict=True))
        days = {page.area.date_from: "2024-05-01", page.area.date_to: "2024-05-31"}
        changed = {**values, **edges, **days, page.area.provider: "sentinel2"}
        listed = place_events.list_acquisitions(page, changed, settings)
        assert "2 acquisitions" in listed and "covers 100%" in listed and "5 % clouds" in listed
        chosen = {page.area.acquisition: ITEMS[0].id, page.search.upscale: "x4"}
        updates = estimated("area", {**changed, **chosen}, settings)
        layer = json.loads(updates[page.map.layer])
        assert ITEMS[0].id in layer["url"] and layer["title"].endswith("2024-05-01T11:06:19Z")
        assert updates[page.ais.known] == "2024-05-01T11:06:19Z"


def test_the_best_zoom_of_an_acquisition_is_not_refused(page, estimated, tmp_path, settings):
    with StacServer(tmp_path) as server:
        settings = settings.model_copy(update={"stac_url": server.url, "retries": 0})
        edges = dict(zip(page.area.bbox, server.bbox.as_tuple(), strict=True))
        days = {page.area.date_from: "2024-05-01", page.area.date_to: "2024-05-31"}
        updates = estimated("area", {**edges, **days, page.area.provider: "sentinel2"}, settings)
    assert updates[page.area.zoom].choices[0][0] == "Best · 14"
    assert "tiles" in updates[page.estimate] and "Cannot start" not in updates[page.estimate]


def test_a_failing_search_for_acquisitions_is_one_sentence(page, values, tmp_path, settings):
    with StacServer(tmp_path, faults={"/v1/search": "html"}) as server:
        settings = settings.model_copy(update={"stac_url": server.url, "retries": 0})
        edges = dict(zip(page.area.bbox, server.bbox.as_tuple(), strict=True))
        changed = {**values, **edges, page.area.provider: "sentinel2"}
        answer = place_events.list_acquisitions(page, changed, settings)
    assert 'role="alert"' in answer and "answers with a web page" in answer


def test_the_ais_file_of_the_sample_is_offered_with_it(page, values, estimated, settings):
    assert estimated()[page.ais.sample].visible
    assert not estimated(changed={page.area.provider: "esri"})[page.ais.sample].visible
    assert ais_of(page, values, "area") is None
    ticked = {**values, page.ais.sample: True}
    assert ais_of(page, ticked, "area").file == "sample"
    assert ais_of(page, ticked, "picture") is None
    answer = place_events.check_ais(page, ticked, "area", settings)
    assert "ships in ais.csv were in the area at 2024-06-07 10:30 UTC" in answer


def test_a_time_that_was_filled_in_is_that_of_each_image(page, values):
    sampled = {**values, page.ais.sample: True}
    filled = {page.ais.acquired: sample.ACQUIRED, page.ais.offered: sample.ACQUIRED}
    assert ais_of(page, {**sampled, **filled}, "area").acquired is None
    typed = {**filled, page.ais.acquired: " 2024-06-07T10:31:00Z "}
    assert ais_of(page, {**sampled, **typed}, "area").acquired == "2024-06-07T10:31:00Z"


def test_the_time_of_the_imagery_is_known_to_the_page(page, estimated, tmp_path):
    assert estimated()[page.ais.known] == sample.ACQUIRED
    assert estimated(changed={page.area.provider: "esri"})[page.ais.known] == ""
    file = geotiff(tmp_path / "bay.tif", -0.69)
    assert estimated("picture", {page.picture.files: [str(file)]})[page.ais.known] == ""
    with rasterio.open(file, "r+") as image:
        image.update_tags(ACQUISITION_DATETIME="2024-05-01T12:56:00+02:00")
    dated = file.rename(tmp_path / "dated.tif")
    updates = estimated("picture", {page.picture.files: [str(dated)]})
    assert updates[page.ais.known] == "2024-05-01T10:56:00Z"


def test_what_ais_says_of_a_run_lists_ships_that_were_not_found():
    ship = {"mmsi": 5, "name": "<Star>", "lat": 1.0, "lon": 2.0, "in_area": True}
    summary = {"acquired": "2024-05-01T10:00:00Z", "matched": 2, "dark": 1, "contacts": [ship]}
    card = source_html.ais_card({"ais": {**summary, "unseen": [5]}})
    assert "2 ships known, 1 dark" in card and "1 ship of the AIS file not found" in card
    assert "&lt;Star&gt;" in card and "1.00000, 2.00000" in card
    assert "in this area was found" in source_html.ais_card({"ais": {**summary, "unseen": []}})
    empty = {"ais": {**summary, "unseen": [], "contacts": []}}
    assert "no ship in this area" in source_html.ais_card(empty)
    assert source_html.ais_card({}) == ""


def test_an_ais_file_of_no_use_is_reported_before_the_run(page, values, settings, tmp_path):
    file = tmp_path / "ais.csv"
    file.write_text("a,b\n1,2\n")
    answer = place_events.check_ais(page, {**values, page.ais.file: str(file)}, "area", settings)
    assert "Cannot start" in answer and "column" in answer
    undated = {page.ais.file: str(sample.AIS_FILE), page.area.provider: "esri"}
    answer = place_events.check_ais(page, {**values, **undated}, "area", settings)
    assert "has no date" in answer


def test_a_placed_image_is_drawn_on_the_map(page, estimated, tmp_path):
    file = geotiff(tmp_path / "bay.tif", -0.69, bands=4)
    updates = estimated("picture", {page.picture.files: [str(file)]})
    (feature,) = json.loads(updates[page.map.others])["features"]
    assert feature["properties"]["name"] == "bay.tif"
    assert "placed on the map" in updates[page.estimate] and "about" in updates[page.estimate]
    assert "data:image/jpeg" in updates[page.thumbnail] and not updates[page.map.picture]
    assert ("4, 3, 2", "4,3,2") in updates[page.picture.bands].choices


def test_an_image_without_a_place_stands_where_the_map_is(page, estimated, tmp_path):
    file = tmp_path / "scene.png"
    Image.fromarray(np.full((50, 70, 3), 90, np.uint8)).save(file)
    picture = page.picture
    updates = estimated("picture", {picture.files: [str(file)]})
    assert "meters per pixel" in updates[page.estimate] and "Cannot start" in updates[page.estimate]
    assert "Preview of scene.png" in updates[page.map.picture] and not updates[page.map.others]
    updates = estimated("picture", {picture.files: [str(file)], picture.gsd_m: 3})
    assert "without a georeference" in updates[page.estimate]
    assert not updates[page.ais.sample].visible, "the sample's AIS file is of no image"


def test_what_is_wrong_with_images_is_reported_at_upload(page, estimated, tmp_path):
    (tmp_path / "no.tif").write_bytes(b"II*\0" + bytes(40))
    files = [str(geotiff(tmp_path / "bay.tif", -0.69)), str(tmp_path / "no.tif")]
    estimate = estimated("picture", {page.picture.files: files})[page.estimate]
    assert "no.tif" in estimate and "damaged" in estimate and 'role="alert"' in estimate
    coarse = {page.picture.files: files[:1], page.picture.bands: "9"}
    assert "no band 9" in estimated("picture", coarse)[page.estimate]


def test_a_stretch_changes_what_is_shown(settings, tmp_path):
    file = geotiff(tmp_path / "bay.tif", -0.69)
    shown = [
        pipeline.inspect_image(file, ImageRequest.check(stretch=name), settings).preview
        for name in ("minmax", "none")
    ]
    assert shown[0].mean() < 150 < shown[1].mean()


def test_a_missing_scale_hides_nothing_of_an_image(settings, tmp_path):
    file = tmp_path / "scene.png"
    Image.fromarray(np.full((50, 70, 3), 90, np.uint8)).save(file)
    facts = pipeline.inspect_image(file, ImageRequest.check(), settings)
    assert isinstance(facts.refusal, MissingScale) and facts.gsd_m is None
    assert facts.preview.shape == (50, 70, 3) and facts.bbox is None


def test_bands_are_offered_with_their_names():
    assert band_choices(()) == [("From the image", "From the image")]
    offered = dict(band_choices(("B02", "B03", "B04", "")))
    assert offered["3 B04, 2 B03, 1 B02"] == "3,2,1" and offered["4 in gray"] == "4"


def test_layers_of_the_map_need_no_instance_of_their_own(settings):
    assert json.loads(source_events.map_layer(get_provider("esri"), settings)) == {"id": "esri"}
