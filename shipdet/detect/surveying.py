"""A picture scored once: what could be a ship in it, and how well it supports one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shipdet.detect.merging import peaks
from shipdet.detect.scoring import NEAR_PX, ScoreMap, Scoring, WindowScorer, score
from shipdet.detect.view import NetworkView
from shipdet.geometry import Floats
from shipdet.mosaic import Picture
from shipdet.progress import Progress, Steps


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
    windows_m: Sequence[float],
    stride_px: int = 0,
    scoring: Scoring = "dense",
) -> Steps[list[Survey]]:
    """Score a whole picture with windows of each size (ground metres), as surveys in that order.

    Other arguments as :func:`shipdet.detect.detect`.
    """
    views = [NetworkView(picture, window_m / classifier.window_px) for window_m in windows_m]
    stride = stride_px or classifier.cell_px
    maps = yield from _together([score(view, classifier, stride, scoring) for view in views])
    return [Survey(view, score_map) for view, score_map in zip(views, maps, strict=True)]


def _together(scans: list[Steps[ScoreMap]]) -> Steps[list[ScoreMap]]:
    """Let scans of one picture go down it side by side, as one.

    The one whose next piece ends highest goes on. So none waits for rows that another could do
    without, and rows are read by all while they are at hand.
    """
    last: list[Progress] = [next(scan) for scan in scans]  # each tells how much there is to do
    results: dict[int, ScoreMap] = {}
    while True:
        done, total = sum(event.done for event in last), sum(event.total for event in last)
        yield replace(last[0], done=done, total=total)
        while (event := _advance(scans, last, results)) is not None and event.stage != "detect":
            yield event
        if event is None:
            return [results[number] for number in range(len(scans))]


def _advance(
    scans: list[Steps[ScoreMap]], last: list[Progress], results: dict[int, ScoreMap]
) -> Progress | None:
    """The next event of any scan; None when all have given their result."""
    while running := [number for number in range(len(scans)) if number not in results]:
        number = min(running, key=lambda n: (last[n].done + 1) / last[n].total)
        try:
            event = next(scans[number])
        except StopIteration as stop:
            results[number] = stop.value
            continue
        if event.stage == "detect":
            last[number] = event
        return event
    return None
