"""Detections as values: what makes two of them equal."""

from dataclasses import replace

from shipdet.detections import Detection, Detections
from shipdet.geometry import rectangle


def ship(number: int = 1, score: float = 0.9) -> Detection:
    corners = rectangle((10, 20), 40, 8, 30)
    return Detection(number, score, 10.0, 20.0, corners, 40.0, 8.0, 30.0, corners_lonlat=corners)


def test_ships_are_compared_by_their_values():
    assert ship() == ship() and ship() in Detections((ship(2), ship()))
    assert ship() != ship(2) and ship() != ship(score=0.8)
    assert ship() != replace(ship(), lon=1.0, lat=2.0)
    assert Detections((ship(),), 0.1) == Detections((ship(),), 0.1) != Detections((ship(),), 0.2)


def test_ships_can_be_counted_in_a_set():
    assert len({ship(), ship(), ship(2)}) == 2
    assert {Detections((ship(),)), Detections((ship(),))} == {Detections((ship(),))}
