"""Several views of each place: a classifier asked about mirrored and turned copies as well.

Test-time augmentation: a ship is one from every side, and what a small network says of one side
is noisy. The mean log odds of the views is as calibrated as one view's and ranks better.
"""

import numpy as np
import numpy.typing as npt

from shipdet.detect.scoring import WindowScorer
from shipdet.models.config import Views

_NEVER = 1e-6  # keeps the log odds of a score of 0 or 1 finite


def with_views(classifier: WindowScorer, views: Views) -> WindowScorer:
    """The classifier itself (1), or one that averages over the mirror image (2), or over all
    turns by quarters of a circle and their mirror images (8); as many times slower. Of one that
    averages already, other views instead."""
    if isinstance(classifier, _Views):
        classifier = classifier.classifier
    return classifier if views == 1 else _Views(classifier, views)


def mean_score(*scores: float) -> float:
    """The mean of scores of one place, as log odds."""
    return float(_sigmoid(_log_odds(np.array(scores)).mean()))


class _Views:
    def __init__(self, classifier: WindowScorer, views: Views) -> None:
        self.classifier = classifier
        self._turns = range(4 if views == 8 else 1)

    @property
    def window_px(self) -> int:
        return self.classifier.window_px

    @property
    def cell_px(self) -> int:
        return self.classifier.cell_px

    def scores(self, windows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        odds = [_log_odds(self.classifier.scores(seen)) for *_, seen in self._seen(windows)]
        return _sigmoid(np.mean(odds, axis=0))

    def dense(self, canvases: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        odds = []
        for turns, mirrored, seen in self._seen(canvases):
            # Cells lie symmetrically on a canvas, so turning the map back puts them in place.
            back = np.rot90(_log_odds(self.classifier.dense(seen)), -turns, axes=(1, 2))
            odds.append(back[:, :, ::-1] if mirrored else back)
        return _sigmoid(np.mean(odds, axis=0))

    def _seen(
        self, pictures: npt.NDArray[np.uint8]
    ) -> list[tuple[int, bool, npt.NDArray[np.uint8]]]:
        """Copies of (n, h, w, 3) with the quarter turns and mirroring that made them."""
        return [
            (turns, mirrored, np.ascontiguousarray(np.rot90(copy, turns, axes=(1, 2))))
            for turns in self._turns
            for mirrored, copy in ((False, pictures), (True, pictures[:, :, ::-1]))
        ]


def _log_odds(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    kept = np.clip(scores.astype(np.float64), _NEVER, 1 - _NEVER)
    return np.asarray(np.log(kept / (1 - kept)))


def _sigmoid(odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)
