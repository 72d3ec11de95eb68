"""Dense and window-by-window scoring give one map; what has no data is never scored."""

import cv2
import numpy as np
import pytest

from shipdet.detect import scoring
from shipdet.detect.scoring import score, score_near, score_windows, scoring_for
from shipdet.detect.view import NetworkView
from shipdet.progress import finish
from tests.helpers.painted import BrightnessClassifier, paint_ship, picture_mosaic, sea


@pytest.fixture
def classifier():
    # Sensitive to every pixel of its square, so that a map that is shifted is another map.
    return BrightnessClassifier(reach_px=20, dark=0.0, bright=255.0)


def blotchy(width, height):
    rng = np.random.default_rng(5)
    field = cv2.GaussianBlur(rng.normal(0, 2500, (height, width, 3)), (0, 0), 9) + 128
    return np.clip(field, 0, 255).astype(np.uint8)


def scores_of(mosaic, classifier, stride, how):
    view = NetworkView(mosaic, 1.0)
    return finish(score(view, classifier, stride, how)).scores


@pytest.mark.parametrize("gsd", [0.7, 1.0, 1.6])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_dense_and_exact_give_the_same_map(classifier, stride, gsd):
    mosaic = picture_mosaic(blotchy(round(250 / gsd), round(180 / gsd)), gsd)
    dense = scores_of(mosaic, classifier, stride, "dense")
    assert classifier.canvases_seen and not classifier.windows_seen
    exact = scores_of(mosaic, classifier, stride, "exact")
    assert classifier.windows_seen == exact.size
    assert dense.shape == exact.shape and not np.isnan(exact).any()
    assert exact.std() > 0.05, "a flat map would agree with anything"
    np.testing.assert_allclose(dense, exact, atol=0.005)


@pytest.mark.parametrize("stride", [16, 32])
def test_several_canvases_give_the_map_of_one(classifier, stride, monkeypatch):
    mosaic = picture_mosaic(blotchy(700, 500), 1.0)
    one = scores_of(mosaic, classifier, stride, "dense")
    canvases = len(classifier.canvases_seen)
    monkeypatch.setattr(scoring, "CANVAS_PX", 480)
    many = scores_of(mosaic, classifier, stride, "dense")
    assert len(classifier.canvases_seen) > 5 * canvases
    np.testing.assert_array_equal(one, many)


def test_canvases_stay_within_their_size(classifier):
    scores_of(picture_mosaic(blotchy(2300, 900), 1.0), classifier, 32, "dense")
    assert len(classifier.canvases_seen) > 1
    assert max(max(size) for size in classifier.canvases_seen) <= 1024


def test_a_position_is_the_centre_of_its_window(classifier):
    pixels = np.zeros((400, 500, 3), np.uint8)
    pixels[160 - 20 : 160 + 20, 256 - 20 : 256 + 20] = 255
    view = NetworkView(picture_mosaic(pixels, 1.0), 1.0)
    for how in ("dense", "exact"):
        found = finish(score(view, classifier, 32, how))
        row, column = np.unravel_index(np.argmax(found.scores), found.scores.shape)
        assert found.position(row, column) == (256, 160)
        assert found.scores[row, column] == pytest.approx(0.99)


def test_the_map_begins_and_ends_at_the_pictures_edges(classifier):
    shape = scores_of(picture_mosaic(blotchy(320, 255), 1.0), classifier, 32, "dense").shape
    assert shape == (255 // 32 + 1, 320 // 32 + 1)


@pytest.mark.parametrize("how", ["dense", "exact"])
@pytest.mark.parametrize("gsd", [0.6, 1.0, 2.0])
def test_what_has_no_data_is_never_scored(classifier, how, gsd):
    pixels = blotchy(round(400 / gsd), round(320 / gsd))
    coverage = np.ones(pixels.shape[:2], np.bool_)
    coverage[:, round(200 / gsd) :] = False
    pixels[~coverage] = 0
    found = scores_of(picture_mosaic(pixels, gsd, coverage), classifier, 32, how)
    assert np.isnan(found[:, 7:]).all()
    assert not np.isnan(found[:, :6]).any()


def test_a_canvas_without_data_is_not_even_looked_at(classifier, monkeypatch):
    monkeypatch.setattr(scoring, "CANVAS_PX", 480)
    pixels = blotchy(1200, 300)
    coverage = np.zeros(pixels.shape[:2], np.bool_)
    coverage[:, :100] = True
    scores_of(picture_mosaic(pixels, 1.0, coverage), classifier, 32, "dense")
    seen = len(classifier.canvases_seen)
    scores_of(picture_mosaic(pixels, 1.0), classifier, 32, "dense")
    assert 0 < seen < (len(classifier.canvases_seen) - seen)


def test_a_gap_has_no_say_in_the_scores_beside_it(classifier):
    pixels = np.full((320, 400, 3), 100, np.uint8)
    coverage = np.ones(pixels.shape[:2], np.bool_)
    coverage[:, 200:] = False
    dark, light = pixels.copy(), pixels.copy()
    dark[:, 200:], light[:, 200:] = 0, 255
    one = scores_of(picture_mosaic(dark, 1.0, coverage), classifier, 32, "dense")
    other = scores_of(picture_mosaic(light, 1.0, coverage), classifier, 32, "dense")
    np.testing.assert_array_equal(one, other)
    assert np.nanstd(one) < 0.001


def test_single_windows_are_scored_where_asked(classifier):
    pixels = np.zeros((300, 300, 3), np.uint8)
    paint_ship(pixels, 1.0, (101, 77), 60, 60, 0)
    view = NetworkView(picture_mosaic(pixels, 1.0), 1.0)
    centers = np.array([[101.0, 77.0], [250.0, 250.0], [-3.0, 10.0]])
    at_ship, at_sea, outside = score_windows(view, classifier, centers)
    assert at_ship > 0.6 and at_sea == 0 and np.isnan(outside)


@pytest.mark.parametrize(
    ("stride", "cell", "wanted", "got"),
    [(8, 32, "dense", "dense"), (32, 32, "dense", "dense"), (32, 32, "exact", "exact")]
    + [(16, 16, "dense", "dense"), (32, 16, "dense", "exact")]
    + [(stride, 32, "dense", "exact") for stride in (56, 64, 96, 112, 192)],
)
def test_a_stride_that_divides_no_cell_is_scored_by_windows(stride, cell, wanted, got):
    assert scoring_for(stride, cell, wanted) == got


def test_a_coarse_stride_falls_back_to_windows(classifier):
    found = scores_of(picture_mosaic(sea(600, 400), 1.0), classifier, 112, "dense")
    assert found.shape == (4, 6)
    assert classifier.windows_seen == 24 and not classifier.canvases_seen


@pytest.mark.parametrize("how", ["dense", "exact"])
def test_cancelling_stops_before_the_next_piece(classifier, how, monkeypatch):
    monkeypatch.setattr(scoring, "CANVAS_PX", 480)
    view = NetworkView(picture_mosaic(blotchy(700, 500), 1.0), 1.0)
    steps = score(view, classifier, 32, how)
    events = [next(steps) for _ in range(3)]
    assert [e.stage for e in events] == ["detect"] * 3
    steps.close()
    assert len(classifier.canvases_seen) <= 2 and classifier.windows_seen <= 64
    assert events[-1].done < events[-1].total


@pytest.mark.parametrize("how", ["dense", "exact"])
def test_progress_counts_to_its_total(classifier, how):
    events = []
    view = NetworkView(picture_mosaic(blotchy(400, 300), 1.0), 1.0)
    finish(score(view, classifier, 16, how), events.append)
    done = [e.done for e in events]
    assert done == sorted(done) and done[0] == 0 and done[-1] == events[-1].total


@pytest.mark.parametrize("how", ["dense", "exact"])
def test_the_best_score_near_a_place_is_found_in_both_ways(classifier, how):
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[200 - 20 : 200 + 20, 150 - 20 : 150 + 20] = 255
    coverage = np.ones(pixels.shape[:2], np.bool_)
    coverage[:, 300:] = False
    view = NetworkView(picture_mosaic(pixels, 1.0, coverage), 1.0)
    assert score_near(view, classifier, np.array([150.0, 200.0]), how) == pytest.approx(
        0.99, abs=0.01
    )
    assert score_near(view, classifier, np.array([158.0, 194.0]), how) > 0.5
    assert score_near(view, classifier, np.array([60.0, 60.0]), how) < 0.05
    assert score_near(view, classifier, np.array([350.0, 200.0]), how) == 0.0
