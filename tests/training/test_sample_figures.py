"""The synthetic harbor as a judge of models: what counts as found, and what as false."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shipdet.detections import Detection, Detections
from shipdet.imagery import sample
from shipdet.settings import read_settings
from training.evaluation.sample import LARGE_M, judge, search


def detection(lon: float, lat: float) -> Detection:
    return Detection(1, 0.9, 0.0, 0.0, np.zeros((4, 2)), 100.0, 20.0, 0.0, lon=lon, lat=lat)


def perfect() -> list[Detection]:
    return [detection(ship.lon, ship.lat) for ship in sample.truth()]


def test_the_truth_itself_is_without_fault() -> None:
    found = judge(Detections(tuple(perfect()), 0.1))
    large = sum(ship.length_m > LARGE_M for ship in sample.truth())
    assert (found.large, found.large_found) == (large, large)
    assert found.worst_m == pytest.approx(0, abs=0.1)
    assert found.missed == found.false == ()


def test_what_is_missed_or_false_is_named() -> None:
    ships = perfect()
    box = sample.bbox()
    ships[0] = replace(ships[0], lon=box.west + 0.0001, lat=box.south + 0.0001)
    found = judge(Detections(tuple(ships), 0.1))
    assert found.large_found == found.large - 1
    assert found.missed == ("moored container of 294 m",)
    assert [false[2] for false in found.false] == [0.9]
    assert found.false_per_10_km2 == pytest.approx(10 / box.area_km2)


def test_nothing_found_is_nothing_false() -> None:
    found = judge(Detections((), 0.1))
    assert (found.large_found, found.false) == (0, ())
    assert len(found.missed) == found.large


def test_the_bundled_model_finds_the_large_ships_and_little_else(tmp_path: Path) -> None:
    found = judge(search(read_settings(runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache")))
    assert found.missed == ()
    assert found.false_per_10_km2 <= 1
