"""Detections and AIS ships, one to one."""

from types import SimpleNamespace

import numpy as np
import pytest

from shipdet import ais
from shipdet.detections import Detection, Detections
from shipdet.errors import BadAis, BadOption
from shipdet.geometry import MERCATOR_HALF_M, BBox
from tests.ais.conftest import report

METER = 1 / 111_195  # degrees of latitude
AREA = BBox(10.0, 57.0, 10.2, 57.1)
TIME = "2024-05-01T10:56:00Z"


def ships(*places: tuple[float, float], length_m: float = 100.0) -> Detections:
    box = np.zeros((4, 2))
    return Detections(
        tuple(
            Detection(n, 0.9, 0, 0, box, length_m, 20.0, 0.0, lon=lon, lat=lat)
            for n, (lon, lat) in enumerate(places, start=1)
        ),
        0.1,
    )


def mmsi_and_dark(matches: ais.Matches) -> list[tuple[int | None, bool | None]]:
    return [(ship.mmsi, ship.dark) for ship in matches.detections]


def test_a_ship_near_its_report_is_known_and_others_are_dark(ais_file):
    file = ais_file([report(-1, 10.1, 57.05), report(1, 10.1, 57.05)])
    matches = ais.match(ships((10.1, 57.05 + 100 * METER), (10.15, 57.02)), file, TIME, AREA)
    assert mmsi_and_dark(matches) == [(219000001, False), (None, True)]
    known = matches.detections[0]
    assert (known.name, known.ais_distance_m) == ("ANNA", pytest.approx(100, abs=1))
    assert [ship.id for ship in matches.dark] == [2]
    assert matches.unseen == ()


def test_a_report_without_a_ship_is_listed(ais_file):
    file = ais_file([report(0, 10.1, 57.05), report(0, 10.3, 57.05, 219000002)])
    matches = ais.match(ships((10.15, 57.02)), file, TIME, AREA)
    assert [contact.mmsi for contact in matches.unseen] == [219000001]  # the other is outside


def test_each_ship_has_one_report_though_another_is_nearer(ais_file):
    # Both reports are nearest to the first ship; together they fit both.
    file = ais_file(
        [report(0, 10.1, 57.05, 219000001), report(0, 10.1, 57.05 + 60 * METER, 219000002)]
    )
    found = ships((10.1, 57.05 + 20 * METER), (10.1, 57.05 + 180 * METER))
    assert mmsi_and_dark(ais.match(found, file, TIME, AREA)) == [
        (219000001, False),
        (219000002, False),
    ]


def test_the_stated_length_decides_between_neighbors(ais_file):
    file = ais_file(
        [
            report(0, 10.1, 57.05, 219000001, length=30),
            report(0, 10.1, 57.05 + 30 * METER, 219000002, length=200),
        ]
    )
    found = ships((10.1, 57.05 + 12 * METER), length_m=200)
    (ship,) = ais.match(found, file, TIME, AREA).detections
    assert ship.mmsi == 219000002


def test_a_moving_ship_is_found_where_it_was_then(ais_file):
    file = ais_file(
        [report(-4, 10.10, 57.05, sog=10, cog=90), report(12, 10.18, 57.05, sog=10, cog=90)]
    )
    (ship,) = ais.match(ships((10.12, 57.05)), file, TIME, AREA).detections
    assert (ship.dark, ship.ais_distance_m) == (False, pytest.approx(0, abs=2))


def test_ships_on_both_sides_of_the_180th_meridian_are_matched(ais_file):
    file = ais_file([report(0, 179.9999, 57.05), report(0, -179.98, 57.05, 219000002)])
    matches = ais.match(ships((-179.9999, 57.05), (-179.98, 57.05)), file, TIME)
    assert mmsi_and_dark(matches) == [(219000001, False), (219000002, False)]


def test_a_dated_run_needs_no_time(ais_file):
    file = ais_file([report(0, 10.1, 57.05)])
    record = {"source": {"details": {"acquired": TIME}}}
    run = SimpleNamespace(record=record, detections=ships((10.1, 57.05)))
    assert mmsi_and_dark(ais.match(run, file, area=AREA)) == [(219000001, False)]


def test_the_area_of_a_run_is_that_of_its_picture(ais_file):
    file = ais_file([report(0, 10.19, 57.09), report(0, 10.21, 57.05, 219000002)])
    raw = {
        "georeferenced": True, "crs": "EPSG:4326", "width": 200, "height": 100,
        "transform": [0.001, 0.0, 10.0, 0.0, -0.001, 57.1],
    }  # fmt: skip
    run = SimpleNamespace(record={"raw": raw}, detections=Detections())
    assert [c.mmsi for c in ais.match(run, file, TIME).unseen] == [219000001]


@pytest.mark.parametrize(
    ("crs", "x", "pixel"),
    [
        ("EPSG:4326", 179.9, 0.001),
        ("EPSG:4326", -180.1, 0.001),
        ("EPSG:3857", MERCATOR_HALF_M - 11_132, 111.32),
        ("EPSG:32760", 822_800, 111),
    ],
)
def test_the_area_of_a_run_may_cross_the_180th_meridian(ais_file, crs, x, pixel):
    y = {"EPSG:4326": 0.1, "EPSG:3857": 11_132, "EPSG:32760": 10_010_000}[crs]
    raw = {
        "georeferenced": True, "crs": crs, "width": 200, "height": 200,
        "transform": [pixel, 0.0, x, 0.0, -pixel, y],
    }  # fmt: skip
    places = [(179.95, 0.05), (-179.95, 0.05), (179.85, 0.05), (-179.85, 0.05)]
    file = ais_file([report(0, *place, 219000001 + n) for n, place in enumerate(places)])
    run = SimpleNamespace(record={"raw": raw}, detections=Detections())
    matches = ais.match(run, file, TIME)
    assert [c.mmsi for c in matches.unseen] == [219000001, 219000002]
    assert len(matches.contacts) == 4


def test_an_area_given_as_four_numbers_may_cross_it_too(ais_file):
    file = ais_file([report(0, 179.95, 57.05), report(0, -179.95, 57.05, 219000002)])
    matches = ais.match(Detections(), file, TIME, (179.9, 57.0, -179.9, 57.1))
    assert [c.mmsi for c in matches.unseen] == [219000001, 219000002]


def test_ships_on_both_sides_of_it_span_an_area(ais_file):
    file = ais_file([report(0, 179.99, 57.05), report(0, -179.99, 57.05, 219000002)])
    matches = ais.match(ships((179.98, 57.05), (-179.98, 57.05)), file, TIME)
    assert [c.mmsi for c in matches.unseen] == [219000001, 219000002]


@pytest.mark.parametrize(
    ("acquired", "says", "error"),
    [
        (None, "imagery has no date", BadAis),
        ("yesterday", "is not a time", BadOption),
        ("2024-05-01T10:56:00", "has no zone", BadOption),
        ("2024-06-01T10:56:00Z", "use the AIS file of that time", BadAis),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(ais_file, acquired, says, error):
    file = ais_file([report(0, 10.1, 57.05)])
    with pytest.raises(error, match=says):
        ais.match(ships((10.1, 57.05)), file, acquired, AREA)


def test_pictures_without_a_place_cannot_be_matched(ais_file):
    file = ais_file([report(0, 10.1, 57.05)])
    nowhere = Detections((Detection(1, 0.9, 5, 5, np.zeros((4, 2)), 50, 9, 0),))
    with pytest.raises(BadAis, match="longitude and latitude"):
        ais.match(nowhere, file, TIME)
    with pytest.raises(BadAis, match="no map reference"):
        ais.match(nowhere, file, TIME, AREA)
