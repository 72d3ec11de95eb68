"""Getting somewhere, on a known day, and who it was: in a real browser, with local servers."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import rasterio
from PIL import Image
from playwright.sync_api import expect
from rasterio.transform import from_origin

from shipdet.geometry import BBox
from shipdet.imagery import sample
from tests.e2e.conftest import OpenApp
from tests.helpers.app_page import EDGES, AppPage
from tests.helpers.app_process import running_app
from tests.helpers.stac_server import ITEMS, StacServer
from tests.helpers.tile_server import TileServer
from tests.helpers.tiny_models import make_classifier, make_upscaler, weights  # noqa: F401

RUN_MS = 240_000  # small areas with a small model, on two busy cores
ALGECIRAS = (-5.43, 36.13)


@pytest.fixture(scope="module")
def stac(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StacServer]:
    with StacServer(tmp_path_factory.mktemp("stac")) as server:
        yield server


@pytest.fixture(scope="module")
def tiles() -> Iterator[TileServer]:
    with TileServer() as server:
        yield server


@pytest.fixture(scope="module")
def app_url(
    stac: StacServer,
    tiles: TileServer,
    weights: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """An app whose searches take a second: their ships do not matter here."""
    own = {
        "SHIPDET_WEIGHTS_DIR": str(weights),
        "SHIPDET_CLASSIFIER": "tiny-atto",
        "SHIPDET_UPSCALER": "tiny-compact",
        "SHIPDET_BACKEND": "torch",  # the others would first export these models
        "SHIPDET_RETRIES": "0",
    }
    folder = tmp_path_factory.mktemp("app")
    with running_app(folder, **own, **stac.environ(), **tiles.environ()) as app:
        httpx.get(f"{app.url}tiles/sample/15/16320/16376.png", timeout=60).raise_for_status()
        yield app.url


def view_of(app: AppPage) -> BBox:
    return BBox.parse(app.view)


def go(app: AppPage, text: str) -> None:
    app.page.get_by_label("Go to a place").fill(text)
    app.page.get_by_role("button", name="Go", exact=True).click()


def shows(app: AppPage, lon: float, lat: float) -> bool:
    view = view_of(app)
    near = view.east - view.west < 1
    return near and view.west < lon < view.east and view.south < lat < view.north


def wait_until_shown(app: AppPage, lon: float, lat: float) -> None:
    for _ in range(60):
        if shows(app, lon, lat):
            return
        app.page.wait_for_timeout(250)
    raise AssertionError(f"the map shows {app.view}")


def choose(app: AppPage, field: str, option: str) -> None:
    app.page.locator(f"#{field} input").click()
    app.page.get_by_role("option", name=option, exact=True).click()


def set_box(app: AppPage, box: BBox) -> None:
    for name, value in zip(EDGES, box.as_tuple(), strict=True):
        app.set_edge(name, round(value, 6))


def test_a_port_is_found_by_its_name(open_app: OpenApp):
    app = open_app()
    go(app, "Algeciras")
    expect(app.page.locator("#places label").first).to_have_text(
        "Algeciras, Spain (port)", timeout=30_000
    )
    app.picture("places")
    app.page.locator("#places label").first.click()
    wait_until_shown(app, *ALGECIRAS)
    expect(app.page.locator("#places")).to_be_hidden()
    expect(app.map.locator(".sd-notice")).to_contain_text("does not cover this place")

    app.reload()  # the map opens where it was left
    expect(app.map.locator(".leaflet-draw-draw-rectangle")).to_be_visible(timeout=60_000)
    wait_until_shown(app, *ALGECIRAS)


def test_coordinates_are_pasted_in_five_writings(open_app: OpenApp):
    app = open_app()
    for text in (
        "36.13, -5.43",
        "36°07'48\"N 5°25'48\"W",
        "N36°07.8' W005°25.8'",
        "https://www.google.com/maps/@36.13,-5.43,14z",
        "https://www.openstreetmap.org/#map=14/36.13/-5.43",
    ):
        go(app, "51.95, 4.05")
        wait_until_shown(app, 4.05, 51.95)
        go(app, text)
        wait_until_shown(app, *ALGECIRAS)
    go(app, "36.13 N, 5.43 O")
    expect(app.page.locator("#place-message").get_by_role("alert")).to_contain_text("write E or W")


def test_a_polygon_limits_the_area(open_app: OpenApp):
    app = open_app()
    expect(app.estimate).to_contain_text("192 tiles")
    app.map.locator(".leaflet-draw-draw-polygon").click()
    place = app.page.locator("#map iframe").bounding_box()
    assert place is not None
    for x, y in ((0.3, 0.3), (0.8, 0.4), (0.4, 0.8), (0.3, 0.3)):
        app.page.mouse.click(place["x"] + x * place["width"], place["y"] + y * place["height"])
        app.page.wait_for_timeout(300)
    polygon = app.page.locator("#map-polygon textarea")
    expect(polygon).to_have_value(re.compile("Polygon"))
    ring = np.array(json.loads(polygon.input_value())["coordinates"][0])
    assert np.allclose(app.numbers, [*ring.min(axis=0), *ring.max(axis=0)], atol=2e-6)
    expect(app.estimate).not_to_contain_text("192 tiles")
    app.picture("polygon")
    app.set_edge("west", round(app.numbers[0] - 0.001, 6))  # numbers are those of a rectangle
    expect(polygon).to_have_value("")


def test_three_areas_of_a_file_are_searched_one_by_one(open_app: OpenApp, tmp_path: Path):
    west, south, _, _ = sample.bbox().as_tuple()
    marks = "".join(
        f"<Placemark><name>Kai {number}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        f"{w},{south + 0.01} {w + 0.003},{south + 0.01} {w},{south + 0.013}"
        "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for number, w in enumerate((west + 0.01, west + 0.02, west + 0.03), start=1)
    )
    file = tmp_path / "quays.kml"
    file.write_text(f'<kml xmlns="http://www.opengis.net/kml/2.2">{marks}</kml>')
    app = open_app()
    app.page.get_by_text("Areas from a file").click()
    app.page.locator("#area-file input[type=file]").set_input_files(file)
    expect(app.estimate).to_contain_text("3 areas")
    app.detect.click()
    summary = app.page.locator(".sd-summary")
    expect(summary).to_contain_text("3 searches", timeout=RUN_MS)
    for number in (1, 2, 3):
        expect(summary).to_contain_text(f"Kai-{number}")
    expect(app.page.locator("#results")).to_be_visible()
    app.picture("areas", whole=True)
    with app.page.expect_download() as downloading:
        app.page.locator("#summary a[download='summary.csv']").click()
    assert len(Path(downloading.value.path()).read_text().splitlines()) == 4
    choose(app, "several", "Kai-2")
    expect(app.panel).to_contain_text("found")


def test_an_acquisition_is_chosen_and_its_date_kept(
    open_app: OpenApp, stac: StacServer, tmp_path: Path
):
    app = open_app()
    set_box(app, stac.bbox_of(20, 100, 50, 130))
    choose(app, "provider", "Sentinel-2 by date")
    app.page.get_by_label("From", exact=True).fill("2024-05-01")
    app.page.get_by_label("To", exact=True).fill("2024-05-31")
    expect(app.estimate).to_contain_text("The model needs")  # 10 m are too coarse for this one
    app.page.wait_for_timeout(1500)  # each estimate writes the list of zooms again
    choose(app, "zoom", "15")
    app.page.get_by_role("button", name="List acquisitions").click()
    listed = app.page.locator(".sd-acquisitions label")
    expect(listed).to_have_count(2)
    expect(listed.first).to_contain_text("2024-05-11 11:06 UTC")
    listed.nth(1).click()
    expect(app.page.locator("#acquisition").locator("input, textarea")).to_have_value(ITEMS[0].id)
    expect(app.estimate).to_contain_text("tiles")
    loaded = app.map.locator("img.leaflet-tile-loaded[src*='tiles/sentinel2']")
    expect(loaded.first).to_be_visible(timeout=30_000)
    app.picture("acquisitions")
    app.detect.click()
    expect(app.page.locator("#results")).to_be_visible(timeout=RUN_MS)

    set_box(app, stac.bbox_of(100, 100, 200, 130))  # of which the newest covers a part
    app.page.locator("#acquisition").locator("input, textarea").fill(ITEMS[3].id)
    expect(app.estimate).to_contain_text("of the area: ships in the rest cannot be found")


def test_own_tiles_are_shown_on_the_map(open_app: OpenApp, tiles: TileServer):
    app = open_app()
    choose(app, "provider", "Test tiles")
    set_box(app, tiles.bbox_of(200, 200, 500, 400))
    loaded = app.map.locator("img.leaflet-tile-loaded[src*='tiles/xyz']")
    attribution = app.map.locator(".leaflet-control-attribution")
    expect(attribution).to_contain_text("Test data", timeout=30_000)
    go(app, "/".join(map(str, (tiles.zoom, tiles.x0 + 1, tiles.y0 + 1))))
    app.page.wait_for_timeout(1000)
    assert loaded.count() or app.map.locator(".sd-notice").is_visible()


def write_geotiff(file: Path) -> None:
    """An image at :data:`ALGECIRAS`."""
    place = {"crs": "EPSG:32630", "transform": from_origin(281_300, 4_001_200, 3, 3)}
    profile = {"driver": "GTiff", "width": 80, "height": 60, "count": 3, "dtype": "uint8"}
    with rasterio.open(file, "w", **profile, **place) as image:
        image.write(np.random.default_rng(0).integers(0, 90, (3, 60, 80), dtype=np.uint8))


def test_a_map_that_was_hidden_or_resized_keeps_its_view(open_app: OpenApp, tmp_path: Path):
    write_geotiff(tmp_path / "harbor.tif")
    app = open_app()
    with app.page.expect_file_chooser() as chooser:
        app.page.get_by_role("button", name="Open images").click()
    chooser.value.set_files([tmp_path / "harbor.tif"])
    wait_until_shown(app, *ALGECIRAS)
    for width in (600, 1300):
        app.page.set_viewport_size({"width": width, "height": 900})
        app.page.wait_for_timeout(1000)
        assert shows(app, *ALGECIRAS)
    for display in ("none", "block"):
        app.page.locator("#map").evaluate("(map, value) => map.style.display = value", display)
        app.page.wait_for_timeout(500)
    assert shows(app, *ALGECIRAS)


DROP = """(data) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], "harbor.tif"));
    const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
    document.body.dispatchEvent(drop);
    return drop.defaultPrevented;
}"""


@pytest.mark.parametrize("on_the_map", [False, True])
def test_a_dropped_image_is_opened(open_app: OpenApp, tmp_path: Path, on_the_map: bool):
    write_geotiff(tmp_path / "harbor.tif")
    data = base64.b64encode((tmp_path / "harbor.tif").read_bytes()).decode()
    app = open_app()
    place = app.map.locator("body") if on_the_map else app.page.locator("body")
    assert place.evaluate(f"(body, data) => ({DROP})(data)", data), "no page is left for the file"
    wait_until_shown(app, *ALGECIRAS)
    # The name and its suffix are two elements.
    expect(app.page.locator("#picture")).to_contain_text(re.compile(r"harbor\s*\.tif"))


def test_the_time_of_the_image_is_filled_in_until_one_is_typed(open_app: OpenApp, tmp_path: Path):
    file = tmp_path / "20240501_105600_1021_3B_Visual.tif"
    write_geotiff(file)
    app = open_app()
    app.page.get_by_text("Identify ships with AIS").click()
    time = app.page.get_by_label("Time of the image")
    expect(time).to_have_value(sample.ACQUIRED)
    app.page.get_by_role("tab", name="Your images").click()
    app.page.locator("#picture input[type=file]").set_input_files([file])
    expect(time).to_have_value("2024-05-01T10:56:00Z", timeout=30_000)
    time.fill("2024-05-01T10:57:00Z")
    app.page.get_by_role("tab", name="Map area").click()
    expect(app.page.locator("#acquired-offered textarea")).to_have_value(sample.ACQUIRED)
    expect(time).to_have_value("2024-05-01T10:57:00Z")
    time.fill("")
    app.page.get_by_role("tab", name="Your images").click()
    expect(time).to_have_value("2024-05-01T10:56:00Z")


def test_an_image_without_a_place_is_shown_as_an_image(open_app: OpenApp, tmp_path: Path):
    file = tmp_path / "scene.png"
    shades = np.linspace(0, 255, 300, dtype=np.uint8)
    Image.fromarray(np.dstack([np.tile(shades, (200, 1))] * 3)).save(file)
    app = open_app()
    app.page.get_by_role("tab", name="Your images").click()
    app.page.locator("#picture input[type=file]").set_input_files([file])
    shown = app.page.locator("#own-picture img")
    expect(shown).to_be_visible(timeout=30_000)
    expect(app.page.locator("#map")).to_be_hidden()
    before = shown.get_attribute("src")
    choose(app, "bands", "1 red in gray")
    choose(app, "stretch", "2nd to 98th percentile")
    expect(shown).not_to_have_attribute("src", before or "")
    app.picture("own-images")
    app.page.get_by_role("tab", name="Map area").click()
    expect(app.page.locator("#map")).to_be_visible()


def test_a_distance_is_measured(open_app: OpenApp):
    app = open_app()
    app.map.get_by_role("button", name="Measure a distance").click()
    place = app.page.locator("#map iframe").bounding_box()
    assert place is not None
    for x in (0.3, 0.6):
        app.page.mouse.click(place["x"] + x * place["width"], place["y"] + 0.5 * place["height"])
    expect(app.map.locator(".leaflet-tooltip")).to_contain_text(re.compile(r"\d m$|km"))
