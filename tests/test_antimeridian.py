"""Commands and functions on a box across the 180th meridian: both sides, each with its name."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

import shipdet
from shipdet import cli, pipeline
from shipdet.errors import BadArea
from shipdet.requests import ImageRequest
from shipdet.settings import get_settings
from tests.ais.conftest import ACQUIRED, marine_cadastre, report
from tests.helpers.stac_server import Item, StacServer
from tests.helpers.tile_server import TileServer, generated_picture
from tests.helpers.written_runs import write_run

TILE_DEG = 360 / 2**15
BOX = (180 - TILE_DEG / 2, -16.803, 180 + TILE_DEG / 2, -16.8)
WRITINGS = {
    "west > east": (BOX[0], BOX[1], BOX[2] - 360, BOX[3]),
    "beyond 180": BOX,
    "beyond -180": (BOX[0] - 360, BOX[1], BOX[2] - 360, BOX[3]),
}
SIDES = ["eastern-hemisphere", "western-hemisphere"]


@pytest.fixture
def tiles(monkeypatch):
    picture = generated_picture(2, 2)
    west = TileServer(picture, west=-180, north=-16.8, zoom=15)
    with TileServer(picture, west=180 - 1.5 * TILE_DEG, north=-16.8, zoom=15, beside=west) as both:
        monkeypatch.setenv("SHIPDET_XYZ_URL", both.url_template)
        get_settings.cache_clear()
        yield both


def typed(box) -> list[str]:
    return ["--bbox", *(f"{side:.7f}" for side in box)]


@pytest.mark.parametrize("box", WRITINGS.values(), ids=WRITINGS)
def test_both_sides_are_downloaded_into_folders(tiles, tmp_path, capsys, box):
    out = tmp_path / "fiji"
    how = ["--provider", "xyz", "--zoom", "15", "--quiet", "--out", str(out)]
    assert cli.main(["download", *typed(box), *how, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [area["name"] for area in record["areas"]] == SIDES
    assert record["tiles"] == sum(area["tiles"] for area in record["areas"]) == 2
    boxes = [json.loads((out / side / "run.json").read_text())["inputs"]["bbox"] for side in SIDES]
    assert (boxes[0][2], boxes[1][0]) == (180, -180)
    assert all((out / side / "raw.png").is_file() for side in SIDES)


def test_a_side_that_fails_does_not_stop_the_other(tiles, tmp_path, capsys):
    tiles.beside = None  # nothing but gaps
    out = tmp_path / "fiji"
    how = ["--provider", "xyz", "--zoom", "15", "--quiet", "--out", str(out)]
    assert cli.main(["download", *typed(BOX), *how]) == 1
    said = capsys.readouterr()
    assert f"{SIDES[0]}: 1 tile (0 from the cache, 0 missing) in {out / SIDES[0]}" in said.out
    assert SIDES[1] in said.err and "1 of 2 areas failed" in said.err
    assert [folder.name for folder in out.iterdir()] == [SIDES[0]]


def test_sides_without_a_folder_are_named_runs(tiles, isolated_settings, capsys):
    assert cli.main(["download", *typed(BOX), "--provider", "xyz", "--zoom", "15"]) == 0
    runs = sorted(folder.name for folder in (isolated_settings / "runs").iterdir())
    assert [name.rsplit("-", 3)[0] for name in runs] == SIDES


def test_a_side_that_fails_is_reported_in_the_document(tiles, capsys):
    tiles.beside = None
    how = ["--provider", "xyz", "--zoom", "15", "--quiet", "--json"]
    assert cli.main(["download", *typed(BOX), *how]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["tiles"] == 1 and [a["name"] for a in answer["areas"]] == SIDES
    assert answer["areas"][1]["error"]


@pytest.fixture
def dated(tmp_path, monkeypatch):
    day = {"tile": "", "column": 0, "acquired": "2024-05-01T22:21:19Z"}
    items = (
        Item("S2A_EAST", **day, footprint=(179, -18, 180, -16)),
        Item("S2A_WEST", **day, footprint=(-180, -18, -179, -16), cloud=15.0),
        Item("S2B_WEST", "", 0, "2024-05-06T22:21:19Z", footprint=(-180, -18, -179, -16)),
    )
    with StacServer(tmp_path, items=items) as server:
        monkeypatch.setenv("SHIPDET_STAC_URL", server.url)
        get_settings.cache_clear()
        yield server


@pytest.mark.parametrize("box", WRITINGS.values(), ids=WRITINGS)
def test_acquisitions_of_both_sides_are_one_list(dated, capsys, box):
    days = ["--date-from", "2024-05-01", "--date-to", "2024-05-31"]
    assert cli.main(["acquisitions", *typed(box), *days, "--json"]) == 0
    later, both = json.loads(capsys.readouterr().out)
    assert (later["scenes"], later["coverage"]) == (["S2B_WEST"], 0.5)
    assert (sorted(both["scenes"]), both["coverage"]) == (["S2A_EAST", "S2A_WEST"], 1.0)
    assert both["cloud"] == 10.0


@pytest.mark.parametrize("box", WRITINGS.values(), ids=WRITINGS)
def test_one_run_of_two_sides_names_the_right_function(box):
    for function, advice in (
        (shipdet.detect_area, r"use shipdet.detect_areas, or give \(179"),
        (shipdet.download_area, r"two runs: give \(179"),
    ):
        with pytest.raises(BadArea, match=advice) as caught:
            function(box, provider="sample")
        assert "(-180, -16.803, " in str(caught.value)


def test_an_estimate_is_of_both_sides_together(tiles):
    settings = get_settings()
    whole = shipdet.estimate_area(BOX, provider="xyz", zoom=15, settings=settings)
    parts = [
        shipdet.estimate_area(part, provider="xyz", zoom=15, settings=settings)
        for part in ((BOX[0], BOX[1], 180, BOX[3]), (180, *BOX[1:]))
    ]
    assert whole.tiles == sum(part.tiles for part in parts) == 2


@pytest.mark.parametrize("box", [7, "abcd", (1, 2, 3), (1, 2, 3, None), (4, 52, 5, 51)])
def test_what_is_no_box_is_one_sentence(box):
    with pytest.raises(BadArea, match="four numbers|swap"):
        shipdet.detect_area(box, provider="sample")


def test_runs_are_listed_with_longitudes_of_180_at_most(isolated_settings, capsys):
    run = write_run(isolated_settings / "runs" / "fiji", lon=179.997)
    record = {**run.record, "inputs": {"image": "fiji.tif"}}
    (run.folder / "run.json").write_text(json.dumps(record))
    assert cli.main(["runs", "list"]) == 0
    place = capsys.readouterr().out.strip().rpartition("  ")[2]
    west, _, east, _ = map(float, place.split(", "))
    assert 179 < west < 180 and -180 < east < -179


def test_ais_is_read_on_both_sides_of_an_image(tmp_path):
    degree = 3 / 111_320
    size = {"width": 300, "height": 200, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:4326", "transform": from_origin(180 - 150 * degree, 0.0, degree, degree)}
    with rasterio.open(tmp_path / "fiji.tif", "w", driver="GTiff", **size, **place) as dataset:
        dataset.write(np.random.default_rng(1).integers(1, 255, (3, 200, 300), dtype=np.uint8))
    facts = pipeline.inspect_image(tmp_path / "fiji.tif", ImageRequest.check(), get_settings())
    middle = -100 * degree
    rows = [
        report(0, 180 - 50 * degree, middle),
        report(0, -180 + 50 * degree, middle, 219000002),
        report(0, -180 + 200 * degree, middle, 219000003),
    ]
    (tmp_path / "ais.csv").write_text(marine_cadastre(rows))
    contacts = pipeline.ais_of_image(facts, tmp_path / "ais.csv", ACQUIRED)
    assert [ship.in_area for ship in contacts] == [True, True, False]
