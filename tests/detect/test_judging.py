"""The score of a candidate: a logistic regression on what both answers say."""

import numpy as np
import pytest
from pydantic import ValidationError

from shipdet.detect.judging import features_of, score_of
from shipdet.models.config import FEATURES, Judge


def boxes(*lengths_px):
    return np.array([[0.0, 0.0, length, length / 5, 0.0] for length in lengths_px])


def judge_of(bias=0.0, **weights):
    return Judge(weights=tuple(weights.get(name, 0.0) for name in FEATURES), bias=bias)


def test_features_are_logits_log_odds_and_log_sizes():
    shares = np.array([[0.5, 0.9, 0.2, 0.8, 0.9], [0.2, 0.5, 0.5, 0.5, 0.1]])
    features = features_of(np.array([1.5, -2.0]), shares, np.array([0.3, -4.0]), boxes(30, 50))
    named = dict(zip(FEATURES, features[0], strict=True))
    assert features.shape == (2, len(FEATURES))
    assert named["center"] == 1.5 and named["window"] == 0.3
    assert named["log_length"] == pytest.approx(np.log(30))
    assert named["log_width"] == pytest.approx(np.log(6))
    odds = [named[name] for name in ("hull", "water", "hull_around", "water_around", "water_near")]
    assert odds == pytest.approx([0.0, np.log(9), -np.log(4), np.log(4), np.log(9)])


def test_a_share_of_nothing_or_all_stays_finite():
    features = features_of(np.zeros(2), np.array([[0.0] * 5, [1.0] * 5]), np.zeros(2), boxes(9, 9))
    hull = FEATURES.index("hull")
    assert np.isfinite(features).all()
    assert features[0, hull] == pytest.approx(-features[1, hull])


def test_a_score_is_the_sigmoid_of_the_weighted_sum():
    judge = judge_of(bias=-0.7, center=1.0, hull=0.5, water=-0.25, window=2.0, log_length=0.1)
    features = np.array([[0.2, 1.0, -3.0, 0.4, 4.0, 1.0, 0.0, 0.0, 0.0], [0.0] * 9])
    expected = 1 / (1 + np.exp(-(features @ np.array(judge.weights) - 0.7)))
    assert score_of(judge, features) == pytest.approx(expected)
    assert score_of(judge, np.empty((0, 9))).shape == (0,)


def test_water_nearby_decides_where_the_judge_says_so():
    judge = judge_of(center=1.0, water_near=1.0)
    shares = np.array([[0.9, 0.5, 0.1, 0.5, 0.99], [0.9, 0.5, 0.1, 0.5, 0.01]])
    quay, land = score_of(judge, features_of(np.ones(2), shares, np.zeros(2), boxes(30, 30)))
    assert quay > 0.95 and land < 0.05


def test_a_judge_of_other_features_is_refused():
    with pytest.raises(ValidationError):
        Judge(weights=(1.0, 0.5), bias=0.0)
