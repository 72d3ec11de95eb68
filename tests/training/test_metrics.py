"""Matching, curves, thresholds and calibration on cases worked out by hand."""

import numpy as np
import pytest

from training.calibrate import platt
from training.datasets import Ship, upright_ship
from training.metrics import Outcome, at_threshold, best_threshold, curve, match, may_match, pooled

GSD = 3.0
CLEAR = np.zeros((400, 400), dtype=np.bool_)


def matched(
    points: list[tuple[float, float]],
    scores: list[float],
    ships: list[Ship],
    unknown: np.ndarray = CLEAR,
) -> Outcome:
    lengths = np.full(len(points), 100.0)
    return match(np.array(points).reshape(-1, 2), np.array(scores), lengths, ships, unknown, GSD)


def test_a_detection_counts_near_the_center_or_the_box() -> None:
    long = upright_ship([100, 100, 110, 200])
    assert may_match(long, np.array([105.0, 177.0]), GSD)  # 81 m along
    assert may_match(long, np.array([105.0, 209.0]), GSD)  # 27 m beyond the stern
    assert not may_match(long, np.array([105.0, 211.0]), GSD)
    assert not may_match(long, np.array([134.0, 150.0]), GSD)  # 87 m abeam, 72 m from the box


def test_a_second_detection_of_a_ship_is_false() -> None:
    outcome = matched([(105, 150), (107, 152)], [0.6, 0.9], [upright_ship([100, 100, 110, 200])])
    assert outcome.hits.tolist() == [True, False]
    assert outcome.scores.tolist() == [0.9, 0.6]


def test_two_ships_side_by_side_take_a_detection_each() -> None:
    ships = [upright_ship([100, 100, 110, 200]), upright_ship([115, 100, 125, 200])]
    outcome = matched([(105, 150), (120, 150)], [0.9, 0.8], ships)
    assert outcome.hits.tolist() == [True, True]


def test_unknown_regions_and_small_boats_count_neither_way() -> None:
    unknown = CLEAR.copy()
    unknown[300:] = True
    boat = upright_ship([50, 50, 53, 55])  # 17 m
    outcome = matched([(200, 350), (51, 52)], [0.9, 0.8], [boat], unknown)
    assert len(outcome.scores) == 0
    assert len(outcome.ship_scores) == 0


def outcome_of(scores: list[float], hits: list[bool], ships: int) -> Outcome:
    found = [s for s, h in zip(scores, hits, strict=True) if h]
    ship_scores = np.array(found + [0.0] * (ships - len(found)))
    lengths = np.full(ships, 100.0)
    counted = np.array(hits, dtype=np.bool_)
    at_sea = np.array([i % 2 == 0 for i in range(len(hits))], dtype=np.bool_)
    return Outcome(
        np.array(scores), counted, ship_scores, lengths, lengths * 1.1, at_sea, 50.0, 40.0
    )


def test_average_precision_of_a_worked_example() -> None:
    points = curve(outcome_of([0.9, 0.8, 0.7, 0.6], [True, False, True, False], 4))
    assert points.recall.tolist() == [0.25, 0.25, 0.5, 0.5]
    assert points.average_precision == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)


def test_figures_at_a_threshold() -> None:
    values = at_threshold(outcome_of([0.9, 0.8, 0.7, 0.6], [True, False, True, False], 4), 0.65)
    assert values["precision"] == pytest.approx(2 / 3)
    assert values["recall"] == 0.5
    assert values["f1"] == pytest.approx(4 / 7)
    assert values["false_alarms_per_100_km2"] == 2.0
    assert values["length_error_median_over_60_m"] == pytest.approx(0.1)
    assert values["false_alarms_per_100_km2_of_open_sea"] == 0.0
    assert values["false_alarms_per_100_km2_of_the_rest"] == 10.0
    assert values["by_length_m"]["60-120"] == {"ships": 4, "found": 2}
    assert values["by_length_m"]["200 and more"] == {"ships": 0, "found": 0}


def test_false_alarms_are_counted_where_they_lie() -> None:
    sea = CLEAR.copy()
    sea[:, :200] = True
    points, scores = np.array([[100.0, 100], [300, 100], [310, 300]]), np.array([0.9, 0.8, 0.7])
    outcome = match(points, scores, np.full(3, 90.0), [], CLEAR, GSD, sea)
    assert outcome.at_sea.tolist() == [True, False, False]
    assert outcome.sea_km2 == pytest.approx(outcome.area_km2 / 2)
    assert match(points, scores, np.full(3, 90.0), [], CLEAR, GSD).sea_km2 == 0


def test_nothing_found_is_no_division_by_zero() -> None:
    empty = outcome_of([], [], 3)
    assert at_threshold(empty, 0.5)["precision"] is None
    assert curve(empty).average_precision == 0.0
    assert best_threshold(empty) == 0.5


def test_the_threshold_keeps_precision_where_it_can() -> None:
    outcome = outcome_of([0.9, 0.8, 0.4, 0.3, 0.2], [True, True, False, True, True], 4)
    assert best_threshold(outcome, 0.9) == pytest.approx(0.6)
    assert best_threshold(outcome, 0.0) == pytest.approx(0.1)


def test_pooling_adds_scenes() -> None:
    both = pooled([outcome_of([0.9], [True], 2), outcome_of([0.8], [False], 1)])
    assert len(both.ship_scores) == 3
    assert both.area_km2 == 100.0


def test_platt_scaling_recovers_the_odds() -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 2, 4000)
    hits = rng.random(4000) < 1 / (1 + np.exp(-(0.7 * margins - 1)))
    scale, bias = platt(margins, hits)
    assert scale == pytest.approx(0.7, abs=0.08)
    assert bias == pytest.approx(-1.0, abs=0.12)
