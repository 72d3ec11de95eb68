"""Areas: boxes and polygons, read from WKT and GeoJSON."""

import numpy as np
import pytest

from shipdet.areas import parse_area, parse_areas
from shipdet.errors import BadArea
from shipdet.geometry import BBox

SQUARE = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 3 1, 3 3, 1 3, 1 1))"
TWO = "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1)), ((5 5, 6 5, 6 6, 5 6)))"


def test_a_hole_is_outside():
    area = parse_area(SQUARE)
    assert area.contains([(0.5, 0.5), (2, 2), (3.5, 2), (5, 5)]).tolist() == [True, False, True,
                                                                             False]  # fmt: skip


def test_the_overlap_of_two_polygons_is_inside():
    overlapping = "MULTIPOLYGON (((0 0, 3 0, 3 3, 0 3, 0 0)), ((2 0, 5 0, 5 3, 2 3, 2 0)))"
    twice = "MULTIPOLYGON (((0 0, 3 0, 3 3, 0 3, 0 0)), ((0 0, 3 0, 3 3, 0 3, 0 0)))"
    places = [(1, 1), (2.5, 1), (4, 1), (6, 1)]
    assert parse_area(overlapping).contains(places).tolist() == [True, True, True, False]
    assert parse_area(overlapping).touches(BBox(2.4, 1, 2.6, 1.2))
    assert parse_area(twice).contains([(1, 1)]).all()
    first, second = "178 0, 181 0, 181 3, 178 3, 178 0", "179 0, 183 0, 183 3, 179 3, 179 0"
    east, west = parse_areas(f"MULTIPOLYGON ((({first})), (({second})))")
    assert east.contains([(178.5, 1), (179.5, 1)]).all()
    assert west.contains([(-179.5, 1), (-178, 1)]).all()


@pytest.mark.parametrize("empty", ["POLYGON EMPTY", {"type": "MultiPolygon", "coordinates": []}])
def test_an_empty_polygon_is_one_sentence(empty):
    with pytest.raises(BadArea):
        parse_areas(empty)


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


def test_places_inside_a_polygon_with_a_hole():
    area = parse_area(SQUARE)
    points = np.random.default_rng(2).uniform(-1, 5, (1000, 2))
    x, y = points.T
    square = (x > 0) & (x < 4) & (y > 0) & (y < 4)
    hole = (x > 1) & (x < 3) & (y > 1) & (y < 3)
    assert (area.contains(points) == (square & ~hole)).all()
    assert area.contains(np.empty((0, 2))).shape == (0,)


def test_a_polygon_that_crosses_itself_is_what_its_rings_enclose():
    bow_tie = parse_area("POLYGON ((0 0, 4 4, 4 0, 0 4))")
    assert bow_tie.contains([(0.5, 2), (3.5, 2), (2, 0.5)]).tolist() == [True, True, False]
    assert bow_tie.touches(BBox(0.1, 1.8, 0.3, 2.2))
    assert not bow_tie.touches(BBox(1.8, 0.1, 2.2, 0.5))


def test_ten_thousand_crossing_lines_are_answered():
    corners = np.random.default_rng(0).random((9_999, 2)).tolist()
    area = parse_area({"type": "Polygon", "coordinates": [corners]})
    assert area.contains(np.random.default_rng(1).random((100, 2))).any()
    assert area.touches(BBox(0.4, 0.4, 0.6, 0.6))


def test_a_concave_polygon_agrees_with_counting():
    star = "POLYGON ((0 3, 1 1, 3 0, 1 -1, 0 -3, -1 -1, -3 0, -1 1, 0 3))"
    points = np.random.default_rng(1).uniform(-3, 3, (2000, 2))
    inside = parse_area(star).contains(points)
    # Inside the star means inside one of the two crossed rhombs.
    x, y = np.abs(points).T
    expected = (y <= 3 - 2 * x) | (x <= 3 - 2 * y)
    assert (inside == expected).mean() > 0.999


@pytest.mark.parametrize(
    "text",
    ["POLYGON ((" + "0" * 200_000 + "))", "POLYGON" + " " * 200_000 + "x",
     "POLYGON ((" + "1." * 100_000 + "))"],
)  # fmt: skip
def test_hostile_text_is_read_in_one_pass(text):
    with pytest.raises(BadArea):  # with the square of its length it would take minutes
        parse_area(text)


@pytest.mark.parametrize(
    "value",
    ["POLYGON EMPTY", "POINT (1 2)", "POLYGON ((0 0, 1 1))", "POLYGON ((1e999 0, 1 0, 1 1))",
     "POLYGON ((nan 0, 1 0, 1 1))", "GEOMETRYCOLLECTION (" * 10_000, "POLYGON ((0 0, 1 0, 1 1)) x",
     {"type": "Polygon", "coordinates": [[["0", 0], [1, 0], [1, 1]]]},
     {"type": "Polygon", "coordinates": [[[True, 0], [1, 0], [1, 1]]]},
     {"type": "Polygon", "coordinates": []}, {"type": "MultiPolygon", "coordinates": []},
     {"type": "Polygon", "coordinates": [[[10**400, 0], [1, 0], [1, 1]]]},
     {"type": "Feature", "geometry": None}, [1, 2, 3], None],
)  # fmt: skip
def test_what_is_no_area_is_one_sentence(value):
    with pytest.raises(BadArea):
        parse_area(value)


def test_an_area_ignores_heights_and_reference_system():
    flat = parse_area("POLYGON ((0 0, 1 0, 1 1, 0 0))")
    assert parse_area("SRID=4326; polygon z ((0 0 9, 1 0 9, 1 1 9, 0 0 9))") == flat
    assert hash(flat) == hash(parse_area("POLYGON ((0 0, 1 0, 1 1))"))
