"""The app as a person uses it: draw, detect, look, download."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from shipdet.geometry import distance_m
from shipdet.imagery import sample
from tests.e2e.conftest import OpenApp

RUN_MS = 240_000  # a whole run on two busy cores


def test_the_page_opens_on_the_sample_without_asking_another_host(open_app: OpenApp) -> None:
    app = open_app()
    assert app.numbers == pytest.approx(sample.bbox().as_tuple(), abs=1e-5)
    assert app.rectangle == pytest.approx(sample.bbox().as_tuple(), abs=1e-5)
    expect(app.detect).to_be_in_viewport()
    app.picture("idle")


def test_the_numbers_follow_the_drawn_rectangle_and_the_rectangle_follows_the_numbers(
    open_app: OpenApp,
) -> None:
    app = open_app()
    before = app.numbers
    app.draw(0.4, 0.4, 0.6, 0.6)
    app.page.wait_for_function(
        "west => document.querySelector('#west input').value != west", arg=str(before[0])
    )
    west, south, east, north = app.numbers
    assert app.rectangle == pytest.approx((west, south, east, north), abs=1e-5)
    assert before[0] < west < east < before[2]
    assert before[1] < south < north < before[3]
    app.set_edge("west", west - 0.002)
    app.page.wait_for_timeout(1000)
    assert app.rectangle[0] == pytest.approx(west - 0.002, abs=1e-5)


def test_ships_of_the_sample_are_found_and_downloaded(open_app: OpenApp, tmp_path: Path) -> None:
    app = open_app()
    app.page.get_by_role("button", name="Try the sample").click()
    expect(app.panel).to_contain_text("Searching for ships", timeout=RUN_MS)
    app.picture("running")
    expect(app.panel).to_contain_text("found", timeout=RUN_MS)
    expect(app.page.locator("#overlay img")).to_be_visible()
    app.picture("results", whole=True)
    count = app.count
    assert count > 0
    assert app.ships_on_map == count
    with app.page.expect_download() as started:
        app.page.get_by_role("button", name="Everything (ZIP)").click()
    bundle = tmp_path / "run.zip"
    started.value.save_as(bundle)
    with zipfile.ZipFile(bundle) as opened:
        features = json.loads(opened.read("detections.geojson"))["features"]
    assert len(features) == count
    found = np.array([[f["properties"]["lon"], f["properties"]["lat"]] for f in features])
    large = [ship for ship in sample.truth() if ship.length_m > 60]
    near = [float(distance_m(found, [ship.lon, ship.lat]).min()) < 30 for ship in large]
    assert sum(near) / len(near) >= 0.6, near


def test_an_empty_area_is_one_sentence_in_place(open_app: OpenApp) -> None:
    app = open_app()
    app.set_edge("east", app.numbers[0])
    expect(app.estimate).to_contain_text("empty", timeout=30_000)
    app.detect.click()
    expect(app.panel.get_by_role("alert")).to_contain_text("empty", timeout=30_000)
    assert "Traceback" not in app.page.content()
    app.picture("error")


def test_a_cancelled_run_stops(open_app: OpenApp) -> None:
    app = open_app()
    app.detect.click()
    expect(app.panel).to_contain_text("Searching for ships", timeout=RUN_MS)
    app.page.get_by_role("button", name="Cancel").click()
    expect(app.panel).to_contain_text("ancelled", timeout=30_000)


def test_the_page_fits_a_phone(open_app: OpenApp) -> None:
    app = open_app(390, 844)
    width = app.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    app.picture("phone", whole=True)
