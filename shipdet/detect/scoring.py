"""Scores of windows on a regular grid of positions, dense or one window at a time.

Both ways give a :class:`ScoreMap` with the same positions: a window centred on every
``stride_px``-th network pixel, beginning at the picture's corner.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from shipdet.detect.view import NetworkView
from shipdet.geometry import Floats
from shipdet.progress import Progress, Steps

Scoring = Literal["dense", "exact"]

CANVAS_PX = 1024  # side of a dense canvas, network pixels
#: Along a canvas's border, windows are scored by the neighbouring canvas as well and thrown away:
#: zero padding reaches them, which no window inside a larger picture sees.
HALO_PX = 64
BATCH = 32
NEAR_PX = 16  # how far from its place a ship may be shown by another picture of it


class WindowScorer(Protocol):
    """What scoring needs of a classifier; see ``shipdet.models``."""

    @property
    def window_px(self) -> int:
        """Side of a window in network pixels."""

    @property
    def cell_px(self) -> int:
        """Stride of a dense pass in network pixels."""

    def scores(self, windows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Scores (n,) of uint8 windows (n, window_px, window_px, 3)."""

    def dense(self, canvases: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Scores (n, rows, columns) at a stride of a cell of canvases, uint8 (n, h, w, 3)."""


@dataclass(frozen=True)
class ScoreMap:
    """Scores float32 (rows, columns), NaN where nothing was scored; positions in network px."""

    scores: npt.NDArray[np.float32]
    stride_px: int

    def position(self, row: float, column: float) -> tuple[float, float]:
        """Centre of the window at a (fractional) row and column: x, y in network pixels."""
        return column * self.stride_px, row * self.stride_px


def scoring_for(stride_px: int, cell_px: int, wanted: Scoring) -> Scoring:
    """Dense scoring needs a stride that divides a cell; any other is scored window by window."""
    return wanted if cell_px % stride_px == 0 else "exact"


def score(
    view: NetworkView, classifier: WindowScorer, stride_px: int, scoring: Scoring
) -> Steps[ScoreMap]:
    """Score the whole view; yields at every canvas or batch of windows."""
    rows, columns = view.height // stride_px + 1, view.width // stride_px + 1
    scores = np.full((rows, columns), np.nan, np.float32)
    if scoring_for(stride_px, classifier.cell_px, scoring) == "dense":
        yield from _dense(view, classifier, stride_px, scores)
    else:
        yield from _exact(view, classifier, stride_px, scores)
    return ScoreMap(scores, stride_px)


def _dense(
    view: NetworkView,
    classifier: WindowScorer,
    stride_px: int,
    scores: npt.NDArray[np.float32],
) -> Steps[None]:
    half, cell = classifier.window_px // 2, classifier.cell_px
    every = cell // stride_px  # a finer stride is several shifted passes
    halo = HALO_PX // cell
    most = (CANVAS_PX - classifier.window_px) // cell + 1 - 2 * halo
    pieces = []
    for shift_y in range(every):
        for shift_x in range(every):
            part = scores[shift_y::every, shift_x::every]
            pieces += [
                (shift_y, shift_x, ys, xs)
                for ys in _spans(part.shape[0], most)
                for xs in _spans(part.shape[1], most)
            ]
    yield Progress("detect", 0, len(pieces), "canvases")
    for number, (shift_y, shift_x, ys, xs) in enumerate(pieces, start=1):
        part = scores[shift_y::every, shift_x::every]  # a view: writing it writes scores
        top, left = ys.start - halo, xs.start - halo
        high = ys.stop - ys.start + 2 * halo
        wide = xs.stop - xs.start + 2 * halo
        corner_x = left * cell + shift_x * stride_px - half
        corner_y = top * cell + shift_y * stride_px - half
        canvas_height = (high - 1) * cell + classifier.window_px
        yield from view.wait(corner_y, canvas_height)
        canvas, mask = view.cut(
            corner_x, corner_y, (wide - 1) * cell + classifier.window_px, canvas_height
        )
        if mask.any():
            result = classifier.dense(canvas[None])[0]
            inner = slice(halo, -halo)
            grid_y, grid_x = np.mgrid[ys, xs]
            centers = np.stack([grid_x.ravel(), grid_y.ravel()], axis=-1) * cell
            covered = view.covered(centers + np.array([shift_x, shift_y]) * stride_px)
            part[ys, xs] = np.where(covered.reshape(grid_x.shape), result[inner, inner], np.nan)
        yield Progress("detect", number, len(pieces), "canvases")


def _spans(count: int, most: int) -> list[slice]:
    """Positions 0..count divided into equal spans of at most so many."""
    parts = math.ceil(count / most)
    edges = [round(count * part / parts) for part in range(parts + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _exact(
    view: NetworkView,
    classifier: WindowScorer,
    stride_px: int,
    scores: npt.NDArray[np.float32],
) -> Steps[None]:
    rows, columns = scores.shape
    total = rows * columns
    yield Progress("detect", 0, total, "windows")
    for first in range(0, total, BATCH):
        index = np.arange(first, min(first + BATCH, total))
        centers = np.stack([index % columns, index // columns], axis=-1) * float(stride_px)
        yield from view.wait(centers[-1, 1] - classifier.window_px / 2, classifier.window_px)
        scores.flat[index] = score_windows(view, classifier, centers)
        yield Progress("detect", int(index[-1]) + 1, total, "windows")


def score_near(
    view: NetworkView, classifier: WindowScorer, center: Floats, scoring: Scoring
) -> float:
    """The best score within ``NEAR_PX`` of a network pixel (2,); 0 where there is no data."""
    x, y = center.tolist()
    if scoring == "exact":
        offsets = (-NEAR_PX, 0, NEAR_PX)
        around = np.array([(x + dx, y + dy) for dy in offsets for dx in offsets])
        return float(np.nan_to_num(score_windows(view, classifier, around), nan=0.0).max())
    if not view.covered([[x, y]]).any():
        return 0.0
    cell, beside = classifier.cell_px, math.ceil(NEAR_PX / classifier.cell_px)
    halo = HALO_PX // cell + beside
    side = classifier.window_px + 2 * halo * cell
    scores = classifier.dense(view.cut(x - side / 2, y - side / 2, side, side)[0][None])[0]
    middle = slice(halo - beside, halo + beside + 1)
    return float(scores[middle, middle].max())


def score_windows(
    view: NetworkView, classifier: WindowScorer, centers: Floats
) -> npt.NDArray[np.float32]:
    """Scores (n,) of windows centred on network pixels (n, 2); NaN where the centre has no data."""
    result = np.full(len(centers), np.nan, np.float32)
    kept = np.flatnonzero(view.covered(centers))
    size = classifier.window_px
    for first in range(0, len(kept), BATCH):
        some = kept[first : first + BATCH]
        windows = np.stack(
            [view.cut(x - size / 2, y - size / 2, size, size)[0] for x, y in centers[some]]
        )
        result[some] = classifier.scores(windows)
    return result
