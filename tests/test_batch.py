"""Many images at once, and the runs that are on disk."""

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

import shipdet
from shipdet import cli, pipeline
from shipdet.errors import BadOption, ShipdetError, StorageFull, UnknownModel
from shipdet.progress import finish
from shipdet.requests import ImageRequest, Search
from shipdet.settings import get_settings
from tests.helpers.painted import paint_ship, sea
from tests.helpers.written_runs import write_run

GSD_M = 3.0


@pytest.fixture
def scans(tmp_path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, length_m in enumerate((150, 200), start=1):
        pixels = sea(200, 150)
        paint_ship(pixels, GSD_M, (300, 220), length_m, 30, 20)
        Image.fromarray(pixels).save(folder / f"scan {number}.png")
    return folder


@pytest.fixture
def request_() -> ImageRequest:
    return ImageRequest(gsd_m=GSD_M, search=Search(threshold=0.25))


def test_a_folder_becomes_a_summary_and_a_run_per_image(scans, tmp_path, classifier, request_):
    (scans / "broken.png").write_bytes(b"no image")
    (scans / "notes.txt").touch()
    files = pipeline.find_images([scans])
    out = tmp_path / "out"
    batch = finish(pipeline.iter_images(files, request_, out))
    assert [image.ships for image in batch.images] == [None, 1, 1] and batch.ships == 2
    assert "not a supported image" in batch.failed[0].error
    assert (out / "scan 1" / "run.json").is_file()
    with (out / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["ships"] for row in rows] == ["", "1", "1"] and rows[0]["error"]
    assert len((out / "ships.csv").read_text().splitlines()) == 3
    page = (out / "index.html").read_text()
    assert "2 ships in 3 images, 1 could not be searched" in page and "scan%201/overlay" in page
    assert page.count("data:image/jpeg") == 2, "the small pictures are in it"
    assert not (out / "ships.gpkg").exists(), "no image has a place"


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are UTF-8 there")
def test_names_that_are_not_utf8_are_searched_too(scans, tmp_path, classifier, capsys):
    for number, ending in enumerate((b"\xff.png", b"\xfe.png"), start=1):
        os.rename(scans / f"scan {number}.png", os.fsencode(scans) + b"/" + ending)
    out, asked = tmp_path / "out", ["--gsd", "3", "--threshold", "0.25", "--out"]
    assert cli.main(["detect", str(scans), *asked, str(out)]) == 0
    with (out / "summary.csv").open() as file:
        assert [row["ships"] for row in csv.DictReader(file)] == ["1", "1"]
    assert len([path for path in out.iterdir() if path.is_dir()]) == 2
    other = os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9s")
    image = os.fsdecode(os.fsencode(scans) + b"/\xff.png")
    assert cli.main(["detect", image, *asked, other]) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_a_stopped_batch_goes_on_where_it_was(scans, tmp_path, classifier, request_):
    files, out = pipeline.find_images([scans / "*.png"]), tmp_path / "out"
    steps = pipeline.iter_images(files, request_, out)
    next(event for event in steps if event.note.startswith("2 of 2"))
    steps.close()
    assert [p.name for p in out.iterdir()] == ["scan 1"]
    seen = classifier.windows_seen, len(classifier.canvases_seen)
    batch = finish(pipeline.iter_images(files[:1], request_, out))
    assert (classifier.windows_seen, len(classifier.canvases_seen)) == seen and batch.ships == 1
    assert finish(pipeline.iter_images(files, request_, out)).ships == 2
    other = request_.model_copy(update={"search": Search(threshold=0.3)})
    with pytest.raises(BadOption, match="not an empty folder"):  # no continuation
        finish(pipeline.iter_images(files, other, out))


def test_what_is_wrong_for_all_images_ends_a_batch(scans, tmp_path, request_, monkeypatch):
    files, out = pipeline.find_images([scans]), tmp_path / "out"
    unknown = request_.model_copy(update={"search": Search(model="none-such")})
    with pytest.raises(UnknownModel):
        finish(pipeline.iter_images(files, unknown, out))
    assert not out.exists()

    def full(*_, **__):
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(pipeline.batch, "iter_image", full)
    with pytest.raises(StorageFull):
        finish(pipeline.iter_images(files, request_, out))


def test_a_band_that_an_image_lacks_is_noted(scans, tmp_path, classifier):
    request = ImageRequest(gsd_m=GSD_M, bands="9,2,1", search=Search(threshold=0.25))
    batch = finish(pipeline.iter_images(pipeline.find_images([scans]), request, tmp_path / "out"))
    assert len(batch.failed) == 2 and "no band 9" in batch.failed[0].error


def test_a_file_with_an_impossible_scale_stops_no_batch(scans, tmp_path, classifier, request_):
    place = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_700_000, 0.02, 0.02)}
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 3, "dtype": "uint8"}
    with rasterio.open(scans / "drone.tif", "w", **profile, **place) as file:
        file.write(np.moveaxis(sea(64, 64), -1, 0))
    batch = finish(pipeline.iter_images(pipeline.find_images([scans]), request_, tmp_path / "out"))
    assert [image.ships for image in batch.images] == [None, 1, 1]
    assert "m per pixel according to its georeference" in batch.failed[0].error


def test_what_is_no_image_is_named(tmp_path):
    with pytest.raises(BadOption, match="contains no PNG"):
        pipeline.find_images([tmp_path])
    with pytest.raises(BadOption, match="No file matches"):
        pipeline.find_images([tmp_path / "*.tif"])


def test_the_command_takes_several_files(scans, tmp_path, classifier, capsys):
    names = [str(path) for path in sorted(scans.iterdir())]
    asked = ["detect", *names, "--gsd", "3", "--threshold", "0.25", "--quiet"]
    assert cli.main(asked) == 2
    assert "--out DIR" in capsys.readouterr().err
    assert cli.main([*asked, "--out", str(tmp_path / "out"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ships"] == 2 and [image["ships"] for image in answer["images"]] == [1, 1]


def test_a_partly_failed_batch_prints_one_document(scans, tmp_path, classifier, capsys):
    (scans / "broken.png").write_bytes(b"no image")
    asked = ["detect", str(scans), "--gsd", "3", "--quiet", "--out", str(tmp_path / "out")]
    assert cli.main([*asked, "--json"]) == 1
    printed = capsys.readouterr()
    assert "not a supported image" in json.loads(printed.out)["images"][0]["error"]
    assert "1 of 3 images could not be searched" in printed.err


def test_the_command_saves_the_ships_of_one_image(scans, tmp_path, classifier, capsys):
    asked = ["detect", "--gsd", "3", "--threshold", "0.25", "--quiet"]
    image, table = str(scans / "scan 1.png"), tmp_path / "ships.csv"
    out = ["--out", str(tmp_path / "run")]
    assert cli.main([*asked, image, *out, "--save", str(tmp_path / "ships.shp")]) == 2
    assert "has no known suffix" in capsys.readouterr().err
    assert cli.main([*asked, image, *out, "--save", str(scans / "scan 1.png" / "x.csv")]) == 1
    assert "x.csv cannot be written" in capsys.readouterr().err
    assert not (tmp_path / "run").exists(), "it is refused before the search"
    assert cli.main([*asked, image, *out, "--save", str(table)]) == 0
    assert f"saved to {table}" in capsys.readouterr().out
    assert len(table.read_text().splitlines()) == 1 + 1
    assert cli.main([*asked, str(scans), "--out", str(tmp_path / "all"), "--save", str(table)]) == 2
    assert "one image or area" in capsys.readouterr().err


def test_python_gets_a_value_from_a_path(scans, tmp_path, classifier):
    seen = []
    run = shipdet.detect_image(
        str(scans / "scan 1.png"), gsd_m=GSD_M, threshold=0.25, out=str(tmp_path / "run"),
        progress=seen.append,
    )  # fmt: skip
    assert isinstance(run, shipdet.Run) and len(run.detections) == 1 and seen
    assert run.threshold == 0.25 and run.folder == tmp_path / "run"
    assert np.asarray(run.overlay()).shape == (150, 200, 3)


@pytest.mark.parametrize(
    "options",
    [{"threshold": 2}, {"tresholds": 0.5}, {"upscale": "x8"}, {"gsd_m": -1}, {"min_length_m": -1}],
)
def test_every_bad_value_is_one_kind_of_error(scans, classifier, options):
    with pytest.raises((ShipdetError, TypeError)) as caught:
        shipdet.detect_image(scans / "scan 1.png", **{"gsd_m": GSD_M, **options})
    assert "\n" not in str(caught.value)
    if "tresholds" not in options:  # a wrong name is Python's own error
        assert isinstance(caught.value, ShipdetError)


def test_runs_are_listed_shown_compared_and_deleted(tmp_path, capsys):
    folder = get_settings().runs_dir
    write_run(folder / "bay of ä-20260101-000000-abcdef")
    write_run(folder / "20260102-000000-abcdef", placed=False)
    (folder / "other").mkdir()
    found = shipdet.runs()
    assert len(found) == 2 and {run.ships for run in found} == {2}
    assert all(run.thumbnail.is_file() and run.size_mb > 0 for run in found)
    name = "bay of ä-20260101-000000-abcdef"
    assert cli.main(["runs", "list"]) == 0 and name in capsys.readouterr().out
    save = tmp_path / "ships.csv"
    assert cli.main(["runs", "show", name, "--save", str(save)]) == 0
    assert len(save.read_text().splitlines()) == 3
    assert cli.main(["runs", "report", name, "--out", str(tmp_path / "page.html")]) == 0
    assert cli.main(["runs", "compare", name, name]) == 2
    other = write_run(tmp_path / "other run")
    capsys.readouterr()
    assert cli.main(["runs", "compare", name, str(other.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stayed"] == 2
    assert cli.main(["runs", "delete", name]) == 0 and len(shipdet.runs()) == 1
    assert cli.main(["runs", "delete", name]) == 2
    assert cli.main(["runs", "show", "../x"]) == 2


def test_a_folder_that_cannot_exist_is_one_sentence(scans, classifier, capsys):
    asked = ["detect", str(scans / "scan 1.png"), "--gsd", "3", "--quiet"]
    assert cli.main([*asked, "--out", "/proc/none/here"]) == 1
    answer = capsys.readouterr().err
    assert "cannot be written" in answer and answer.count("\n") == 1
