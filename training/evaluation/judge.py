"""Fit the judge, a logistic regression on the features of candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from shipdet.models.config import Judge
from training.data.labeled import Floats
from training.evaluation.surveys import Surveyed, match

#: Strength of the L2 penalty on the weights of standardized features.
PENALTY = 1e-3
#: Candidates with a lower score of the model's own judge are left out of the fit: there are many,
#: and all are clearly not ships.
FLOOR = 0.02


def examples(found: list[Surveyed]) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Collect the candidates whose state is known, from all images.

    An example has the weight n ** -0.5, where n is the number of ships in its set (plus 20), so
    that large sets do not dominate.

    Returns:
        Features (n, 9), labels (n,) and weights (n,).
    """
    features, labels, weights = [], [], []
    sources = {one.image.source for one in found}
    ships = {
        source: 20 + sum(len(one.image.ships) for one in found if one.image.source == source)
        for source in sources
    }
    for one in found:
        state = match(one, one.features[:, 0]).state
        known = (state >= 0) & (one.scores >= FLOOR)
        features.append(one.features[known])
        labels.append(state[known])
        weights.append(np.full(int(known.sum()), ships[one.image.source] ** -0.5))
    return np.concatenate(features), np.concatenate(labels), np.concatenate(weights)


def fit(features: Floats, labels: NDArray[np.int64], weights: Floats) -> Judge:
    """Fit weights and bias by maximum likelihood with an L2 penalty.

    Args:
        features: (n, k).
        labels: (n,), 1 for a ship, 0 otherwise.
        weights: (n,) of the examples.

    Returns:
        The judge, for features in their original scale.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    normal = (features - mean) / deviation

    def loss(values: Floats) -> tuple[float, Floats]:
        margin = normal @ values[:-1] + values[-1]
        sign = 2.0 * labels - 1
        total = weights.sum()
        cost = -(weights * log_expit(sign * margin)).sum() / total
        error = weights * (expit(margin) - labels) / total
        gradient = np.append(error @ normal + 2 * PENALTY * values[:-1], error.sum())
        return cost + PENALTY * float(values[:-1] @ values[:-1]), gradient

    start = np.zeros(features.shape[1] + 1)
    best = minimize(loss, start, jac=True, method="L-BFGS-B").x
    scaled = best[:-1] / deviation
    return Judge(weights=tuple(scaled.tolist()), bias=float(best[-1] - scaled @ mean))
