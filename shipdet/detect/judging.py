"""The score of a candidate: a logistic regression on the outputs of the network."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from shipdet.geometry import Floats
from shipdet.models.config import FEATURES, Judge

_NEVER = 1e-3  # bounds shares of 0 and 1, so that their logits are finite


def features_of(
    centers: Floats, shares: Floats, windows: npt.NDArray[np.floating], boxes: Floats
) -> Floats:
    """Compute the features of candidates.

    Args:
        centers: (n,), logits.
        shares: (n, 5), from :func:`shipdet.detect.candidates.shares_in`.
        windows: (n,), margins: logit of ship minus no ship.
        boxes: (n, 5), in network pixels.

    Returns:
        (n, 9), in the order of ``shipdet.models.config.FEATURES``.
    """
    odds = logit(np.clip(shares, _NEVER, 1 - _NEVER))
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
