"""A person's way through the app, in a real browser."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from shipdet.geometry import BBox, distance_m
from shipdet.imagery import sample
from tests.e2e.conftest import OpenApp
from tests.helpers.app_page import EDGES, AppPage

RUN_MS = 240_000  # the whole sample on two busy cores
NEAR_M = 30.0
LARGE_M = 65.0  # the box of the fast boat of 62 m lies on its bright wake, 58 m away


def known_ships(box: tuple[float, ...]) -> list[tuple[float, float]]:
    """Longitude and latitude of the sample's large ships that lie wholly within a box."""
    west, south, east, north = box
    margin = 150 / 111_000
    return [
        (ship.lon, ship.lat)
        for ship in sample.truth()
        if ship.length_m > LARGE_M
        and west + margin < ship.lon < east - margin
        and south + margin < ship.lat < north - margin
    ]


def middles(collection: dict[str, Any]) -> np.ndarray:
    found = [(f["properties"]["lon"], f["properties"]["lat"]) for f in collection["features"]]
    return np.array(found).reshape(-1, 2)


def run_sample(app: AppPage) -> None:
    app.page.locator("#sample").click()
    expect(app.page.locator("#results")).to_be_visible(timeout=RUN_MS)
    expect(app.panel).to_contain_text("found")


def test_the_page_needs_nothing_from_elsewhere(open_app: OpenApp):
    app = open_app()
    # Scripts are refused by the page's policy before they are requested; nothing else may try.
    assert app.others == []


def test_rectangle_and_numbers_follow_each_other(open_app: OpenApp):
    app = open_app()
    app.picture("idle")
    before = app.numbers
    app.draw(0.3, 0.4, 0.5, 0.6)
    expect(app.edge("west")).not_to_have_value(str(before[0]))
    drawn = app.numbers
    assert np.allclose(app.rectangle, drawn, atol=1e-6)
    assert before[0] < drawn[0] < drawn[2] < before[2]

    west = app.numbers[0] - 0.002
    view = app.view
    app.set_edge("west", round(west, 6))
    app.page.wait_for_timeout(800)
    assert app.rectangle[0] == pytest.approx(west, abs=1e-6)
    assert app.view == view, "an edge within the view moves no map"

    for name, value in (("north", 40.0), ("east", 20.0), ("south", -40.0), ("west", -20.0)):
        app.set_edge(name, value)
    app.page.wait_for_timeout(800)
    shown = BBox.parse(app.view)
    assert shown.west < -20 < 20 < shown.east, "the map shows all of a large area"


def test_the_last_drawing_stays_while_the_numbers_lag_behind(open_app: OpenApp):
    app = open_app()
    before = app.numbers
    app.draw(0.3, 0.4, 0.5, 0.6)
    first = app.rectangle
    expect(app.edge("west")).not_to_have_value(str(before[0]))
    app.draw(0.35, 0.3, 0.6, 0.5)
    last = app.rectangle
    assert last != first
    for _ in range(20):
        assert app.rectangle == last
        app.page.wait_for_timeout(50)
    assert np.allclose(last, app.numbers, atol=1e-6)


def test_another_base_layer_keeps_view_and_rectangle(open_app: OpenApp):
    app = open_app()
    app.draw(0.3, 0.4, 0.5, 0.6)
    view, box = app.view, app.rectangle
    app.map.locator(".leaflet-control-layers").hover()
    app.map.get_by_text("OpenStreetMap", exact=True).click()
    assert (app.view, app.rectangle) == (view, box)
    expect(app.map.locator(".leaflet-control-attribution")).to_contain_text("OpenStreetMap")


def test_the_drawn_rectangle_can_be_deleted(open_app: OpenApp):
    app = open_app()
    before = app.numbers
    app.map.locator(".leaflet-draw-edit-remove").click()
    app.map.get_by_text("Clear All").click()
    expect(app.edge("east")).to_have_value("")
    expect(app.estimate).to_contain_text("Draw a rectangle on the map")

    for name, value in zip(EDGES, before, strict=True):  # and typed again
        app.set_edge(name, value)
    app.page.wait_for_timeout(800)
    assert np.allclose(app.rectangle, before, atol=1e-6)


def test_zoom_is_recommended_until_the_user_chooses(open_app: OpenApp):
    app = open_app()
    zoom = app.page.locator("#zoom input")
    expect(zoom).to_have_value("Best · 17")
    expect(app.page.locator("#selective")).to_be_hidden()
    app.page.locator("#upscale label", has_text="×4").click()
    expect(app.page.locator("#selective")).to_be_visible()
    expect(zoom).to_have_value("Best · 15")
    expect(app.estimate).to_contain_text("after super-resolution")
    zoom.click()
    app.page.get_by_role("option", name="16", exact=True).click()
    app.page.locator("#upscale label", has_text="Off").click()
    expect(app.page.locator(".sd-reason").first).to_contain_text("Zoom 17 gives")
    expect(zoom).to_have_value("16")


def test_dates_are_shown_for_sentinel_hub_only(open_app: OpenApp):
    app = open_app()
    dates = app.page.get_by_label("From", exact=True)
    expect(dates).to_be_hidden()
    app.page.locator("#provider input").click()
    app.page.get_by_role("option", name="Sentinel Hub").click()
    expect(dates).to_be_visible()
    app.page.locator("#upscale label", has_text="×4").click()  # 10 m raw is too coarse
    expect(app.estimate).to_contain_text("EOX Sentinel-2 cloudless is used instead")


def in_words(count: int) -> str:
    return "1 ship" if count == 1 else f"{count} ships"


def test_the_estimate_follows_the_tab_and_the_sample(open_app: OpenApp):
    app = open_app()
    tiles = app.estimate.locator("li").first
    of_the_sample = tiles.inner_text()
    app.set_edge("west", round(app.numbers[0] + 0.03, 6))
    expect(tiles).not_to_have_text(of_the_sample)
    app.page.get_by_role("tab", name="Your image").click()
    expect(app.estimate).to_contain_text("Choose an image")
    app.page.get_by_role("tab", name="Map area").click()
    expect(app.estimate).to_contain_text("tiles")
    app.page.get_by_role("tab", name="Your image").click()
    expect(app.estimate).to_contain_text("Choose an image")
    app.page.locator("#sample").click()
    expect(tiles).to_have_text(of_the_sample)
    app.page.locator("#cancel").click()
    expect(app.panel).to_contain_text("Cancelled", timeout=RUN_MS)  # the model may be loading


def test_a_reloaded_page_finds_its_run(open_app: OpenApp):
    app = open_app()
    app.draw(0.4, 0.5, 0.6, 0.7)
    expect(app.estimate).to_contain_text("tiles")
    app.detect.click()
    expect(app.panel).not_to_contain_text("Press Detect ships", timeout=30_000)
    app.reload()
    expect(app.page.locator("#results")).to_be_visible(timeout=RUN_MS)
    app.viewer.see(in_words(app.count))
    expect(app.detect).to_be_enabled()
    app.reload()
    expect(app.page.locator("#results")).to_be_visible(timeout=30_000)


def test_from_a_drawn_rectangle_to_ships_on_the_map(open_app: OpenApp, tmp_path: Path):
    app = open_app()
    app.draw(0.3, 0.45, 0.8, 0.8)
    expect(app.estimate).to_contain_text("tiles")
    app.detect.click()
    expect(app.page.locator("#results")).to_be_visible(timeout=RUN_MS)
    expect(app.detect).to_be_enabled()
    ships = app.count
    viewer = app.viewer
    viewer.see(in_words(ships))
    expect(viewer.rows).to_have_count(ships)
    expect(viewer.outlines).to_have_count(ships)
    app.wait_for_ships(ships)
    app.picture("results", whole=True)

    bundle = tmp_path / "run.zip"
    viewer.download("Results (ZIP)").save_as(bundle)
    assert bundle.stat().st_size < 25e6, "the full-size images are files of their own"
    with zipfile.ZipFile(io.BytesIO(bundle.read_bytes())) as files:
        names = set(files.namelist())
        assert {"overlay.png", "detections.csv", "run.json"} <= names
        assert not names & {"raw.png", "mosaic.tif"}
        collection = json.loads(files.read("detections.geojson"))
    assert len(collection["features"]) == ships
    found, known = middles(collection), known_ships(app.rectangle)
    assert len(known) >= 4
    missed = [at for at in known if not (distance_m(found, np.array(at)) < NEAR_M).any()]
    assert missed == []

    threshold = app.page.locator("#threshold input[type=number]")
    threshold.fill("0.95")
    threshold.press("Tab")
    expect(app.panel).to_contain_text("Score 0.95 or more", timeout=20_000)
    fewer = app.count
    assert fewer < ships
    viewer.see(in_words(fewer))
    app.wait_for_ships(fewer)
    threshold.fill("0.995")
    threshold.press("Tab")
    expect(app.panel).to_contain_text("Score 0.995 or more", timeout=20_000)
    viewer.see(in_words(app.count))
    threshold.fill("0.1")
    threshold.press("Tab")
    expect(app.panel).to_contain_text("Score 0.10 or more", timeout=20_000)
    assert app.count >= ships
    viewer.see(in_words(app.count))

    viewer.rows.first.click()  # the map shows which one it is
    expect(app.map.locator(".leaflet-ships-pane path[stroke-width='3']")).to_have_count(1)
    before = app.count
    viewer.place.get_by_role("button", name="Reject (R)").click()
    viewer.saved(1)
    expect(app.panel).to_contain_text(f"{before - 1} ship")
    app.wait_for_ships(before - 1)
    viewer.fill("min_length_m", "100000")
    viewer.see(f"0 of {in_words(before - 1)}")
    app.wait_for_ships(0)


def test_the_other_backend_finds_the_same_ships(open_app: OpenApp):
    app = open_app()
    app.draw(0.4, 0.5, 0.6, 0.7)
    expect(app.estimate).to_contain_text("tiles")
    app.detect.click()
    expect(app.panel).to_contain_text(re.compile("Ran on (OpenVINO|PyTorch), "), timeout=RUN_MS)
    ships = app.count
    assert ships > 0
    app.page.get_by_text("More settings").click()
    app.page.get_by_label("Backend").click()
    app.page.get_by_role("option", name="ONNX Runtime").click()
    app.detect.click()
    expect(app.panel).to_contain_text(
        re.compile("Ran on ONNX Runtime, (CPU|CUDA)ExecutionProvider"), timeout=RUN_MS
    )
    assert app.count == ships


def test_super_resolution_shows_both_images_side_by_side(open_app: OpenApp):
    app = open_app()
    app.page.locator("#upscale label", has_text="×4").click()
    # It appears above what is clicked next, and moves it down.
    expect(app.page.locator("#selective")).to_be_visible()
    app.page.get_by_text("More settings").click()
    app.page.get_by_label("Upscaler").click()
    app.page.get_by_role("option", name="realesr-general-x4v3").click()
    app.draw(0.4, 0.5, 0.55, 0.65)
    expect(app.estimate).to_contain_text("after super-resolution")
    app.picture("settings")
    app.detect.click()
    expect(app.page.locator("#results")).to_be_visible(timeout=RUN_MS)
    app.viewer.place.locator("#view [name=mode]").select_option("swipe")
    expect(app.viewer.place.locator("#view [name=left]")).to_have_value("raw")
    expect(app.viewer.place.locator("#view [name=right]")).to_have_value("upscaled")
    expect(app.viewer.place.locator(".leaflet-over-pane img").first).to_be_visible()
    app.picture("enlarged", whole=True)


def test_a_cancelled_run_says_so_and_another_can_start(open_app: OpenApp):
    app = open_app()
    app.detect.click()
    expect(app.panel.locator("[role=progressbar]")).to_be_visible(timeout=30_000)
    app.page.locator("#cancel").click()
    expect(app.panel).to_contain_text("Cancelled", timeout=10_000)
    expect(app.detect).to_be_enabled()
    app.page.wait_for_timeout(1500)
    expect(app.panel).to_contain_text("Cancelled")
    expect(app.page.get_by_text("No results yet")).to_be_visible()


def test_errors_are_one_sentence_in_place(open_app: OpenApp):
    app = open_app()
    app.set_edge("east", app.numbers[0])
    expect(app.estimate).to_contain_text("The area is empty")
    app.detect.click()
    alert = app.panel.get_by_role("alert")
    expect(alert).to_contain_text(
        "The area is empty: draw a rectangle or give four different edges."
    )
    app.picture("error")
    app.set_edge("east", 20)
    app.set_edge("north", 20)
    app.page.wait_for_timeout(500)
    app.detect.click()
    expect(alert).to_contain_text("are allowed")
    expect(app.page.locator(".toast-wrap .error")).to_have_count(0)
    expect(app.detect).to_be_enabled()


def test_an_image_of_the_visitor(open_app: OpenApp, tmp_path: Path):
    app = open_app()
    tile = tmp_path / "scene.png"
    tile.write_bytes(sample.tile(16, 32641, 32754) or b"")
    app.page.get_by_role("tab", name="Your image").click()
    expect(app.estimate).to_contain_text("Choose an image")
    app.page.get_by_role("tab", name="Map area").click()
    with app.page.expect_file_chooser() as opened:
        app.page.locator("#open-images").click()
    opened.value.set_files(tile)
    expect(app.estimate).to_contain_text("meters per pixel")
    app.picture("own-picture")
    app.page.locator("#gsd input").fill("2.4")
    expect(app.estimate).to_contain_text("without a georeference")
    app.detect.click()
    expect(app.page.locator("#results")).to_be_visible(timeout=RUN_MS)
    downloads = app.viewer.place.locator("#downloads")
    expect(downloads).to_contain_text("CSV")
    expect(downloads).to_contain_text("GeoPackage")
    expect(downloads).not_to_contain_text("GeoJSON")
    expect(app.viewer.place.locator("#unplaced")).to_be_visible()


def test_a_phone_shows_everything_in_one_column(open_app: OpenApp):
    app = open_app(width=390, height=844)
    app.picture("phone", whole=True)
    width = app.page.evaluate("document.documentElement.scrollWidth")
    assert width == 390, "the page must not scroll sideways"
    go, layers = app.page.locator("#go"), app.map.locator(".leaflet-control-layers")
    button, beside = go.bounding_box(), layers.bounding_box()
    assert button is not None and beside is not None
    assert button["x"] + button["width"] <= beside["x"]


def test_settings_need_no_scrolling_on_a_laptop(open_app: OpenApp):
    app = open_app()
    for part in ("#map", "#west", "#provider", "#zoom", "#upscale", "#threshold", "#detect"):
        place = app.page.locator(part).bounding_box()
        assert place is not None and place["y"] + place["height"] <= 900, part


def test_dark_mode(open_app: OpenApp):
    app = open_app(dark=True)
    app.picture("dark")
    assert re.search(r"\bdark\b", app.page.locator("body").get_attribute("class") or "")


def test_the_sample_in_one_click(open_app: OpenApp):
    app = open_app()
    app.set_edge("west", -5)
    run_sample(app)
    assert app.numbers[0] == pytest.approx(sample.bbox().west, abs=1e-5)
    # Ships at the quays are beyond the first classifier; see the README's figures.
    afloat = [s for s in sample.truth() if s.length_m > LARGE_M and s.state != "moored"]
    assert app.count >= len(afloat)
    app.picture("sample", whole=True)


def test_the_sample_is_shown_wherever_the_map_is(open_app: OpenApp):
    app = open_app()
    app.page.locator("#place textarea, #place input").first.fill("36.13 -5.43")
    app.page.locator("#go").click()
    expect(app.map.locator(".sd-notice")).to_contain_text("does not cover this place")
    app.page.locator("#sample").click()
    expect(app.map.locator(".sd-notice")).to_be_hidden()
    expect(app.map.locator("img.leaflet-tile-loaded").first).to_be_visible()
    app.page.locator("#cancel").click()
    expect(app.detect).to_be_enabled(timeout=RUN_MS)


def test_the_sample_is_matched_with_its_ais_file(open_app: OpenApp):
    app = open_app()
    app.draw(0.4, 0.5, 0.6, 0.7)
    expect(app.estimate).not_to_contain_text("192 tiles")
    app.page.get_by_text("Identify ships with AIS").click()
    app.page.locator("#ais input[type=file]").set_input_files(sample.AIS_FILE)
    expect(app.page.locator("#ais-message")).to_contain_text("ships in", timeout=30_000)
    app.page.get_by_label("Time of the image").fill("2024-06-07 noon")
    expect(app.page.locator("#ais-message")).to_contain_text("is not a time")
    app.page.get_by_label("Time of the image").fill("")
    expect(app.page.locator("#ais-message")).to_contain_text("ships in")
    app.detect.click()
    expect(app.panel).to_contain_text("AIS at 2024-06-07 10:30:00 UTC", timeout=RUN_MS)
    app.picture("ais", whole=True)
    app.viewer.choose("dark", "only")
    expect(app.viewer.place.locator("#filter-state")).to_have_text("(on)")
    expect(app.viewer.rows.filter(has_not_text="dark")).to_have_count(0)
    expect(app.viewer.rows.filter(has_text="dark").first).to_be_visible()
