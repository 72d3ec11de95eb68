"""The score of a candidate: a logistic regression on what both answers say."""

import numpy as np
import pytest

from shipdet.detect.judging import FEATURES, features_of, score_of
from shipdet.models.config import Judge


def test_features_are_logits_log_odds_and_log_length():
    features = features_of(
        np.array([1.5, -2.0]),
        np.array([[0.5, 0.9], [0.2, 0.5]]),
        np.array([0.3, -4.0]),
        np.array([np.e, 50.0]),
    )
    assert features.shape == (2, len(FEATURES))
    assert features[0] == pytest.approx([1.5, 0.0, np.log(9), 0.3, 1.0])
    assert features[1] == pytest.approx([-2.0, np.log(0.25), 0.0, -4.0, np.log(50)])


def test_a_share_of_nothing_or_all_stays_finite():
    features = features_of(np.zeros(2), np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2), np.ones(2))
    assert np.isfinite(features).all()
    assert features[0, 1] == pytest.approx(-features[1, 1])


def test_a_score_is_the_sigmoid_of_the_weighted_sum():
    judge = Judge(weights=(1.0, 0.5, -0.25, 2.0, 0.1), bias=-0.7)
    features = np.array([[0.2, 1.0, -3.0, 0.4, 4.0], [0.0] * 5])
    expected = 1 / (1 + np.exp(-(features @ np.array(judge.weights) - 0.7)))
    assert score_of(judge, features) == pytest.approx(expected)
    assert score_of(judge, np.empty((0, 5))).shape == (0,)


def test_water_in_the_box_decides_where_the_judge_says_so():
    judge = Judge(weights=(1.0, 0.0, 1.0, 0.0, 0.0), bias=0.0)
    shares = np.array([[0.9, 0.99], [0.9, 0.01]])
    water, land = score_of(judge, features_of(np.ones(2), shares, np.zeros(2), np.full(2, 30.0)))
    assert water > 0.95 and land < 0.05
