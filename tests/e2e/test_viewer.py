"""The day's work with results, as a person does it: review, filter, export, reopen, compare."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from shipdet.ais.tracks import Contact, Contacts
from shipdet.pipeline import open_run
from tests.e2e.conftest import empty_window
from tests.helpers.app_page import AppPage
from tests.helpers.app_process import App
from tests.helpers.viewer_page import ViewerPage, serious_findings
from tests.helpers.written_runs import write_run

MONDAY, TUESDAY = "bay-20260105-080000-aaaaaa", "bay-20260106-080000-bbbbbb"
#: x, y, length in meters, score
FLEET = ((60, 60, 120, 0.95), (160, 90, 60, 0.7), (250, 40, 200, 0.9), (230, 160, 30, 0.6),
         (100, 150, 90, 0.3))  # fmt: skip
NEXT_DAY = ((62, 61, 118, 0.9), (160, 90, 62, 0.8), (40, 170, 150, 0.85))

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def runs(own_app: App) -> Path:
    """The runs of the app, two of one place among them."""
    write_run(own_app.runs / MONDAY, FLEET)
    write_run(own_app.runs / TUESDAY, NEXT_DAY)
    return own_app.runs


@pytest.fixture
def open_page(shared_window: BrowserContext, own_app: App, runs: Path) -> Iterator[OpenPage]:
    """Opens an address of the app; fails the test for whatever the browser complains of."""
    with empty_window(shared_window, own_app.url) as window:

        def opened(path: str, dark: bool = False) -> Page:
            page = window.new_page()
            page.set_viewport_size({"width": 1440, "height": 900})
            page.emulate_media(color_scheme="dark" if dark else "light")
            page.goto(f"{own_app.url}{path}")
            return page

        yield opened


def test_ships_are_reviewed_and_exported(open_page: OpenPage, runs: Path, tmp_path: Path):
    page = open_page(f"runs/{MONDAY}")
    viewer = ViewerPage(page)
    viewer.see("4 ships")
    expect(viewer.outlines).to_have_count(4)
    page.locator("#by").fill("Ada")
    page.locator("#by").press("Tab")

    page.get_by_role("button", name="Ship 1", exact=True).click()
    expect(page.locator("#ship-title")).to_have_text("Ship 1")
    viewer.press("a")  # accepted; the next one is chosen
    expect(page.locator("#ship-title")).to_have_text("Ship 2")
    viewer.press("r")
    viewer.saved(2)
    viewer.see("3 ships")
    viewer.press("n")  # one is missing: bow and stern, with the keyboard
    expect(viewer.hint).to_contain_text("mark the bow")
    viewer.press("Space")
    expect(viewer.hint).to_contain_text("mark the stern")
    for _ in range(4):
        viewer.press("Shift+ArrowDown")
    viewer.press("Space")
    viewer.saved(3)
    viewer.see("4 ships")
    viewer.press("u")
    viewer.saved(2)
    viewer.see("3 ships")
    expect(viewer.outlines).to_have_count(3)

    run = open_run(runs / MONDAY)
    assert [(action.kind, action.by) for action in run.review.actions] == [
        ("accept", "Ada"), ("reject", "Ada"),
    ]  # fmt: skip
    assert len(run.files["csv"].read_text().splitlines()) == 4

    viewer.fill("min_length_m", "100")
    viewer.see("1 of 3 ships")
    expect(viewer.rows).to_have_count(1)
    expect(viewer.outlines).to_have_count(1)
    download = viewer.download("GeoPackage")
    assert download.suggested_filename == f"{MONDAY}-filtered.gpkg"
    download.save_as(tmp_path / "ships.gpkg")
    pyogrio = pytest.importorskip("pyogrio")
    assert len(pyogrio.raw.read(tmp_path / "ships.gpkg", layer="ships")[2]) == 1

    page.reload()
    viewer.see("1 of 3 ships")  # the address keeps the filter
    page.get_by_role("button", name="Clear filter").click()
    viewer.see("3 ships")


def test_the_name_of_a_ship_is_text(open_page: OpenPage, runs: Path):
    name = "<img src=x onerror=document.title='run'>"
    run = write_run(runs / "hostile-20260109-120000-ffffff", ((150, 100, 200, 0.95),))
    [ship] = run.detections
    assert ship.lon is not None and ship.lat is not None
    contact = Contact(1, name, ship.lon, ship.lat, 0, None, None, None, "", 0, 500, True)
    ais = Contacts((contact,), datetime(2026, 1, 9, 12, tzinfo=UTC)).as_dict()
    (run.folder / "run.json").write_text(json.dumps({**run.record, "ais": ais}))
    page = open_page("runs/hostile-20260109-120000-ffffff")
    ViewerPage(page).see("1 ship")
    page.get_by_role("button", name="Ship 1", exact=True).click()
    expect(page.locator(".leaflet-tooltip", has_text=name)).to_be_visible()
    assert page.locator(".leaflet-tooltip img").count() == 0


def test_a_download_waits_for_the_review(open_page: OpenPage, runs: Path, tmp_path: Path):
    write_run(runs / "noon-20260108-120000-eeeeee", FLEET)
    page = open_page("runs/noon-20260108-120000-eeeeee")
    viewer = ViewerPage(page)
    viewer.see("4 ships")
    page.route("**/review*", lambda route: (time.sleep(1), route.continue_()))
    page.get_by_role("button", name="Ship 1", exact=True).click()
    viewer.press("r")
    viewer.download("CSV").save_as(tmp_path / "ships.csv")
    assert len((tmp_path / "ships.csv").read_text().splitlines()) == 1 + 3


def test_a_ship_rejected_in_its_row_is_struck_out_at_once(open_page: OpenPage, runs: Path):
    write_run(runs / "dusk-20260108-180000-abcdef", FLEET)
    page = open_page("runs/dusk-20260108-180000-abcdef")
    viewer = ViewerPage(page)
    viewer.see("4 ships")
    held: list[Route] = []
    page.route("**/review*", lambda route: held.append(route))
    page.get_by_role("button", name="Reject ship 2").click()
    expect(viewer.rows.nth(1)).to_have_attribute("data-review", "rejected")
    viewer.see("4 ships")  # until the server has taken it
    held[0].continue_()
    viewer.saved(1)
    viewer.see("3 ships")
    expect(page.locator("#ship-title")).to_have_text("No ship selected")


def test_numbers_are_sorted_as_numbers(open_page: OpenPage):
    page = open_page(f"runs/{TUESDAY}")
    viewer = ViewerPage(page)
    viewer.see("3 ships")
    page.get_by_role("button", name="Length (m)").click()
    assert viewer.column(3) == ["62", "118", "150"]
    page.get_by_role("button", name="Length (m)").click()
    assert viewer.column(3) == ["150", "118", "62"]
    cells = viewer.rows.locator("td").all_inner_texts()
    assert "null" not in cells and "NaN" not in cells and "" in cells


def test_row_and_outline_choose_each_other(open_page: OpenPage):
    page = open_page(f"runs/{TUESDAY}")
    viewer = ViewerPage(page)
    viewer.see("3 ships")
    viewer.rows.nth(1).click()
    page.wait_for_timeout(1200)  # it flies there
    expect(page.locator(".leaflet-ships-pane path[stroke-width='4']")).to_have_count(1)
    place = page.locator("#right").bounding_box()
    assert place is not None
    page.get_by_role("button", name="Whole image").click()
    viewer.press("ArrowUp")
    expect(viewer.rows.first).to_have_attribute("aria-current", "true")
    page.wait_for_timeout(1200)
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(page.locator("#ship-title")).to_have_text("Ship 1")


def test_a_choice_before_the_run_has_come_is_followed(open_page: OpenPage):
    page = open_page("runs")
    held: list[Route] = []
    page.route("**/data.json*", lambda route: held.append(route))
    page.goto(page.url + f"/{TUESDAY}")
    page.locator("#view [name=mode]").select_option("side")
    page.get_by_role("button", name="Whole image").click()
    page.keyboard.press("p")
    held[0].continue_()
    ViewerPage(page).see("3 ships")
    expect(page.locator("#left .leaflet-tile").first).to_be_visible()


def test_a_polygon_filters_and_the_swipe_has_two_sides(open_page: OpenPage):
    page = open_page(f"runs/{TUESDAY}")
    viewer = ViewerPage(page)
    viewer.see("3 ships")
    viewer.press("p")
    place = page.locator("#right").bounding_box()
    assert place is not None
    left, top, width, height = place["x"], place["y"], place["width"], place["height"]
    # The first corner lies beside the zoom buttons.
    for x, y in ((0.1, 0.02), (0.98, 0.02), (0.98, 0.6), (0.02, 0.6)):
        page.mouse.click(left + x * width, top + y * height)
        page.wait_for_timeout(400)
    viewer.press("Enter")
    viewer.see("2 of 3 ships")
    page.locator("#view [name=mode]").select_option("swipe")
    page.get_by_label("Divider between left and right").fill("250")
    clipped = page.locator(".leaflet-over-pane").get_attribute("style") or ""
    assert "rect(" in clipped
    page.locator("#view [name=mode]").select_option("side")
    expect(page.locator("#left .leaflet-tile").first).to_be_visible()


def test_a_run_is_reopened_renamed_and_deleted_from_history(open_page: OpenPage, runs: Path):
    write_run(runs / "old-20250101-000000-cccccc", NEXT_DAY)
    page = open_page("runs")
    card = page.locator("[data-run^=old]")
    expect(card).to_contain_text("3 ships")
    expect(page.locator("#kept")).to_contain_text("older than 30 days are removed")
    card.get_by_role("link").click()
    ViewerPage(page).see("3 ships")
    page.get_by_role("link", name="All runs").click()
    page.get_by_role("button", name="Rename old").click()
    page.locator("#rename input").fill("spring")
    page.get_by_role("button", name="Rename", exact=True).click()
    page.get_by_role("button", name="Delete spring-20250101").click()
    page.locator("#delete").get_by_role("button", name="Delete").click()
    expect(page.locator("[data-run^=spring]")).to_have_count(0)
    assert not (runs / "spring-20250101-000000-cccccc").exists()


def test_a_run_of_yesterday_is_two_clicks_away(open_page: OpenPage):
    page = open_page("")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="History", exact=True).click()
    history = opened.value
    card = history.locator(f"[data-run={TUESDAY}]")
    expect(card.locator("img")).to_have_js_property("complete", True)
    assert card.locator("img").evaluate("image => image.naturalWidth") > 0
    card.get_by_role("link").click()
    ViewerPage(history).see("3 ships")


def test_two_runs_are_compared_and_the_changes_saved(open_page: OpenPage, runs: Path):
    write_run(runs / "eve-20260107-080000-dddddd", FLEET)
    page = open_page("runs")
    for name in ("eve", TUESDAY):
        page.locator(f"[data-run^={name}]").get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare two runs").click()
    viewer = ViewerPage(page)
    viewer.see("2 stayed, 2 arrived, 1 left")
    expect(viewer.outlines).to_have_count(5)
    page.get_by_label("Stayed").uncheck()
    expect(viewer.rows).to_have_count(3)
    assert viewer.download("GeoJSON").suggested_filename.endswith(".geojson")
    assert serious_findings(page) == []


@pytest.mark.parametrize("dark", [False, True])
def test_no_page_keeps_people_out(open_page: OpenPage, dark: bool):
    page = open_page(f"runs/{TUESDAY}?min_length_m=10", dark)
    viewer = ViewerPage(page)
    viewer.see("3 of 3 ships")
    viewer.rows.first.click()
    page.get_by_label("Other candidates").check()
    assert serious_findings(page) == []
    page.get_by_role("button", name="Keys (?)").click()
    assert serious_findings(page) == []
    page.goto(page.url.split("/runs/")[0] + "/runs")
    expect(page.locator("[data-run]").first).to_be_visible()
    assert serious_findings(page) == []


@pytest.mark.parametrize("dark", [False, True])
def test_the_search_page_keeps_nobody_out(open_page: OpenPage, dark: bool):
    page = open_page("?__theme=dark" if dark else "")
    app = AppPage(page)
    expect(app.estimate).to_contain_text("tiles", timeout=60_000)
    assert serious_findings(page) == []
    page.get_by_text("More settings").click()
    page.get_by_role("tab", name="Your image").click()
    expect(app.estimate).to_contain_text("Choose an image")
    assert serious_findings(page) == []
