"""Tables and map files of ships, as other programs read them."""

import csv
import io
import itertools
import json

import numpy as np
import pytest

from shipdet.detections import Detection, Detections
from shipdet.geometry import rectangle
from shipdet.report import vector

COLUMNS = (
    "id,score,x,y,x0,y0,x1,y1,lon,lat,length_m,width_m,axis_deg,raw_support,"
    "acquired,scene,mmsi,name,ais_distance_m,dark"
)


def ship(number=1, score=0.91234567, **changes):
    corners = rectangle((120.5, 80.25), 40, 10, 30)
    outline = np.array([-5.4, 36.1]) + (corners - [120.5, 80.25]) * [1e-5, -1e-5]
    values = {
        "id": number, "score": score, "x": 120.5, "y": 80.25, "corners": corners,
        "length_m": 119.96, "width_m": 30.04, "axis_deg": 30.0, "lon": -5.4, "lat": 36.1,
        "corners_lonlat": outline, **changes,
    }  # fmt: skip
    return Detection(**values)


def without_place(**changes):
    return ship(lon=None, lat=None, corners_lonlat=None, **changes)


def rows(*ships):
    return list(csv.DictReader(io.StringIO(vector.csv_text(Detections(ships)))))


def test_the_table_has_exactly_the_promised_columns():
    assert vector.csv_text(Detections()) == COLUMNS + "\n"
    assert vector.csv_text(Detections((ship(),))).splitlines()[0] == COLUMNS


def test_a_row_tells_one_ship():
    row = rows(ship(raw_score=0.7, raw_support=True))[0]
    assert (row["id"], row["score"]) == ("1", "0.9123")
    assert (float(row["x"]), float(row["y"])) == (120.5, 80.25)
    assert (float(row["lon"]), float(row["lat"])) == (-5.4, 36.1)
    assert (row["length_m"], row["width_m"], row["axis_deg"]) == ("120.0", "30.0", "30.0")
    x0, y0, x1, y1 = (float(row[name]) for name in ("x0", "y0", "x1", "y1"))
    assert x0 < 120.5 < x1 and y0 < 80.25 < y1
    assert x1 - x0 == pytest.approx(40 * 0.5 + 10 * 0.8660, abs=0.02)


@pytest.mark.parametrize(("support", "expected"), [(None, ""), (True, "true"), (False, "false")])
def test_support_is_empty_where_nothing_was_enlarged(support, expected):
    assert rows(ship(raw_support=support))[0]["raw_support"] == expected


def test_a_ship_without_a_place_has_empty_degrees():
    row = rows(without_place())[0]
    assert row["lon"] == row["lat"] == ""


def test_map_features_are_closed_and_counter_clockwise():
    for corners in (ship().corners_lonlat, ship().corners_lonlat[::-1]):
        feature = vector.geojson(Detections((ship(corners_lonlat=corners),)))["features"][0]
        assert feature["geometry"]["type"] == "Polygon"
        (ring,) = feature["geometry"]["coordinates"]
        assert len(ring) == 5 and ring[0] == ring[-1]
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring))
        assert area > 0
        assert {tuple(p) for p in ring} == {tuple(np.round(c, 7)) for c in corners}


def test_map_coordinates_are_longitude_first():
    ring = vector.geojson(Detections((ship(),)))["features"][0]["geometry"]["coordinates"][0]
    np.testing.assert_allclose(np.mean(ring[:4], axis=0), [-5.4, 36.1], atol=1e-6)


def test_map_features_carry_what_is_known_of_the_ship():
    found = Detections((ship(raw_score=0.4, raw_support=False, cut=True), ship(2, near_gap=True)))
    collection = json.loads(json.dumps(vector.geojson(found)))
    assert collection["type"] == "FeatureCollection" and "crs" not in collection
    first, second = collection["features"]
    assert (first["type"], first["id"], second["id"]) == ("Feature", 1, 2)
    values = first["properties"]
    assert values["score"] == 0.9123 and values["length_m"] == 120.0 and values["axis_deg"] == 30.0
    assert (values["raw_score"], values["raw_support"], values["cut"]) == (0.4, False, True)
    assert (values["near_gap"], second["properties"]["near_gap"]) == (False, True)


def test_a_ship_without_a_place_is_not_on_the_map():
    assert vector.geojson(Detections((without_place(),)))["features"] == []


def test_ships_are_read_back_as_they_were():
    found = Detections(
        (
            ship(raw_score=0.123456789, raw_support=True, near_gap=True),
            without_place(number=2, score=0.2, cut=True),
        ),
        0.1,
    )
    again = vector.from_json(vector.to_json(found))
    assert again.floor == 0.1 and len(again) == 2
    for before, after in zip(found, again, strict=True):
        for name in Detection.__dataclass_fields__:
            np.testing.assert_equal(getattr(after, name), getattr(before, name))


def test_no_ships_are_read_back_as_none():
    again = vector.from_json(vector.to_json(Detections((), 0.25)))
    assert len(again) == 0 and again.floor == 0.25


def test_a_higher_threshold_renumbers_and_rechecks_the_raw_image():
    found = Detections(
        (
            ship(1, 0.9, raw_score=0.6, raw_support=True),
            ship(2, 0.7, raw_score=0.3, raw_support=True),
            ship(3, 0.3),
        ),
        0.1,
    )
    above = found.above(0.5)
    assert [(d.id, d.score) for d in above] == [(1, 0.9), (2, 0.7)]
    assert [d.raw_support for d in above] == [True, False]
    assert above.floor == 0.5 and above.above(0.2).floor == 0.5
    assert found.above(0.7)[1].score == 0.7, "the threshold itself is enough"
    assert found.above(0.2)[2].raw_support is None


@pytest.mark.parametrize("lon", [180.0, -180.0, 179.9999, -179.9999])
def test_an_outline_across_the_antimeridian_is_cut_there(lon):
    corners = np.array([[-3e-4, 1e-4], [3e-4, 1e-4], [3e-4, -1e-4], [-3e-4, -1e-4]])
    outline = corners + np.array([lon, -17.0])
    outline[:, 0] = (outline[:, 0] + 180) % 360 - 180
    feature = vector.geojson(Detections((ship(corners_lonlat=outline),)))["features"][0]
    assert feature["geometry"]["type"] == "MultiPolygon"
    width = 0.0
    for (ring,) in feature["geometry"]["coordinates"]:
        lons, lats = np.array(ring).T
        assert (np.abs(lons) <= 180).all() and np.ptp(lons) < 1e-3 and ring[0] == ring[-1]
        assert np.sum(lons[:-1] * lats[1:] - lons[1:] * lats[:-1]) > 0  # counter-clockwise
        width += np.ptp(lons)
    assert width == pytest.approx(6e-4, abs=1e-6)


def test_an_outline_that_ends_at_the_antimeridian_is_one_polygon():
    outline = np.array([[179.999, 1], [180.0, 1], [180.0, 0.999], [179.999, 0.999]])
    feature = vector.geojson(Detections((ship(corners_lonlat=outline),)))["features"][0]
    assert feature["geometry"]["type"] == "Polygon"
