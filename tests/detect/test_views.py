"""Averaging over mirrored and turned copies makes scores independent of how a ship lies."""

import numpy as np
import pytest

from shipdet.detect.views import mean_score, with_views


class Lopsided:
    """Scores by how much brighter a window's left half is than its upper half: of no symmetry."""

    window_px, cell_px = 64, 16

    def __init__(self):
        self.asked = 0

    def scores(self, windows):
        self.asked += len(windows)
        left = windows[:, :, :32].mean(axis=(1, 2, 3))
        upper = windows[:, :32].mean(axis=(1, 2, 3))
        return (1 / (1 + np.exp((upper - left) / 8 - windows.mean(axis=(1, 2, 3)) / 128))).astype(
            np.float32
        )

    def dense(self, canvases):
        count, height, width, _ = canvases.shape
        rows, columns = (height - 64) // 16 + 1, (width - 64) // 16 + 1
        windows = [
            canvas[16 * r : 16 * r + 64, 16 * c : 16 * c + 64]
            for canvas in canvases
            for r in range(rows)
            for c in range(columns)
        ]
        return self.scores(np.stack(windows)).reshape(count, rows, columns)


@pytest.fixture
def canvas():
    blocks = np.random.default_rng(3).integers(0, 256, (1, 8, 12, 3), dtype=np.uint8)
    return blocks.repeat(16, axis=1).repeat(16, axis=2)


def test_one_view_is_the_classifier_itself():
    classifier = Lopsided()
    assert with_views(classifier, 1) is classifier


def test_two_views_do_not_tell_a_picture_from_its_mirror_image(canvas):
    classifier = with_views(Lopsided(), 2)
    mirrored = classifier.dense(canvas[:, :, ::-1])[:, :, ::-1]
    np.testing.assert_allclose(classifier.dense(canvas), mirrored, atol=1e-6)
    plain = Lopsided()
    assert np.abs(plain.dense(canvas) - plain.dense(canvas[:, :, ::-1])[:, :, ::-1]).max() > 0.1


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_eight_views_turn_with_the_picture(canvas, turns):
    classifier = with_views(Lopsided(), 8)
    turned = classifier.dense(np.rot90(canvas, turns, axes=(1, 2)))
    back = np.rot90(turned, -turns, axes=(1, 2))
    np.testing.assert_allclose(classifier.dense(canvas), back, atol=1e-6)


@pytest.mark.parametrize("views", [2, 8])
def test_dense_and_plain_windows_agree_and_cost_as_many_views(canvas, views):
    one = Lopsided()
    classifier = with_views(one, views)
    assert (classifier.window_px, classifier.cell_px) == (64, 16)
    map_ = classifier.dense(canvas)
    assert one.asked == views * map_.size
    window = canvas[:, 32 : 32 + 64, 48 : 48 + 64]
    np.testing.assert_allclose(classifier.scores(window), map_[:, 2, 3], atol=1e-6)


def test_certain_scores_stay_numbers():
    class Certain(Lopsided):
        def scores(self, windows):
            return np.array([0.0, 1.0], np.float32)

    scores = with_views(Certain(), 2).scores(np.zeros((2, 64, 64, 3), np.uint8))
    np.testing.assert_allclose(scores, [0, 1], atol=1e-5)


def test_other_views_replace_those_that_are_averaged_already(canvas):
    classifier = Lopsided()
    once = with_views(classifier, 8).dense(canvas)
    asked = classifier.asked
    again = with_views(with_views(classifier, 2), 8).dense(canvas)
    np.testing.assert_array_equal(once, again)
    assert classifier.asked == 2 * asked
    assert with_views(with_views(classifier, 2), 1) is classifier


def test_the_mean_of_scores_is_that_of_their_log_odds():
    assert mean_score(0.5, 0.5) == pytest.approx(0.5)
    assert mean_score(0.9, 0.1) == pytest.approx(0.5)
    assert mean_score(0.9, 0.5) == pytest.approx(0.75)  # odds of 9 and 1: their root is 3
    assert 0.99 < mean_score(1.0, 0.9) < 1.0
