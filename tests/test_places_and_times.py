"""Runs of polygons, of a day, and with AIS: the whole way with a painted classifier."""

import csv
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shipdet import pipeline
from shipdet.areas import parse_area
from shipdet.errors import BadAis, NoImagery
from shipdet.geometry import gsd_at
from shipdet.progress import finish
from shipdet.requests import AreaRequest, Search
from shipdet.settings import Settings, get_settings
from tests.helpers.painted import paint_fleet, sea
from tests.helpers.stac_server import ITEMS, StacServer
from tests.helpers.tile_server import TileServer

GSD_M = gsd_at(36.145, 15)
FLEET = [(200, 150, 240, 36, 30), (700, 300, 200, 32, 100), (450, 600, 280, 44, 0)]
ACQUIRED = "2024-05-01T10:56:00Z"


@pytest.fixture(scope="module")
def picture():
    return paint_fleet(sea(1024, 768), GSD_M, FLEET, GSD_M)


@pytest.fixture
def server(picture):
    with TileServer(picture) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path, server):
    return Settings(
        _env_file=None,
        runs_dir=tmp_path / "runs",
        cache_dir=tmp_path / "cache",
        xyz_url=server.url_template,
    )


def request(server, area=None, **options):
    chosen = parse_area(list(server.bbox.as_tuple()) if area is None else area)
    values = {"provider": "xyz", "zoom": server.zoom, **options}
    return AreaRequest.of_area(chosen, search=Search(threshold=0.25), **values)


def degrees(server, x, y):
    return server.bbox_of(x, y, x + 1e-6, y + 1e-6).center


def polygon(server, *corners):
    """WKT of a polygon of the image's pixels."""
    ring = [degrees(server, x, y) for x, y in (*corners, corners[0])]
    return f"POLYGON (({', '.join(f'{lon} {lat}' for lon, lat in ring)}))"


def ais_file(path, server, ships, at=ACQUIRED):
    """Reports one minute before and after, of (mmsi, name, x px, y px)."""
    lines = ["MMSI,BaseDateTime,LAT,LON,SOG,COG,VesselName,Length"]
    for mmsi, name, x, y in ships:
        lon, lat = degrees(server, x, y)
        for minutes in (-1, 1):
            moment = datetime.fromisoformat(at).astimezone(UTC) + timedelta(minutes=minutes)
            answer = moment.strftime("%Y-%m-%dT%H:%M:%S")
            lines.append(f"{mmsi},{answer},{lat:.6f},{lon:.6f},0.1,10,{name},200")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_ships_outside_a_polygon_are_not_reported(server, settings, classifier):
    triangle = polygon(server, (10, 10), (1000, 10), (10, 760))
    run = finish(pipeline.iter_area(request(server, triangle), settings=settings))
    places = sorted((round(ship.x), round(ship.y)) for ship in run.detections)
    # The picture of a polygon is that of the box around it, so its corner is the box's.
    assert len(places) == 1
    assert abs(places[0][0] - 190) < 12 and abs(places[0][1] - 140) < 12
    assert all(ship.lon < run.record["inputs"]["bbox"][2] for ship in run.candidates)


def test_tiles_outside_a_polygon_are_not_fetched(server, settings, classifier):
    corner = polygon(server, (10, 10), (1000, 10), (10, 20), (10, 760), (5, 760))
    run = finish(pipeline.iter_area(request(server, corner), settings=settings))
    asked = {(r.x - server.x0, r.y - server.y0) for r in server.requests}
    assert asked == {(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (0, 2)}
    assert run.record["source"]["tiles"] == 6
    assert run.record["source"]["missing"] == 0


def test_a_run_says_which_ships_ais_knows(server, settings, classifier, tmp_path):
    known = [(219000001, "ANNA", 203, 152), (219000002, "GHOST", 900, 700)]
    file = ais_file(tmp_path / "ais.csv", server, known)
    run = finish(pipeline.iter_area(request(server), settings=settings))
    run = pipeline.match_ais(run, file, ACQUIRED)
    answer = {ship.mmsi: ship.dark for ship in run.detections}
    assert answer == {219000001: False, None: True}
    assert run.record["ais"]["matched"] == 1
    assert run.record["ais"]["dark"] == 2
    assert run.record["ais"]["unseen"] == [219000002]
    features = json.loads(run.files["geojson"].read_text())["features"]
    (anna,) = [f["properties"] for f in features if f["properties"]["mmsi"]]
    assert (anna["name"], anna["dark"]) == ("ANNA", False)
    assert anna["ais_distance_m"] < 40
    rows = list(csv.DictReader(run.files["csv"].open()))
    assert sorted(row["dark"] for row in rows) == ["false", "true", "true"]
    points = json.loads(run.files["ais"].read_text())["features"]
    assert {p["properties"]["name"]: p["properties"]["ship"] for p in points} == {
        "ANNA": anna["id"],
        "GHOST": None,
    }


def test_another_threshold_keeps_what_ais_says(server, settings, classifier, tmp_path):
    file = ais_file(tmp_path / "ais.csv", server, [(219000001, "ANNA", 200, 150)])
    run = finish(pipeline.iter_area(request(server), settings=settings))
    run = pipeline.refilter(pipeline.match_ais(run, file, ACQUIRED), 0.2)
    assert 219000001 in {ship.mmsi for ship in run.detections}
    assert run.files["ais"].is_file()
    again = pipeline.open_run(run.folder)
    assert [s.mmsi for s in again.detections] == [s.mmsi for s in run.detections]


def test_imagery_without_a_date_needs_a_time(server, settings, classifier, tmp_path):
    file = ais_file(tmp_path / "ais.csv", server, [(219000001, "ANNA", 200, 150)])
    with pytest.raises(BadAis, match="--acquired"):
        pipeline.ais_of_area(request(server), file, settings=settings)
    contacts = pipeline.ais_of_area(request(server), file, ACQUIRED, settings)
    assert [contact.name for contact in contacts] == ["ANNA"]


def test_the_sample_has_a_date_and_an_ais_file():
    area = AreaRequest(bbox=(0.0, 0.0, 0.1, 0.1), provider="sample")
    from shipdet.imagery import sample

    area = area.model_copy(update={"bbox": sample.bbox().as_tuple()})
    contacts = pipeline.ais_of_area(area, "sample", settings=get_settings())
    assert len(contacts) == 19


@pytest.fixture
def dated(tmp_path):
    with StacServer(tmp_path) as opened:
        yield opened


def dated_request(box, **options):
    values = {"provider": "sentinel2", "zoom": 15, **options}
    return AreaRequest(bbox=box.as_tuple(), search=Search(threshold=0.9), **values)


def dated_settings(dated, tmp_path):
    return Settings(
        _env_file=None,
        runs_dir=tmp_path / "runs",
        cache_dir=tmp_path / "cache",
        stac_url=dated.url,
        retries=0,
    )


def test_a_day_of_sentinel_2_becomes_a_run(dated, tmp_path, classifier):
    settings = dated_settings(dated, tmp_path)
    day = {"date_from": "2024-05-01", "date_to": "2024-05-01"}
    run = finish(pipeline.iter_area(dated_request(dated.bbox, **day), settings=settings))
    details = run.record["source"]["details"]
    assert details["acquired"] == "2024-05-01T11:06:19Z"
    assert details["scenes"] == [ITEMS[0].id]
    assert details["processing_baseline"] == "05.10"
    assert run.record["raw"]["covered"] == 1.0
    assert all(ship.acquired == details["acquired"] for ship in run.detections)


def test_what_is_covered_is_reported_before_the_run(dated, tmp_path, classifier):
    settings = dated_settings(dated, tmp_path)
    box = dated.bbox_of(110, 100, 210, 200)
    answer = pipeline.estimate(dated_request(box, acquisition=ITEMS[3].id), settings)
    assert any("covers 11% of the area" in note for note in answer.notes)
    assert dated.ranges == []


def test_a_day_without_an_acquisition_gets_one_sentence(dated, tmp_path, classifier):
    settings = dated_settings(dated, tmp_path)
    day = {"date_from": "2024-05-02", "date_to": "2024-05-02"}
    with pytest.raises(NoImagery, match="no acquisition of this area on 2024-05-02"):
        finish(pipeline.iter_area(dated_request(dated.bbox, **day), settings=settings))
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


def test_every_ship_of_a_dated_image_has_its_date(dated, tmp_path, classifier):
    settings = dated_settings(dated, tmp_path)
    chosen = dated_request(dated.bbox, acquisition=ITEMS[0].id)
    low = chosen.model_copy(update={"search": Search(threshold=0.01)})
    run = finish(pipeline.iter_area(low, settings=settings))
    features = json.loads(run.files["geojson"].read_text())["features"]
    assert len(features) == len(run.detections)
    for feature in features:
        assert feature["properties"]["acquired"] == "2024-05-01T11:06:19Z"
        assert feature["properties"]["scene"] == ITEMS[0].id
    assert np.isfinite([ship.lon for ship in run.detections]).all()
