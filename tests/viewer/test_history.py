"""The history: who sees which runs, renaming, deleting, comparing, and what is under way."""

import io
import json
import threading

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from shipdet import pipeline
from shipdet.errors import BadOption, Busy
from shipdet.progress import Progress
from shipdet.report.record import grid_of
from shipdet.viewer import live_searches, viewer_routes
from tests.helpers.written_runs import SHIPS, write_run
from tests.viewer.conftest import RUN

LATER = "later-20260102-000000-abcdef"
#: One ship stays, one leaves, one arrives.
TUESDAY = ((62.0, 60.0, 118.0, 0.9), (250.0, 150.0, 90.0, 0.8))


@pytest.fixture
def later(settings):
    return write_run(settings.runs_dir / LATER, TUESDAY)


def test_the_list_tells_count_place_size_and_removal(web, run, settings):
    message = web.post("/viewer/runs.json", json={}).json()
    [entry] = message["runs"]
    assert (entry["id"], entry["ships"], entry["thumbnail"]) == (RUN, 2, True)
    assert entry["bbox"] == [4.0, 51.0, 4.1, 51.1] and entry["size_mb"] > 0
    assert message["kept"] == {"days": settings.runs_max_age_days, "gb": settings.runs_max_gb}
    assert message["every"] and message["running"] == []


@pytest.mark.parametrize("lon", [4.1, 180.0])
def test_a_georeferenced_image_is_listed_with_its_place(web, settings, lon):
    run = write_run(settings.runs_dir / LATER, lon=lon)
    record = {**run.record, "inputs": {"image": "harbor.tif"}}
    (run.folder / "run.json").write_text(json.dumps(record))
    [entry] = web.post("/viewer/runs.json", json={}).json()["runs"]
    west, south, east, north = entry["bbox"]
    middle = [(west + east) / 2, (south + north) / 2]
    assert grid_of(record).lonlat([[150, 100]])[0] == pytest.approx(middle, abs=1e-4)
    assert 0 < east - west < 0.01 and 0 < north - south < 0.01


def test_a_run_that_is_being_written_is_not_listed(web, run, settings):
    write_run(settings.runs_dir / f"{RUN}.partial")
    assert len(web.post("/viewer/runs.json", json={}).json()["runs"]) == 1
    assert web.get(f"/runs/{RUN}.partial/data.json").status_code == 400


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"host": "0.0.0.0"}, {}),
        ({"share": True}, {}),
        ({"history": "own"}, {}),
        ({}, {"X-Forwarded-For": "192.0.2.1"}),
        ({}, {"Host": "rebound.example.org:7860"}),
    ],
)
def test_visitors_see_the_runs_of_their_browser_only(settings, run, later, changes, headers):
    public = type(settings)(**{**settings.model_dump(exclude_unset=True), **changes})
    public = public.model_copy(update={"runs_dir": settings.runs_dir})
    app, local = Starlette(routes=viewer_routes(public)), "http://localhost:7860"
    with TestClient(app, local, headers=headers) as web:
        assert web.post("/viewer/runs.json", json={}).json()["runs"] == []
        message = web.post("/viewer/runs.json", json={"ids": [RUN, "unknown", 3]}).json()
        assert [entry["id"] for entry in message["runs"]] == [RUN] and not message["every"]


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "[::1]:7860", "localhost"])
def test_every_address_of_this_machine_lists_all_runs(web, run, host):
    message = web.post("/viewer/runs.json", json={}, headers={"Host": host}).json()
    assert message["every"] and len(message["runs"]) == 1


def test_as_many_runs_as_a_browser_remembers_can_be_named(settings, run):
    own = settings.model_copy(update={"history": "own"})
    ids = [f"{'harbor' * 10}-20260101-000000-{number:06x}" for number in range(499)]
    with TestClient(Starlette(routes=viewer_routes(own))) as web:
        message = web.post("/viewer/runs.json", json={"ids": [*ids, RUN]}).json()
    assert [entry["id"] for entry in message["runs"]] == [RUN]


def test_a_renamed_run_keeps_its_date(web, run, settings):
    answer = web.post(f"/runs/{RUN}/rename", json={"name": "Zeebrügge night"}).json()
    assert answer["id"] == "Zeebrügge night-20260101-000000-abcdef"
    assert [entry.id for entry in pipeline.runs(settings)] == [answer["id"]]
    assert web.get(f"/runs/{answer['id']}/data.json").json()["total"] == 2
    assert web.get(f"/runs/{RUN}/data.json").status_code == 400


@pytest.mark.parametrize("name", ["../up", "a/b", ".x", "a" * 80])
def test_a_run_cannot_be_renamed_to_a_path(web, run, name):
    answer = web.post(f"/runs/{RUN}/rename", json={"name": name})
    assert answer.status_code == 400 and "file name" in answer.json()["error"]


def test_a_name_of_another_run_is_refused(run, settings):
    write_run(settings.runs_dir / "other-20260101-000000-abcdef")
    with pytest.raises(BadOption, match="already"):
        pipeline.rename_run(RUN, "other", settings)


def test_a_deleted_run_is_gone(web, run):
    assert web.delete(f"/runs/{RUN}").status_code == 200
    assert not run.folder.exists()
    assert "no longer on disk" in web.delete(f"/runs/{RUN}").json()["error"]


def test_two_runs_are_compared_in_the_pixels_of_the_first(web, run, later):
    message = web.get(f"/compare/{RUN}/{LATER}/data.json").json()
    assert message["counts"] == {"stayed": 1, "arrived": 1, "left": 1}
    places = {ship["change"]: (round(ship["x"]), round(ship["y"])) for ship in message["ships"]}
    assert places == {"stayed": (62, 60), "arrived": (250, 150), "left": (160, 90)}
    tile = web.get(f"/compare/{RUN}/{LATER}/tiles/raw/1/0/0")
    with Image.open(io.BytesIO(tile.content)) as picture, Image.open(later.files["raw"]) as raw:
        assert picture.getpixel((100, 100))[:3] == raw.getpixel((100, 100))


def test_ships_across_the_180th_meridian_are_compared_in_pixels(web, settings):
    for name, ships in (("monday", SHIPS), ("tuesday", TUESDAY)):
        write_run(settings.runs_dir / name, ships, lon=179.997)
    message = web.get("/compare/monday/tuesday/data.json").json()
    places = {ship["change"]: (round(ship["x"]), round(ship["y"])) for ship in message["ships"]}
    assert places == {"stayed": (62, 60), "arrived": (250, 150), "left": (160, 90)}


@pytest.mark.parametrize("suffix", ["geojson", "csv", "gpkg"])
def test_a_comparison_is_exported(web, run, later, suffix):
    answer = web.get(f"/compare/{RUN}/{LATER}/changes.{suffix}")
    assert answer.status_code == 200, answer.text
    assert f"{RUN}-to-{LATER}.{suffix}" in answer.headers["content-disposition"]
    if suffix == "geojson":
        assert len(json.loads(answer.text)["features"]) == 3


def test_runs_without_a_common_place_are_not_compared(web, run, settings):
    write_run(settings.runs_dir / "scene", placed=False)
    answer = web.get(f"/compare/{RUN}/scene/data.json")
    assert answer.status_code == 400 and "cannot be compared" in answer.json()["error"]
    assert ".geojson" in web.get(f"/compare/{RUN}/{RUN}/changes.shp").json()["error"]


class Steps:
    """A search that takes its next step when it is asked to."""

    def __init__(self, run_folder=None):
        self.go, self.closed, self.folder = threading.Semaphore(0), threading.Event(), run_folder

    def __call__(self):
        try:
            for number in range(3):
                self.go.acquire()
                yield Progress("detect", number, 3)
            if self.folder:
                yield self.folder
        finally:
            self.closed.set()


def test_a_search_goes_on_without_its_follower(run, web):
    steps = Steps(run.folder)
    search = live_searches.start("Harbor", steps, 5)
    steps.go.release()
    assert next(search.follow()).done == 0  # and that page is closed
    message = web.post("/viewer/runs.json", json={}).json()["running"]
    assert [(entry["title"], entry["step"]) for entry in message] == [
        ("Harbor", "Searching for ships")
    ]
    steps.go.release(2)
    assert [event.done for event in live_searches.find(search.id).follow()][-1] == 2
    assert search.result == run.folder and search.error is None and not search.cancelled
    assert web.post("/viewer/runs.json", json={}).json()["running"] == []


def test_a_cancelled_search_is_closed_at_its_next_step():
    steps = Steps()
    search = live_searches.start("Harbor", steps, 5)
    search.cancel()
    steps.go.release()
    assert steps.closed.wait(10)
    assert list(search.follow()) == [] and search.cancelled and search.result is None


def test_the_number_of_waiting_searches_is_limited():
    steps = Steps()
    search = live_searches.start("Harbor", steps, 1)
    with pytest.raises(Busy, match="Too many runs"):
        live_searches.start("Another", Steps(), 1)
    search.cancel()
    steps.go.release()
    list(search.follow())
    assert live_searches.find("unknown") is None


def test_an_error_ends_a_search():
    def broken():
        yield Progress("fetch", 0, 1)
        raise BadOption("No.")

    search = live_searches.start("Harbor", broken, 5)
    list(search.follow())
    assert str(search.error) == "No." and search.result is None


def test_an_ended_search_is_found_for_a_day():
    def begin():
        search = live_searches.start("Harbor", lambda: (folder for folder in ["run"]), 5)
        list(search.follow())
        return search

    search = begin()
    search.ended -= 23 * 3600
    begin()
    assert live_searches.find(search.id) is search
    search.ended -= 2 * 3600
    begin()
    assert live_searches.find(search.id) is None
