"""A run's folder holds what it promises, and is read back as it was."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from shipdet.detections import Detection, Detections
from shipdet.errors import StorageFull
from shipdet.geometry import MERCATOR_HALF_M, rectangle
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from shipdet.report import (
    copy_pictures,
    read_run,
    write_download,
    write_imagery,
    write_results,
)
from shipdet.report import writing as run_module
from shipdet.report.record import grid_of, pixels_of
from tests.helpers.own_process import last_said
from tests.helpers.painted import picture_mosaic, sea, tile_grid


def raw_mosaic(width=300, height=200):
    grid = tile_grid(width, height, 15)
    coverage = np.ones((height, width), np.bool_)
    return Mosaic(sea(width, height), grid, coverage, Provenance("test"))


def record_of(mosaic, files):
    grid = mosaic.grid
    raw = {"width": grid.width, "height": grid.height, "gsd_m": grid.gsd_m}
    return {"raw": {**raw, "georeferenced": grid.georeferenced}, "files": files}


def candidates(mosaic, scores=(0.9, 0.6, 0.3)):
    ships = []
    for number, score in enumerate(scores, start=1):
        x, y = 60.0 * number, 90.0
        corners = rectangle((x, y), 30, 8, 20)
        ship = Detection(number, score, x, y, corners, 90.0, 24.0, 20.0)
        if mosaic.grid.georeferenced:
            lon, lat = mosaic.grid.lonlat([[x, y]])[0]
            outline = mosaic.grid.lonlat(corners)
            ship = replace(ship, lon=float(lon), lat=float(lat), corners_lonlat=outline)
        ships.append(ship)
    return Detections(tuple(ships), 0.1)


def written(folder, mosaic=None, upscaled=None, threshold=0.5, image_format="png"):
    mosaic = mosaic or raw_mosaic()
    files = finish(write_imagery(folder, mosaic, upscaled, image_format, 90))
    return finish(write_results(folder, record_of(mosaic, files), candidates(mosaic), threshold))


def names(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_folder_holds_every_file(tmp_path):
    run = written(tmp_path)
    promised = {
        "raw.png", "overlay.png", "mosaic.tif", "detections.geojson", "detections.csv",
        "chips/ship_0001.png", "chips/ship_0002.png", "run.json",
    }  # fmt: skip
    assert names(tmp_path) - {"candidates.json", "preview.jpg"} == promised
    assert set(run.files) == {"raw", "overlay", "mosaic", "geojson", "csv", "record"}
    assert all(path.is_file() for path in run.files.values())
    assert [p.name for p in run.chips] == ["ship_0001.png", "ship_0002.png"]


def test_a_cancelled_writing_leaves_nobody_who_writes(tmp_path, monkeypatch):
    done, real = [], run_module.write_geotiff

    def slow(path, mosaic):
        time.sleep(0.2)
        real(path, mosaic)
        done.append(path.name)

    monkeypatch.setattr(run_module, "write_geotiff", slow)
    steps = write_imagery(tmp_path, raw_mosaic(), None, "png", 90)
    next(steps)
    steps.close()
    assert done == ["mosaic.tif"], "the folder may be removed now"


def test_what_the_geotiff_failed_with_is_reported(tmp_path, monkeypatch):
    def failing(path, mosaic):
        raise StorageFull("mosaic.tif cannot be written.")

    monkeypatch.setattr(run_module, "write_geotiff", failing)
    with pytest.raises(StorageFull, match=r"mosaic.tif cannot be written\."):
        finish(write_imagery(tmp_path, raw_mosaic(), None, "png", 90))


def test_an_upscaled_run_keeps_both_images_and_draws_on_one(tmp_path):
    raw = raw_mosaic()
    sharp = Mosaic(
        np.repeat(np.repeat(raw.pixels, 4, axis=0), 4, axis=1),
        raw.grid.scaled(1200, 800),
        np.ones((800, 1200), np.bool_),
        raw.provenance,
    )
    run = written(tmp_path, raw, sharp, image_format="jpg")
    assert (run.files["raw"].name, run.files["upscaled"].name) == ("raw.jpg", "upscaled.jpg")
    sizes = {kind: Image.open(run.files[kind]).size for kind in ("raw", "upscaled", "overlay")}
    assert sizes == {"raw": (300, 200), "upscaled": (1200, 800), "overlay": (1200, 800)}


def test_a_picture_without_a_place_has_no_map_files(tmp_path):
    run = written(tmp_path, picture_mosaic(sea(300, 200), 2.0))
    assert set(run.files) == {"raw", "overlay", "csv", "record"}
    assert "mosaic.tif" not in names(tmp_path) and "detections.geojson" not in names(tmp_path)


def test_a_run_is_read_back_as_it_was(tmp_path):
    run = written(tmp_path)
    again = read_run(tmp_path)
    assert (again.record, again.threshold, again.id) == (run.record, 0.5, tmp_path.name)
    assert [d.score for d in again.candidates] == [0.9, 0.6, 0.3]
    assert [d.score for d in again.detections] == [0.9, 0.6]
    np.testing.assert_array_equal(again.candidates[2].corners, run.candidates[2].corners)


def test_the_record_tells_the_ships_above_the_threshold(tmp_path):
    record = json.loads(written(tmp_path).files["record"].read_text())
    assert (record["ships"], record["threshold"]) == (2, 0.5)
    assert [d["id"] for d in record["detections"]] == [1, 2]


NAMED = r"""
import json, sys
from dataclasses import replace
from pathlib import Path
from shipdet.detections import Detections
from tests.helpers import written_runs

found = written_runs.found(written_runs.tile_grid(300, 200, 16))
named = tuple(replace(ship, dark=False, name="\u00c6r\u00f8") for ship in found)
written_runs.found = lambda *_: Detections(named, 0.1)
print(json.dumps(str(written_runs.write_run(Path(sys.argv[1])).folder)))
"""


def test_the_table_is_utf_8_whatever_the_locale(tmp_path):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    last_said(["-c", NAMED], tmp_path / "run", **plain)
    assert (tmp_path / "run" / "detections.csv").read_text("utf-8").count("Ærø") == 2


@pytest.mark.parametrize(("threshold", "count"), [(0.2, 3), (0.95, 0), (0.7, 1)])
def test_another_threshold_writes_every_file_anew(tmp_path, threshold, count):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    first = written(old)
    (old / "mine.txt").write_text("notes")
    copy_pictures(first, new)
    assert names(new) == {"raw.png", "mosaic.tif", "preview.jpg", "mine.txt"}
    assert (new / "raw.png").samefile(old / "raw.png"), "no bytes are copied"
    again = finish(write_results(new, first.record, first.candidates, threshold))
    assert len(again.detections) == len(again.chips) == count
    assert (new / "overlay.png").read_bytes() != (old / "overlay.png").read_bytes()
    assert len((new / "detections.csv").read_text().splitlines()) == count + 1
    geojson = json.loads((new / "detections.geojson").read_text())
    assert len(geojson["features"]) == count
    assert json.loads((new / "run.json").read_text())["ships"] == count
    assert read_run(new).threshold == threshold
    assert read_run(old).record == first.record


def test_pictures_are_copied_where_a_file_cannot_have_two_names(tmp_path, monkeypatch):
    first = written(tmp_path)

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(run_module.os, "link", refused)
    copy_pictures(first, tmp_path / "new")
    assert (tmp_path / "new" / "raw.png").read_bytes() == (tmp_path / "raw.png").read_bytes()


def test_large_pictures_have_an_overlay_that_a_browser_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "OVERLAY_MAX_PX", 150)
    run = written(tmp_path)
    with Image.open(run.files["overlay"]) as overlay, Image.open(run.files["raw"]) as raw:
        assert (overlay.size, raw.size) == ((150, 100), (300, 200))
    assert len(run.chips) == 2


def test_a_jpeg_cannot_be_longer_than_the_format_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "JPEG_MAX_PX", 250)
    assert written(tmp_path, image_format="jpg").files["raw"].name == "raw.png"


def test_an_image_too_long_for_jpeg_is_a_png_with_a_note(tmp_path):
    mosaic = raw_mosaic(run_module.JPEG_MAX_PX + 100, 16)
    files = finish(write_imagery(tmp_path, mosaic, None, "jpg", 90))
    with Image.open(tmp_path / files["raw"]) as raw:
        assert (raw.format, raw.size) == ("PNG", (65_600, 16))
    asked = {"inputs": {"search": {"image_format": "jpg"}}}
    write_download(tmp_path, record_of(mosaic, files) | asked)
    assert read_run(tmp_path).notes == (
        "raw.png: written as PNG, because a JPEG has at most 65,500 pixels along a side.",
    )


def test_a_download_is_a_run_without_ships(tmp_path):
    mosaic = raw_mosaic()
    files = finish(write_imagery(tmp_path, mosaic, None, "png", 90))
    write_download(tmp_path, record_of(mosaic, files))
    run = read_run(tmp_path)
    assert set(run.files) == {"raw", "mosaic", "record"} and len(run.detections) == 0


@pytest.mark.parametrize(
    ("crs", "x", "pixel"),
    [
        ("EPSG:4326", 4.0, 3e-5),
        ("EPSG:4326", 237.5, 3e-5),
        ("EPSG:4326", 179.999, 3e-5),
        ("EPSG:4326", -180.001, 3e-5),
        ("EPSG:3857", MERCATOR_HALF_M - 90, 3.0),
        ("EPSG:3395", MERCATOR_HALF_M - 90, 3.0),
        ("EPSG:32760", 833_900, 3.0),
    ],
)
def test_places_come_back_as_pixels_on_every_copy_of_the_world(crs, x, pixel):
    size = {"width": 70, "height": 60, "gsd_m": 3.0, "georeferenced": True}
    record = {"raw": {**size, "crs": crs, "transform": [pixel, 0.1 * pixel, x, 0, -pixel, 2.0]}}
    pixels = [(0, 0), (35, 20), (70, 60), (1, 59), (69, 1)]
    lonlat = grid_of(record).lonlat(pixels)
    assert pixels_of(record, lonlat) == pytest.approx(np.array(pixels), abs=1e-3)
    assert pixels_of(record, np.empty((0, 2))).shape == (0, 2)
