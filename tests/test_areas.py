"""Polygons, and files of many areas."""

import json

import numpy as np
import pytest

from shipdet.area_files import name_areas, read_area_file, read_areas
from shipdet.areas import parse_area
from shipdet.errors import BadArea, BadJob
from shipdet.geometry import BBox

SQUARE = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 3 1, 3 3, 1 3, 1 1))"
TWO = "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1)), ((5 5, 6 5, 6 6, 5 6)))"


def test_a_hole_is_outside():
    area = parse_area(SQUARE)
    assert area.contains([(0.5, 0.5), (2, 2), (3.5, 2), (5, 5)]).tolist() == [True, False, True,
                                                                             False]  # fmt: skip


def test_geojson_and_wkt_say_the_same():
    ring = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
    hole = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]
    shape = {"type": "Polygon", "coordinates": [ring, hole]}
    assert parse_area(shape) == parse_area(SQUARE)
    assert parse_area({"type": "Feature", "geometry": shape}) == parse_area(SQUARE)


def test_a_box_touches_what_it_overlaps_and_nothing_else():
    area = parse_area(TWO)
    assert area.box == BBox(0, 0, 6, 6)
    assert area.touches(BBox(0.5, 0.5, 2, 2))  # corner inside
    assert area.touches(BBox(-1, 0.4, 7, 0.6))  # the edges cross, no corner inside
    assert area.touches(BBox(-1, -1, 7, 7))  # the polygons are inside the box
    assert area.touches(BBox(5.2, 5.2, 5.4, 5.4))  # the box is inside a polygon
    assert not area.touches(BBox(2, 2, 4, 4))  # between the two
    hole = parse_area(SQUARE)
    assert not hole.touches(BBox(1.5, 1.5, 2.5, 2.5))


def test_many_places_are_asked_in_parts(monkeypatch):
    area = parse_area(SQUARE)
    points = np.random.default_rng(2).uniform(-1, 5, (1000, 2))
    whole = area.contains(points)
    monkeypatch.setattr("shipdet.areas.AT_ONCE", 30)
    assert (area.contains(points) == whole).all()
    assert 0.2 < whole.mean() < 0.5
    assert area.contains(np.empty((0, 2))).shape == (0,)


def test_a_concave_polygon_agrees_with_counting():
    star = "POLYGON ((0 3, 1 1, 3 0, 1 -1, 0 -3, -1 -1, -3 0, -1 1, 0 3))"
    points = np.random.default_rng(1).uniform(-3, 3, (2000, 2))
    inside = parse_area(star).contains(points)
    # Inside the star means inside one of the two crossed rhombs.
    x, y = np.abs(points).T
    expected = (y <= 3 - 2 * x) | (x <= 3 - 2 * y)
    assert (inside == expected).mean() > 0.999


KML = """<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Placemark><name>Port A</name><Polygon><outerBoundaryIs><LinearRing><coordinates>
4,51,0 5,51,0 5,52,0 4,51,0</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>
<Placemark><name>only a point</name><Point><coordinates>1,2</coordinates></Point></Placemark>
</Document></kml>"""


def test_areas_are_read_from_every_kind_of_file():
    features = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"name": "Port A"},
             "geometry": {"type": "Polygon", "coordinates": [[[4, 51], [5, 51], [5, 52], [4, 51]]]}}
        ],
    }  # fmt: skip
    table = 'name,wkt\nPort A,"POLYGON((4 51, 5 51, 5 52, 4 51))"\n'
    boxes = "name;x\n".replace(";x", ",west,south,east,north") + "Port A,4,51,5,52\n"
    read = [
        read_areas(json.dumps(features).encode(), "a.geojson"),
        read_areas(KML.encode(), "a.kml"),
        read_areas(table.encode(), "A.CSV"),
        read_areas(boxes.encode(), "a.csv"),
    ]
    for areas in read:
        [(name, area)] = areas
        assert name == "Port A"
        assert parse_area(area).box == BBox(4, 51, 5, 52)


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"{}", "a.shp", "geojson"),
        (b"{", "a.geojson", "not GeoJSON"),
        (b"[1]", "a.geojson", "not GeoJSON"),
        (b'{"type": "FeatureCollection", "features": []}', "a.geojson", "no area"),
        (b"a,b\n1,2\n", "a.csv", "columns"),
        (b"west,south,east,north\n1,2,x,4\n", "a.csv", "Row 1"),
        (b"\xff\xff", "a.csv", "UTF-8"),
        (b"<kml>", "a.kml", "not KML"),
        (b'<!DOCTYPE x [<!ENTITY a "aa">]><kml>&a;</kml>', "a.kml", "document type"),
        (b"a" * 200_000 + b"\n1\n", "a.csv", "columns"),
        (b"a\rb\n1,2\n", "a.csv", "not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(data, name, says):
    with pytest.raises(BadJob, match=says):
        read_areas(data, name)


def test_of_a_file_no_more_is_read_than_is_allowed(tmp_path, monkeypatch):
    path = tmp_path / "areas.csv"
    path.write_text(f'name,wkt\nharbour,"{TWO}"\n')
    assert [name for name, _ in read_area_file(path)] == ["harbour"]
    monkeypatch.setattr("shipdet.area_files.MAX_FILE_BYTES", 20)
    with pytest.raises(BadJob, match="larger"):
        read_area_file(path)
    with pytest.raises(BadJob, match="cannot be read"):
        read_area_file(tmp_path / "none.csv")


def test_a_long_polygon_in_a_csv_is_read_and_one_too_long_is_told_so():
    ring = ", ".join(f"{i / 1e9:.16f} {i % 7 / 10:.16f}" for i in range(4_000))
    [(_, area)] = read_areas(f'wkt\n"POLYGON (({ring}))"\n'.encode(), "a.csv")
    assert len(area) > 131_072, "the csv module's own limit"
    assert len(parse_area(area).rings[0]) == 4_001
    with pytest.raises(BadArea, match="simplify"):
        parse_area(f"POLYGON (({ring}, {ring}))")


@pytest.mark.parametrize(
    "text",
    ["POLYGON ((" + "0" * 200_000 + "))", "POLYGON" + " " * 200_000 + "x",
     "POLYGON ((" + "1." * 100_000 + "))"],
)  # fmt: skip
def test_a_hostile_text_is_read_in_one_pass(text):
    with pytest.raises(BadArea):  # with the square of its length it would take minutes
        parse_area(text)


def test_every_area_of_a_file_gets_a_name_of_its_own():
    named = name_areas([("Port A", 1), ("Port A", 2), ("", 3), ("../x", 4)], "watch")
    names = [name for name, _ in named]
    assert names == ["watch-Port-A", "watch-Port-A-0002", "watch-0003", "watch-x"]
