"""What the viewer's endpoints answer, change and refuse."""

import csv
import io
import json
import zipfile

import pytest
from PIL import Image

from shipdet import pipeline
from tests.helpers.written_runs import write_run
from tests.viewer.conftest import RUN


def message(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def review(web, *actions, by="Ada", **options):
    return web.post(f"/runs/{RUN}/review", json={"by": by, "actions": actions}, **options)


@pytest.mark.parametrize("page", ["/runs", f"/runs/{RUN}", f"/compare/{RUN}/other"])
def test_pages_and_their_files_are_there(web, page):
    answer = web.get(page)
    assert answer.headers["content-type"].startswith("text/html")
    depth = page.count("/") - 1
    for reference in ("style.css", "api.js", "picture.js", "leaflet/leaflet.js", "icon.svg"):
        assert web.get(f"/viewer/{reference}").status_code == 200
    assert f'"{"../" * depth}viewer/style.css"' in answer.text
    policy = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    assert ["script-src", "'self'"] in policy and ["base-uri", "'none'"] in policy


def test_a_run_is_shown_with_its_ships_and_the_others(web, run):
    page = message(web.get(f"/runs/{RUN}/data.json"))
    assert (page["total"], page["width"], page["height"], page["top_zoom"]) == (2, 300, 200, 1)
    assert [ship["score"] for ship in page["ships"]] == [0.95, 0.7]
    assert [(ship["why"], round(ship["length_m"])) for ship in page["others"]] == [
        ("short", 12), ("weak", 90),
    ]  # fmt: skip
    assert len(page["geojson"]["features"]) == 2 and page["layers"] == ["raw"]
    assert page["georeferenced"] and not page["ais"] and page["acquired"] is None


def test_the_filter_in_the_query_is_followed(web, run):
    page = message(web.get(f"/runs/{RUN}/data.json?min_length_m=100&cut="))
    assert [round(ship["length_m"]) for ship in page["ships"]] == [120]
    assert (page["total"], page["filter"]) == (2, {"min_length_m": 100.0})
    assert len(page["geojson"]["features"]) == 1


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("min_length_m=x", "Min_length_m"),
        ("cut=maybe", "not one of only, without"),
        ("size=3", "no such option"),
        ("within_px=POLYGON", "POLYGON in pixels"),
    ],
)
def test_a_wrong_filter_is_one_sentence(web, run, query, sentence):
    answer = web.get(f"/runs/{RUN}/data.json?{query}")
    assert answer.status_code == 400 and sentence in answer.json()["error"]


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2fruns", ".hidden", "x", "a" * 200])
@pytest.mark.parametrize("end", ["data.json", "thumbnail.jpg", "download/csv", "map.png"])
def test_no_other_folder_is_reached(web, run, name, end):
    answer = web.get(f"/runs/{name}/{end}")
    assert answer.status_code in (400, 404) and "Traceback" not in answer.text


def test_tiles_show_the_image_and_end_with_it(web, run):
    tile = web.get(f"/runs/{RUN}/tiles/raw/1/0/0")
    assert tile.headers["cache-control"].startswith("private, max-age")
    with Image.open(io.BytesIO(tile.content)) as picture, Image.open(run.files["raw"]) as raw:
        assert picture.size == (256, 256) and picture.format == "PNG"
        assert picture.getpixel((10, 199))[3] == 255 and picture.getpixel((10, 201))[3] == 0
        assert picture.getpixel((100, 100))[:3] == raw.getpixel((100, 100))
    with Image.open(io.BytesIO(web.get(f"/runs/{RUN}/tiles/raw/0/0/0").content)) as whole:
        assert whole.getpixel((149, 50))[3] == 255 and whole.getpixel((151, 50))[3] == 0
    assert web.get(f"/runs/{RUN}/tiles/raw/1/5/0").status_code == 204
    assert "no layer" in web.get(f"/runs/{RUN}/tiles/upscaled/1/0/0").json()["error"]


@pytest.mark.parametrize(
    "place", ["2000/0/0", "10/0/0", "9/512/0", f"9/{10**400}/0", f"9/0/{10**400}"]
)
def test_tiles_beyond_every_zoom_are_not_there(web, run, place):
    assert web.get(f"/runs/{RUN}/tiles/raw/9/0/0").status_code == 200, "256 pixels to one of it"
    assert web.get(f"/runs/{RUN}/tiles/raw/{place}").status_code == 204


def test_thumbnail_and_crops_are_pictures(web, run):
    for name in ("thumbnail.jpg", "crops/1.png"):
        Image.open(io.BytesIO(web.get(f"/runs/{RUN}/{name}").content)).verify()
    assert web.get(f"/runs/{RUN}/crops/9.png").status_code == 204, "a review may have taken it"
    assert "no map" in web.get(f"/runs/{RUN}/map.png").json()["error"]


def test_a_review_changes_count_and_files(web, run):
    first = run.detections[0].key
    page = message(review(web, {"kind": "reject", "key": first}))
    assert (page["total"], page["actions"]) == (1, 1)
    assert {ship["why"] for ship in page["others"]} == {"rejected", "short", "weak"}
    after = pipeline.open_run(run.folder)
    assert len(after.files["csv"].read_text().splitlines()) == 2
    assert [action.by for action in after.review.actions] == ["Ada"]
    assert message(review(web, {"kind": "undo"}))["total"] == 2


def test_every_action_is_understood(web, run):
    one, other = (ship.key for ship in run.detections)
    page = message(
        review(
            web,
            {"kind": "accept", "key": one},
            {"kind": "move", "key": one, "points": [[70, 65]]},
            {"kind": "redraw", "key": other, "points": [[150, 90], [190, 90]]},
            {"kind": "add", "points": [[200, 50], [200, 100]], "width_m": 20},
        )
    )
    assert sorted(ship["review"] for ship in page["ships"]) == ["added", "moved", "redrawn"]
    [added] = [ship for ship in page["ships"] if ship["review"] == "added"]
    assert (added["x"], added["y"], added["width_m"]) == (200, 75, 20)


@pytest.mark.parametrize(
    "action",
    [{"kind": "sink"}, {"kind": "accept"}, {"kind": "move", "key": 1, "points": []}, 3, {},
     {"kind": "add", "points": [[1, 2]]}, {"kind": "reject", "key": 77}],
)  # fmt: skip
def test_a_wrong_action_changes_nothing(web, run, action):
    answer = review(web, action)
    assert answer.status_code == 400 and answer.json()["error"].endswith(".")
    assert not pipeline.open_run(run.folder).review.actions


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "add", "points": [[1e5, 50], [1e5, 90]]},
        {"kind": "add", "points": [[-1e9, 50], [1e9, 50]]},
        {"kind": "add", "points": [[50, 50], [90, 50]], "width_m": 1e9},
        {"kind": "move", "key": 1, "points": [[50, -9000]]},
        {"kind": "redraw", "key": 1, "points": [[301, 50], [340, 50]]},
    ],
)
@pytest.mark.parametrize("placed", [True, False])
def test_a_ship_the_image_cannot_show_is_refused(web, settings, action, placed):
    run = write_run(settings.runs_dir / RUN, placed=placed)
    answer = review(web, action)
    assert answer.status_code == 400 and "image" in answer.json()["error"]
    assert not pipeline.open_run(run.folder).review.actions


def test_crops_of_another_review_have_another_address(web, run, settings):
    write_run(settings.runs_dir / "other")
    one, two = (ship.key for ship in run.detections)

    def address():
        version = message(web.get(f"/runs/{RUN}/data.json"))["version"]
        pair = message(web.get(f"/compare/{RUN}/other/data.json"))
        assert pair["runs"][0]["version"] == version
        return f"/runs/{RUN}/crops/1.png?v={version}"

    message(review(web, {"kind": "reject", "key": one}))
    first = address()
    other = web.get(first)
    assert "max-age" in other.headers["cache-control"]
    message(review(web, {"kind": "undo"}))
    message(review(web, {"kind": "reject", "key": two}))
    assert address() != first and web.get(address()).content != other.content
    assert web.get(first).headers["cache-control"] == "no-store", "no longer that ship"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://elsewhere.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
)
def test_changes_from_other_origins_are_refused(web, run, headers):
    answers = (
        review(web, {"kind": "accept", "key": 1}, headers=headers),
        web.post(f"/runs/{RUN}/rename", json={"name": "x"}, headers=headers),
        web.delete(f"/runs/{RUN}", headers=headers),
    )
    assert [answer.status_code for answer in answers] == [403] * 3
    assert run.folder.is_dir() and not pipeline.open_run(run.folder).review.actions
    own = {"Origin": "http://localhost:7860", "Sec-Fetch-Site": "same-origin"}
    assert review(web, {"kind": "accept", "key": 1}, headers=own).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"actions": []}',
        b"x" * 2_000_000,
        b"[" * 100_000,
        b'{"actions": [{"kind": "accept", "key": 1e999}]}',
    ],
)
def test_a_body_that_is_no_review_is_refused(web, run, body):
    assert web.post(f"/runs/{RUN}/review", content=body).status_code == 400


def test_downloads_bear_the_name_of_the_run(web, run):
    pytest.importorskip("geopandas")
    for kind, ending in (
        *(("gpkg", ".gpkg"), ("kml", ".kml"), ("csv", ".csv"), ("coco", ".coco.json")),
        *(("yolo", ".yolo.zip"), ("geojson", ".geojson"), ("parquet", ".parquet")),
        *(("labels", ".labels.json"), ("report", ".html"), ("zip", ".zip"), ("raw", "-raw.png")),
    ):
        answer = web.get(f"/runs/{RUN}/download/{kind}")
        assert answer.status_code == 200, answer.text
        assert f'filename="{RUN}{ending}"' in answer.headers["content-disposition"]
    assert "choose geojson, gpkg" in web.get(f"/runs/{RUN}/download/shp").json()["error"]


def test_no_file_of_a_download_stays(web, run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for wanted in ("bytes=0-9", "bytes=x", "bytes=999999999-"):
        answer = web.get(f"/runs/{RUN}/download/zip", headers={"Range": wanted})
        assert answer.status_code in (206, 400, 416)
        assert not list((tmp_path / "temporary").iterdir())


def test_downloads_hold_what_the_filter_leaves(web, run):
    query = "min_length_m=100"
    answer = web.get(f"/runs/{RUN}/download/csv?{query}")
    assert f"{RUN}-filtered.csv" in answer.headers["content-disposition"]
    assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 1
    bundle = zipfile.ZipFile(io.BytesIO(web.get(f"/runs/{RUN}/download/zip?{query}").content))
    assert sum(name.startswith("chips/") for name in bundle.namelist()) == 1
    record = json.loads(bundle.read("run.json"))
    assert (record["ships"], record["filter"]) == (1, {"min_length_m": 100.0})
    assert pipeline.open_run(run.folder).record["ships"] == 2


def test_an_image_without_a_place_is_shown_by_pixels(web, settings):
    name = "scene-20260101-000000-abcdee"
    write_run(settings.runs_dir / name, placed=False)
    page = message(web.get(f"/runs/{name}/data.json"))
    assert not page["georeferenced"] and page["ships"][0]["lon"] is None
    assert web.get(f"/runs/{name}/tiles/raw/1/0/0").status_code == 200
    again = pipeline.save_review(
        pipeline.open_run(settings.runs_dir / name),
        pipeline.open_run(settings.runs_dir / name).review.accept(1),
    )
    assert (again.folder / "pyramids" / "raw.tif").is_file(), "a review keeps the tiles"
    answer = web.get(f"/runs/{name}/download/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert not [entry for entry in bundle.namelist() if "pyramids" in entry]
    assert "no georeference" in web.get(f"/runs/{name}/download/kml").json()["error"]
