"""From a score map to ships: peaks, refined between grid positions, merged by distance."""

import cv2
import numpy as np
import numpy.typing as npt

from shipdet.detect.scoring import ScoreMap
from shipdet.geometry import Floats

#: Two centres nearer than this share of the window are one ship. The classifier is trained to
#: answer "ship" within 12 % of the window of a ship's centre, so one ship lights up a disc of
#: 24 % and the next peak outside it belongs to another.
MERGE_SHARE = 0.2


def peaks(score_map: ScoreMap, floor: float) -> tuple[Floats, npt.NDArray[np.float32]]:
    """Local maxima of at least ``floor``: network pixels (n, 2) and scores (n,), best first.

    A maximum is moved to the centre of gravity of the scores around it, because a ship between
    two positions scores on both.
    """
    scores = np.nan_to_num(score_map.scores, nan=0.0)
    highest = cv2.dilate(scores, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((scores >= highest) & (scores >= floor) & (scores > 0))
    values = scores[rows, columns]
    padded = np.pad(scores, 1)
    centers = np.empty((len(rows), 2))
    for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
        around = padded[row : row + 3, column : column + 3].astype(np.float64)
        # Squared, so that a faint slope on one side does not pull the centre away.
        weights = around**2
        offsets = np.arange(-1, 2)
        total = weights.sum()
        y = row + (weights.sum(axis=1) @ offsets) / total
        x = column + (weights.sum(axis=0) @ offsets) / total
        centers[number] = score_map.position(y, x)
    order = np.argsort(-values, kind="stable")
    return centers[order], values[order]


def merge(
    centers_m: Floats, scores: npt.NDArray[np.float32], radius_m: float
) -> npt.NDArray[np.int_]:
    """Non-maximum suppression by centre distance: indices kept, best score first.

    ``centers_m`` (n, 2) are ground metres. A centre within ``radius_m`` of a kept better one is
    the same ship.
    """
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if kept:
            gaps = np.hypot(*(centers_m[kept] - centers_m[index]).T)
            if gaps.min() < radius_m:
                continue
        kept.append(int(index))
    return np.array(kept, dtype=int)
