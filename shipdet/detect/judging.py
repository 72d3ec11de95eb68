"""The score of a candidate: a logistic regression on both answers of the network."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from shipdet.geometry import Floats
from shipdet.models.config import Judge

#: What a candidate is judged by: logit of its center; log odds of hull and of water in its box;
#: the window's margin around it; logarithm of its length in network pixels.
FEATURES = ("center", "hull", "water", "window", "log_length")

_NEVER = 1e-3  # keeps the log odds of a share of 0 or 1 finite


def features_of(
    centers: Floats, shares: Floats, windows: npt.NDArray[np.floating], lengths: Floats
) -> Floats:
    """The features (n, 5) of candidates.

    Args:
        centers: (n,) logits.
        shares: (n, 2) mean probabilities of hull and water in the box.
        windows: (n,) margins, logit of ship minus no ship.
        lengths: (n,) network pixels.
    """
    odds = logit(np.clip(shares, _NEVER, 1 - _NEVER))
    return np.column_stack([centers, odds, windows, np.log(lengths)])


def score_of(judge: Judge, features: Floats) -> Floats:
    """Calibrated scores (n,) of features (n, 5): sigmoid(bias + features . weights)."""
    return np.asarray(expit(judge.bias + features @ np.array(judge.weights)))
