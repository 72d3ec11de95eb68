"""Detections in the formats of other programs, read back by those programs' libraries."""

import csv
import json
import re
import sqlite3
import warnings
import xml.etree.ElementTree as ET
import zipfile
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from shipdet.errors import BadOption, StorageFull
from shipdet.report import exports
from shipdet.report.exports.tables import FURTHER, outlines
from tests.helpers.written_runs import write_run

pyogrio = pytest.importorskip("pyogrio")
geopandas = pytest.importorskip("geopandas")


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


@pytest.fixture
def unplaced(tmp_path):
    return write_run(tmp_path / "unplaced", placed=False)


def test_small_craft_is_kept_apart_and_not_counted(run):
    assert [round(ship.length_m) for ship in run.detections] == [120, 60]
    assert [round(ship.length_m) for ship in run.small_craft] == [12]
    assert [ship.id for ship in (*run.detections, *run.small_craft)] == [1, 2, 3]
    assert run.record["ships"] == 2
    assert [ship["length_m"] for ship in run.record["small_craft"]] == [12.0]
    with run.files["csv"].open() as file:
        assert len(list(csv.DictReader(file))) == 2


def test_pandas_and_geopandas_have_a_row_per_ship(run):
    table = run.to_pandas()
    assert table["length_m"].tolist() == [120.0, 60.0] and table["id"].tolist() == [1, 2]
    places = run.to_geodataframe()
    assert places.crs.to_epsg() == 4326
    lengths = places.to_crs(places.estimate_utm_crs()).minimum_rotated_rectangle().length / 2
    assert lengths.iloc[0] == pytest.approx(120 + 24, rel=0.02)


def test_review_date_and_ais_are_columns_where_they_are_known(run, tmp_path):
    assert not set(FURTHER) & set(run.to_pandas().columns)
    one, other = run.detections
    ais = {"mmsi": 205123456, "name": "Käthe", "ais_distance_m": 12.0, "dark": False}
    ships = (replace(one, review="accepted", **ais), replace(other, dark=True))
    assert exports.to_pandas(ships)["dark"].tolist() == [False, True]
    exports.save(tmp_path / "ships.gpkg", ships, run.record)
    table = pyogrio.read_dataframe(tmp_path / "ships.gpkg", layer="ships")
    assert table["mmsi"].tolist() == ["205123456", None]
    assert table["name"].tolist() == ["Käthe", None]
    assert table["dark"].tolist() == ["false", "true"]
    assert table["review"].tolist() == ["accepted", ""] and "acquired" not in table.columns


def test_a_geopackage_is_read_back_with_its_style(run, tmp_path):
    path = run.save(tmp_path / "out" / "ships.gpkg")
    layers = dict(pyogrio.list_layers(path))
    assert layers["ships"] == "Polygon"
    table = pyogrio.read_dataframe(path, layer="ships")
    assert table.crs.to_epsg() == 4326 and table["score"].tolist() == [0.95, 0.7]
    np.testing.assert_allclose(table.bounds.minx, run.to_geodataframe().bounds.minx)
    with closing(sqlite3.connect(path)) as database:
        [(name, qml, default)] = database.execute(
            "SELECT f_table_name, styleQML, useAsDefault FROM layer_styles"
        ).fetchall()
    assert (name, default) == ("ships", 1)
    style = ET.fromstring(qml.partition("<qgis")[1] + qml.partition("<qgis")[2])
    assert style.find("renderer-v2").get("attr") == "score"
    assert len(style.findall("renderer-v2/ranges/range")) == 3


def test_geoparquet_and_geojson_have_the_same_ships(run, tmp_path):
    pytest.importorskip("pyarrow")
    table = geopandas.read_parquet(run.save(tmp_path / "ships.parquet"))
    features = json.loads(run.save(tmp_path / "ships.geojson").read_text())["features"]
    assert len(table) == len(features) == 2
    assert features[0]["properties"]["length_m"] == table["length_m"][0]


def test_kml_keeps_any_letters_and_has_a_closed_ring(run, tmp_path):
    path = run.save(tmp_path / "Ålesund havn.kml")
    name = {"k": "http://www.opengis.net/kml/2.2"}
    root = ET.fromstring(path.read_bytes())
    assert root.find("k:Document/k:name", name).text == "Ålesund havn"
    places = root.findall("k:Document/k:Placemark", name)
    assert len(places) == 2
    ring = places[0].find(".//k:coordinates", name).text.split()
    assert len(ring) == 5 and ring[0] == ring[-1]


def test_outlines_are_cut_at_the_antimeridian(tmp_path):
    run = write_run(tmp_path / "run", lon=179.9968)
    [sides] = {len(rings) for rings in outlines(list(run.detections)) if len(rings) > 1}
    assert sides == 2, "no ship of the run lies on the line"
    pytest.importorskip("pyarrow")
    for table in (
        run.to_geodataframe(),
        geopandas.read_parquet(run.save(tmp_path / "ships.parquet")),
        pyogrio.read_dataframe(run.save(tmp_path / "ships.gpkg"), layer="ships"),
    ):
        parts = table.geometry.explode()
        assert len(parts) == len(table) + 1
        assert (parts.bounds.maxx - parts.bounds.minx).max() < 0.01
    kml = ET.fromstring(run.save(tmp_path / "ships.kml").read_bytes())
    [both] = kml.iterfind(".//{*}MultiGeometry")
    assert len(both.findall("{*}Polygon")) == 2


def test_coco_yolo_and_labels_are_in_pixels(unplaced, tmp_path):
    coco = json.loads(unplaced.save(tmp_path / "a.coco.json").read_text())
    assert coco["images"][0]["width"] == 300 and len(coco["annotations"]) == 2
    x, y, width, height = coco["annotations"][0]["bbox"]
    assert x < 60 < x + width and y < 60 < y + height
    with zipfile.ZipFile(unplaced.save(tmp_path / "yolo.zip")) as bundle:
        lines = bundle.read("labels/raw.txt").decode().splitlines()
    values = np.array([line.split() for line in lines], float)
    assert values.shape == (2, 9) and (values >= 0).all() and (values[:, 1:] <= 1).all()
    assert values[0, 1::2].mean() == pytest.approx(60 / 300, abs=1e-4)
    labels = json.loads(unplaced.save(tmp_path / "a.labels.json", complete=True).read_text())
    [image] = labels["images"]
    assert image["complete"] and image["gsd_x_m"] == 1.5
    corners = np.array(image["ships"][0]["corners"])
    first, second = (np.hypot(*(corners[i + 1] - corners[i])) for i in (0, 1))
    assert first == pytest.approx(120 / 1.5, abs=0.1) and second < first


@pytest.mark.parametrize("name", ["ships", "ships.shp", "ships.json"])
def test_an_unknown_suffix_is_refused_with_the_list(run, tmp_path, name):
    with pytest.raises(BadOption, match=r"choose \.coco\.json, .*\.gpkg"):
        run.save(tmp_path / name)


def test_a_geopackage_of_an_unplaced_image_is_in_pixels(unplaced, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = unplaced.save(tmp_path / "ships.gpkg")
    table = pyogrio.read_dataframe(path, layer="ships")
    assert table.crs is None or table.crs.to_epsg() is None
    centers = np.column_stack([table.centroid.x, -table.centroid.y])
    np.testing.assert_allclose(centers, table[["x", "y"]], atol=0.1)


@pytest.mark.parametrize("suffix", [".geojson", ".kml", ".parquet"])
def test_map_formats_need_a_place(unplaced, tmp_path, suffix):
    with pytest.raises(BadOption, match="has no georeference"):
        unplaced.save(tmp_path / f"ships{suffix}")


def test_a_folder_that_cannot_exist_is_one_sentence(run):
    with pytest.raises(StorageFull, match="cannot be written"):
        run.save("/proc/none/ships.csv")


@pytest.mark.parametrize("place", ["/proc/x.csv", "folder.csv", "file.txt/x.csv"])
def test_a_place_where_no_file_can_be_is_one_sentence(run, tmp_path, place):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file.txt").touch()
    for write in (exports.check_target, run.save):
        with pytest.raises(StorageFull, match="cannot be written"):
            write(tmp_path / place)
    assert {path.name for path in tmp_path.iterdir()} >= {"folder.csv", "file.txt"}


def test_a_target_that_is_checked_is_as_before(tmp_path):
    (tmp_path / "old.csv").write_text("old")
    for name in ("old.csv", "new.csv"):
        exports.check_target(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"


def test_every_suffix_can_be_saved(run, tmp_path):
    for suffix in exports.SUFFIXES:
        assert run.save(tmp_path / f"all{suffix}").stat().st_size > 0


def test_the_overlay_is_an_image(run):
    assert run.overlay().size == (300, 200)


def test_the_report_is_one_page_with_picture_map_and_table(run, tmp_path):
    page = run.report(tmp_path / "page.html").read_text()
    assert "2 ships, 1 small craft" in page and "data:image/png;base64," in page
    assert page.count("<polygon") == 3 and "Test data" in page
    assert run.report().parent == run.folder


def test_the_map_of_a_report_crosses_the_antimeridian(tmp_path):
    page = write_run(tmp_path / "run", lon=179.997).report().read_text()
    [place] = re.findall(r"#map=14/[\d.]+/(-?[\d.]+)", page)
    assert float(place) == pytest.approx(-179.99978, abs=1e-4)
    corners = [
        tuple(map(float, corner.split(",")))
        for points in re.findall(r'polygon points="([^"]+)"', page)
        for corner in points.split()
    ]
    assert len(corners) == 12 and all(-1 <= x <= 641 and -1 <= y <= 641 for x, y in corners)
    assert "West 179.997" in page and "east -179.996" in page
