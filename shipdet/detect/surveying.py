"""A picture scored once: what could be a ship in it, and how well it supports one."""

from dataclasses import dataclass

import numpy as np

from shipdet.detect.merging import peaks
from shipdet.detect.scoring import NEAR_PX, ScoreMap, Scoring, WindowScorer, score
from shipdet.detect.view import NetworkView
from shipdet.geometry import Floats
from shipdet.mosaic import Picture
from shipdet.progress import Steps


@dataclass(frozen=True)
class Survey:
    """The scores of a picture, and the view of it that they are of."""

    view: NetworkView
    score_map: ScoreMap

    def candidates(self, floor: float) -> Floats:
        """Centres of what scores at least ``floor``: pixels of the picture (n, 2), best first."""
        centers, _ = peaks(self.score_map, floor)
        return self.view.to_mosaic(centers)

    def best_near(self, center: Floats) -> float:
        """The best score within ``NEAR_PX`` of a network pixel (2,); 0 where nothing was scored."""
        stride = self.score_map.stride_px
        reach = max(NEAR_PX, stride / 2)  # a coarse grid has the nearest position at least
        first = np.ceil((center - reach) / stride).astype(int).clip(0)
        last = np.floor((center + reach) / stride).astype(int)
        around = self.score_map.scores[first[1] : last[1] + 1, first[0] : last[0] + 1]
        return float(np.nan_to_num(around, nan=0.0).max(initial=0.0))


def survey(
    picture: Picture,
    classifier: WindowScorer,
    *,
    window_m: float,
    stride_px: int = 0,
    scoring: Scoring = "dense",
) -> Steps[Survey]:
    """Score a whole picture; arguments as :func:`shipdet.detect.detect`."""
    view = NetworkView(picture, window_m / classifier.window_px)
    score_map = yield from score(view, classifier, stride_px or classifier.cell_px, scoring)
    return Survey(view, score_map)
