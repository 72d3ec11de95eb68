"""Areas across the antimeridian and on other copies of the world."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipdet.areas import parse_areas
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
        ("POINT (1 2)", "not a WKT"),
        (7, "An area is four numbers"),
    ],
)
def test_what_is_no_area_gets_one_sentence(value, says):
    with pytest.raises(BadArea, match=says):
        parse_areas(value)
