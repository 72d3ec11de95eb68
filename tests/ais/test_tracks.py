"""Where a ship was between its reports."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipdet.ais import Contacts, Reports, contacts_at
from shipdet.ais.sphere import carried, great_circle
from shipdet.ais.tracks import MAX_GATE_M
from shipdet.geometry import BBox, distance_m

ACQUIRED = datetime(2024, 5, 1, 10, 56, tzinfo=UTC)
AREA = BBox(10.0, 57.0, 10.2, 57.1)
LON, LAT = st.floats(-180, 180), st.floats(-80, 80)


def reports(*rows: tuple[float, float, float], mmsi=219000001, speed=0.0, course=0.0) -> Reports:
    """Reports of (seconds, longitude, latitude)."""
    seconds, lon, lat = np.array(rows, np.float64).T
    n = len(rows)
    return Reports(
        np.broadcast_to(np.asarray(mmsi, np.int64), n).copy(),
        seconds,
        np.stack([lon, lat], axis=-1),
        np.full(n, speed),
        np.full(n, course),
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.full(n, "ANNA", object),
        np.full(n, "70", object),
    )


def at(*rows, area=AREA, **more) -> Contacts:
    return contacts_at(reports(*rows, **more), area, ACQUIRED)


@given(LON, LAT, LON, LAT, st.floats(0, 1))
def test_a_place_between_two_divides_the_way(lon0, lat0, lon1, lat1, share):
    a, b = np.array([lon0, lat0]), np.array([lon1, lat1])
    whole = float(distance_m(a, b))
    if whole > 15_000_000:  # almost opposite places have no single way
        return
    place = great_circle(a, b, share)
    assert float(distance_m(a, place)) == pytest.approx(share * whole, abs=1.0)
    assert float(distance_m(place, b)) == pytest.approx((1 - share) * whole, abs=1.0)
    assert -180 <= place[0] <= 180


@given(LON, LAT, st.floats(0, 359.9), st.floats(0, 50_000))
def test_carried_on_and_back_is_where_it_was(lon, lat, course, meters):
    place = np.array([lon, lat])
    ahead = carried(place, course, meters)
    assert float(distance_m(place, ahead)) == pytest.approx(meters, abs=0.5)


@given(LON, LAT, st.floats(-0.02, 0.02), st.floats(-0.02, 0.02), st.integers(1, 800),
       st.integers(1, 800))  # fmt: skip
def test_a_steady_ship_is_on_its_way_at_the_share_of_time(lon, lat, east, north, before, after):
    end_lon = (lon + east + 180) % 360 - 180
    area = BBox(-180, -85, 180, 85)
    found = at((-before, lon, lat), (after, end_lon, lat + north), area=area)
    moved = float(distance_m([lon, lat], [end_lon, lat + north]))
    if moved > 30.8 * (before + after) + 100:  # faster than any ship
        assert "knots" in found.notes[0]
        return
    (contact,) = found
    from_start = float(distance_m([lon, lat], [contact.lon, contact.lat]))
    assert from_start == pytest.approx(moved * before / (before + after), abs=1.0)


@given(st.permutations(range(8)))
def test_the_order_of_rows_does_not_matter(order):
    rows = [(-400 + 100 * n + 3, 10.05 + 0.001 * n, 57.05) for n in range(8)]
    assert at(*[rows[n] for n in order]).items == at(*rows).items


@given(st.lists(st.tuples(st.integers(-3600, 3600), LON, LAT), min_size=1, max_size=30))
def test_any_reports_give_at_most_one_place_a_ship(rows):
    found = at(*rows, area=BBox(-180, -85, 180, 85))
    assert len(found) <= 1
    for contact in found:
        assert -180 <= contact.lon <= 180 and -90 <= contact.lat <= 90
        assert 0 < contact.gate_m <= MAX_GATE_M


def test_a_ship_crosses_the_180th_meridian():
    (contact,) = at((-300, 179.98, 0.0), (300, -179.98, 0.0), area=BBox(179, -1, 180, 1))
    assert abs(contact.lon) == pytest.approx(180, abs=1e-5)


def test_one_wrong_report_is_left_out():
    found = at((-60, 10.10, 57.05), (-10, 10.9, 57.05), (60, 10.10, 57.05))
    (contact,) = found
    assert (contact.lon, contact.lat) == (10.10, 57.05)
    assert found.notes == ("1 AIS reports imply more than 60 knots and were left out.",)


def test_a_wrong_first_report_does_not_spoil_the_rest():
    (contact,) = at((-90, 10.9, 57.05), (-60, 10.10, 57.05), (-30, 10.10, 57.05),
                    (60, 10.10, 57.05))  # fmt: skip
    assert contact.lon == 10.10


def test_of_two_ships_with_one_mmsi_more_reports_win():
    here = [(second, 10.10, 57.05) for second in range(-100, 100, 10)]
    there = [(second + 5, 10.19, 57.05) for second in range(-50, 50, 10)]
    (contact,) = at(*here, *there)
    assert contact.lon == pytest.approx(10.10)


def test_a_ship_among_many_wrong_reports_is_found():
    wrong = [(second, (7 * second) % 360 - 180.0, -40.0) for second in range(-900, 900)]
    here = [(second + 0.5, 10.10, 57.05) for second in range(-900, 900, 10)]
    found = at(*here, *wrong)
    assert [contact.lon for contact in found] == [10.10]
    assert found.notes[0].startswith("1,800 AIS reports imply more than 60 knots")


def test_reports_of_one_time_count_once():
    found = at((-60, 10.10, 57.05), (-60, 10.11, 57.05), (60, 10.10, 57.05))
    assert found.items[0].lon == 10.10
    assert "have the same time as another" in found.notes[0]


def test_a_moving_ship_is_lost_in_a_long_gap():
    found = at((-1700, 10.0, 57.05), (1700, 10.2, 57.05))
    assert not found.items
    assert found.notes == (
        "1 ships have no AIS report close enough to the time of acquisition, so their positions "
        "are unknown.",
    )


def test_an_anchored_ship_is_known_over_a_long_gap():
    (contact,) = at((-1700, 10.1, 57.05), (1700, 10.1001, 57.05))
    assert contact.lon == pytest.approx(10.10005, abs=1e-5)
    assert contact.gate_m < 200


def test_after_its_last_report_a_ship_is_carried_on():
    (contact,) = at((-300, 10.1, 57.05), speed=12.0, course=90.0)
    east_m = float(distance_m([10.1, 57.05], [contact.lon, contact.lat]))
    assert east_m == pytest.approx(12 * 1852 / 3600 * 300, rel=1e-3)
    assert contact.lon > 10.1
    assert not at((-700, 10.1, 57.05), speed=12.0, course=90.0).items


def test_a_gate_grows_with_speed_and_gap():
    still = at((-100, 10.1, 57.05)).items[0].gate_m
    slow = at((-100, 10.1, 57.05), speed=5.0).items[0].gate_m
    fast = at((-100, 10.1, 57.05), speed=20.0).items[0].gate_m
    late = at((-500, 10.1, 57.05), speed=20.0).items[0].gate_m
    assert still < slow < fast < late


def test_stations_buoys_and_aircraft_are_no_ships():
    rows = [(0, 10.1, 57.05)] * 4
    mmsi = [2190047, 111219502, 992191234, 219000001]
    assert [contact.mmsi for contact in at(*rows, mmsi=mmsi)] == [219000001]


def test_ships_outside_the_picture_are_known_as_such():
    found = at((0, 10.1, 57.05), (0, 10.4, 57.05), mmsi=[219000001, 219000002])
    assert [contact.in_area for contact in found] == [True, False]


def test_contacts_are_the_same_after_json():
    found = at((-300, 10.1, 57.05), (300, 10.11, 57.05), speed=3.0)
    assert Contacts.from_dict(found.as_dict()) == found
