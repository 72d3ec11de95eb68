"""Areas across the antimeridian and on other copies of the world."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipdet.areas import parse_area, parse_areas
from shipdet.errors import BadArea


def boxes(value):
    return [area.box.as_tuple() for area in parse_areas(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([179.5, -17, -179.5, -16], [(179.5, -17, 180, -16), (-180, -17, -179.5, -16)]),
        ([179.5, -17, 180.5, -16], [(179.5, -17, 180, -16), (-180, -17, -179.5, -16)]),
        ([-180.5, -17, -179.5, -16], [(179.5, -17, 180, -16), (-180, -17, -179.5, -16)]),
        ([354, 36, 355, 37], [(-6, 36, -5, 37)]),
        ([-366, 36, -365, 37], [(-6, 36, -5, 37)]),
        ([-6, 36, -5, 37], [(-6, 36, -5, 37)]),
    ],
)
def test_a_box_is_split_at_the_antimeridian(value, expected):
    assert boxes(value) == expected


def test_a_polygon_is_split_at_the_antimeridian():
    west, east = parse_areas("POLYGON ((179 -17, 181 -17, 181 -15, 179 -15, 179 -17))")
    assert west.contains([[179.5, -16], [-179.5, -16]]).tolist() == [True, False]
    assert east.contains([[179.5, -16], [-179.5, -16]]).tolist() == [False, True]


def test_geojson_beyond_180_degrees_comes_home():
    ring = [[354, 36], [355, 36], [355, 37], [354, 36]]
    (area,) = parse_areas({"type": "Polygon", "coordinates": [ring]})
    assert area.box.as_tuple() == (-6, 36, -5, 37)


def test_polygons_that_were_split_already_are_two_areas():
    parts = "((179 1, 180 1, 180 2, 179 1)), ((-180 1, -179 1, -180 2, -180 1))"
    east, west = parse_areas(f"MULTIPOLYGON ({parts})")
    assert east.box.as_tuple() == (179, 1, 180, 2)
    assert west.box.as_tuple() == (-180, 1, -179, 2)


FIJI = [(179.9, -17), (-179.9, -17), (-179.9, -16), (179.9, -16), (179.9, -17)]
FIJI_BOXES = [(179.9, -17, 180, -16), (-180, -17, -179.9, -16)]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in r] for r in rings]}


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("step", [1, -1])
def test_an_edge_that_jumps_takes_the_short_way(start, step):
    ring = (FIJI[start:-1] + FIJI[:start])[::step]
    assert np.allclose(boxes(polygon(ring)), FIJI_BOXES)
    text = ", ".join(f"{lon} {lat}" for lon, lat in ring)
    assert np.allclose(boxes(f"POLYGON (({text}))"), FIJI_BOXES)


def test_a_hole_follows_its_polygon_across_180_degrees():
    hole = [(-179.98, -16.8), (-179.95, -16.8), (-179.95, -16.5), (-179.98, -16.5)]
    east, west = parse_areas(polygon(FIJI, hole))
    assert east.contains([(179.95, -16.6)]).all()
    assert west.contains([(-179.97, -16.6), (-179.92, -16.6)]).tolist() == [False, True]


def test_polygons_beside_one_across_180_degrees_stay():
    further = [[(-179, 1), (-178, 1), (-178, 2)], [(3, 51), (4, 51), (4, 52)]]
    parts = [polygon(ring)["coordinates"] for ring in (FIJI, *further)]
    east, west = parse_areas({"type": "MultiPolygon", "coordinates": parts})
    places = [(179.95, -16.5), (-179.95, -16.5), (3.9, 51.1), (-178.1, 1.1)]
    assert east.contains(places).tolist() == [True, False, True, False]
    assert west.contains(places).tolist() == [False, True, False, True]


@pytest.mark.parametrize("south", [-80, 60])
def test_rings_around_the_world_are_not_turned_over(south):
    corners = [(-180, south), (180, south), (180, 70), (-180, 70)]
    assert boxes(polygon(corners)) == [(-180, min(south, 70), 180, 70)]
    around = [(-180, south), (-90, south), (0, south), (90, south), (180, south), (180, 70)]
    assert boxes(polygon([*around, (-180, 70)])) == [(-180, min(south, 70), 180, 70)]


def test_a_polygon_for_one_area_may_not_jump():
    with pytest.raises(BadArea, match="crosses the antimeridian"):
        parse_area(polygon(FIJI))


@pytest.mark.parametrize(
    ("box", "home"),
    [
        ((-180.0000000001, -17, -179, -16), (-180, -17, -179, -16)),
        ((179, -17, 180.0000000001, -16), (179, -17, 180, -16)),
        ((179, -17, -179.9999999999, -16), (179, -17, 180, -16)),
    ],
)
def test_a_sliver_beyond_180_degrees_is_left_out(box, home):
    west, south, east, north = box
    ring = [(west, south), (east, south), (east, north), (west, north)]
    assert boxes(list(box)) == boxes(polygon(ring)) == [home]


def test_a_polygon_on_another_copy_of_the_world_comes_home():
    area = parse_area(polygon([(354, 36), (355, 36), (355, 37), (354, 37)]))
    assert area.box.as_tuple() == (-6, 36, -5, 37)
    assert area.contains([(-5.5, 36.5)]).all() and area.touches(area.box)


@given(st.floats(-540, 539), st.floats(0.01, 170), st.floats(0, 1))
def test_every_place_of_a_box_is_in_one_of_its_parts(west, width, share):
    east = min(west + width, 540.0)
    parts = parse_areas([west, 10.0, east, 20.0])
    lon = west + share * (east - west)
    home = (lon + 180) % 360 - 180
    inside = [area.contains([[home, 15.0]])[0] for area in parts]
    near_edge = np.isclose([home, abs(home)], [-180, 180], atol=1e-6).any()
    assert any(inside) or near_edge or np.isclose(share, [0, 1], atol=1e-6).any()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([-200, 0, 200, 1], "360 apart"),
        ([600, 0, 601, 1], "-540"),
        ([5, 52, 4, 53], "swap"),
        ([5, 53, 6, 52], "swap"),
        ([500_000, 5_900_000, 501_000, 5_901_000], "look projected"),
        ("POLYGON ((500000 5900000, 501000 5900000, 501000 5901000))", "look projected"),
        (polygon([(500_000, 5_900_000), (501_000, 5_900_000), (501_000, 5e6)]), "look projected"),
        (polygon([(float("nan"), 1), (2, 3), (4, 5)]), "no valid list"),
        ("POINT (1 2)", "not a WKT"),
        (7, "An area is four numbers"),
    ],
)
def test_what_is_no_area_gets_one_sentence(value, says):
    with pytest.raises(BadArea, match=says):
        parse_areas(value)
