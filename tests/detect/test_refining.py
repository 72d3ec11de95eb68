"""A finer grid around peaks: the same scores as everywhere finer, and neighbours apart."""

import numpy as np
import pytest

from shipdet.detect.merging import peaks
from shipdet.detect.refining import refine
from shipdet.detect.scoring import score
from shipdet.detect.view import NetworkView
from shipdet.progress import finish
from tests.painted import NET_GSD_M, BrightnessClassifier, paint_ship, picture_mosaic, sea

FLOOR = 0.3
SHARP = BrightnessClassifier(reach_px=8)  # answers only near a ship's middle


def painted(*places: tuple[float, float], size: int = 900) -> NetworkView:
    """Boats of 40 m at places in metres."""
    pixels = sea(size, size)
    for place in places:
        paint_ship(pixels, NET_GSD_M, place, 40, 22, 0)
    return NetworkView(picture_mosaic(pixels, NET_GSD_M), NET_GSD_M)


def test_around_peaks_scores_are_those_of_half_the_stride_everywhere() -> None:
    view = painted((300, 400), (620, 333), (955, 10))
    coarse = finish(score(view, SHARP, 32, "dense"))
    whole = finish(score(view, SHARP, 16, "dense"))
    fine = finish(refine(view, SHARP, coarse, FLOOR))
    assert (fine.stride_px, fine.scores.shape) == (16, whole.scores.shape)
    known = np.isfinite(fine.scores)
    np.testing.assert_allclose(fine.scores[known], whole.scores[known], atol=1e-6)
    added = known.sum() - np.isfinite(coarse.scores).sum()
    found = len(peaks(coarse, FLOOR)[0])
    assert found >= 2
    assert 16 * found <= added <= 40 * found, "forty places around each peak, fewer at an edge"


def test_without_a_peak_nothing_is_scored_again() -> None:
    view = painted()
    classifier = BrightnessClassifier(reach_px=8)
    coarse = finish(score(view, classifier, 32, "dense"))
    seen = len(classifier.canvases_seen)
    fine = finish(refine(view, classifier, coarse, FLOOR))
    assert len(classifier.canvases_seen) == seen
    assert len(peaks(fine, FLOOR)[0]) == 0


@pytest.mark.parametrize("shift", [0.0, 8.0, 16.0, 24.0])
def test_two_boats_that_share_a_coarse_peak_are_two(shift: float) -> None:
    apart = 1.7 * 32 * NET_GSD_M  # less than two cells
    view = painted((300 + shift, 400), (300 + shift + apart, 400))
    coarse = finish(score(view, SHARP, 32, "dense"))
    fine = finish(refine(view, SHARP, coarse, 0.05))
    places = np.sort(peaks(fine, FLOOR)[0][:, 0] * NET_GSD_M)
    assert len(places) == 2
    np.testing.assert_allclose(places, (300 + shift, 300 + shift + apart), atol=16)


def test_a_stride_of_ones_own_is_left_as_it_is() -> None:
    view = painted((300, 400))
    coarse = finish(score(view, SHARP, 16, "dense"))
    assert finish(refine(view, SHARP, coarse, FLOOR)) is coarse


def test_places_without_data_stay_unknown() -> None:
    pixels = sea(900, 900)
    paint_ship(pixels, NET_GSD_M, (400, 400), 40, 22, 0)
    covered = np.ones((900, 900), np.bool_)
    covered[:, 380:] = False
    view = NetworkView(picture_mosaic(pixels, NET_GSD_M, covered), NET_GSD_M)
    coarse = finish(score(view, SHARP, 32, "dense"))
    fine = finish(refine(view, SHARP, coarse, FLOOR))
    assert not np.isfinite(fine.scores[:, 25:]).any()
