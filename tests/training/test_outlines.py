"""Fitting the weights of outlines: boxes there and back, overlaps, and a fit that learns."""

import numpy as np
import pytest

from shipdet.detect.measuring import MEASURE_GSD_M
from shipdet.detect.outlines import WEIGHTS, Outline, describe
from shipdet.detect.view import NetworkView
from shipdet.geometry import rectangle
from tests.helpers.painted import paint_ship, picture_mosaic, sea
from training.outlines import Labelled, corners_of, fit, labelled, overlap, sample, true_outline

AT = (300.0, 310.0)


@pytest.fixture
def ship() -> Labelled:
    """A ship of 150 m by 24 m, 40 degrees from north, at sea."""
    pixels = sea(300, 300)
    paint_ship(pixels, 2.0, AT, 150, 24, 40)
    view = NetworkView(picture_mosaic(pixels, 2.0), MEASURE_GSD_M)
    middle = (AT[0] / MEASURE_GSD_M, AT[1] / MEASURE_GSD_M)
    box = rectangle(middle, 150 / MEASURE_GSD_M, 24 / MEASURE_GSD_M, 40)
    return labelled(view, box, np.random.default_rng(1))


def test_a_labelled_box_is_a_candidate_and_a_candidate_a_box(ship: Labelled) -> None:
    truth = true_outline(ship)
    assert truth.axis_deg == pytest.approx(40, abs=0.5)
    assert (truth.length_m, truth.width_m) == pytest.approx((150, 24), rel=0.02)
    assert overlap(corners_of(ship.around, truth), ship.corners) > 0.99


def test_overlap_is_shared_area_over_joint_area() -> None:
    first = rectangle((50, 50), 40, 20, 0)
    assert overlap(first, first) == pytest.approx(1)
    assert overlap(first, rectangle((60, 50), 40, 20, 0)) == pytest.approx(1 / 3)
    assert overlap(first, rectangle((90, 50), 40, 20, 0)) == 0


def test_a_round_learns_to_choose_the_labelled_box(ship: Labelled) -> None:
    wrong = -np.array(WEIGHTS)
    before = sample(wrong, ship)
    assert before.overlap < 0.5
    learnt = fit([[before]], wrong)
    values = before.features @ learnt
    assert before.overlaps[np.argmax(values)] > 0.7


def test_the_truth_looks_better_than_a_box_beside_it(ship: Labelled) -> None:
    truth = true_outline(ship)
    right = [truth.across_m, truth.along_m, truth.length_m, truth.width_m]
    beside = [truth.across_m + 40, truth.along_m, truth.length_m, truth.width_m]
    values = describe(ship.around, truth.axis_deg, np.array([right, beside])) @ np.array(WEIGHTS)
    assert values[0] > values[1] + 1


def test_an_outline_is_moved_along_its_own_axes() -> None:
    assert Outline(90, 0, -10, 50, 10, 0).offset_m() == pytest.approx((10, 0))
    assert Outline(0, 7, -10, 50, 10, 0).offset_m() == pytest.approx((7, -10))
