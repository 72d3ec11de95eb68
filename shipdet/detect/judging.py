"""The score of a candidate: a logistic regression on the outputs of the network."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from shipdet.geometry import Floats
from shipdet.models.config import FEATURES, Judge

_LEAST_SHARE = 1e-3  # keeps the logits of 0 and 1 finite


def features_of(
    centers: Floats, shares: Floats, windows: npt.NDArray[np.floating], boxes: Floats
) -> Floats:
    """Compute the features of candidates.

    Args:
        centers: (n,), logits.
        shares: (n, 5), from :func:`shipdet.detect.candidates.shares_in`.
        windows: (n,), margins: logit of ship minus logit of no ship.
        boxes: (n, 5), in network pixels.

    Returns:
        (n, 9), in the order of ``shipdet.models.config.FEATURES``.
    """
    odds = logit(np.clip(shares, _LEAST_SHARE, 1 - _LEAST_SHARE))
    size = np.log(boxes[:, 2:4])
    values = dict(
        zip(("hull", "water", "hull_around", "water_around", "water_near"), odds.T, strict=True),
        center=centers,
        window=windows,
        log_length=size[:, 0],
        log_width=size[:, 1],
    )
    return np.column_stack([values[name] for name in FEATURES])


def score_of(judge: Judge, features: Floats) -> Floats:
    """Compute the scores (n,) of features (n, 9): sigmoid(bias + features . weights)."""
    return np.asarray(expit(judge.bias + features @ np.array(judge.weights)))
