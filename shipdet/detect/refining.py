"""A finer grid of positions around the peaks of a coarse one, so that neighbours separate.

A cell of the bundled classifier is 30 m: two ships side by side share a maximum, and a ship between
two positions scores on neither as it would on its own. Half a cell everywhere costs four times as
much; around peaks it costs little where there is little.
"""

import math
from collections.abc import Iterator

import numpy as np

from shipdet.detect.merging import peaks
from shipdet.detect.scoring import HALO_PX, ScoreMap, WindowScorer
from shipdet.detect.view import NetworkView
from shipdet.geometry import Floats
from shipdet.progress import Progress, Steps

FINER = 2  # positions of the finer grid per cell
TOGETHER = 4  # peaks whose surroundings are scored at once


def refine(
    view: NetworkView, classifier: WindowScorer, coarse: ScoreMap, floor: float
) -> Steps[ScoreMap]:
    """Scores at half the stride, known within a cell and a half of every peak of at least
    ``floor``: that far away a neighbour may hide behind it.

    Elsewhere every second position is known, from ``coarse``. Returns ``coarse`` itself when its
    stride is not the classifier's cell: somebody has chosen another one.
    """
    cell = classifier.cell_px
    if coarse.stride_px != cell or cell % FINER:
        return coarse
    step = cell // FINER
    shape = (view.height // step + 1, view.width // step + 1)
    fine = np.full(shape, np.nan, np.float32)
    known = fine[::FINER, ::FINER]
    known[...] = coarse.scores[: known.shape[0], : known.shape[1]]
    places = _cells(peaks(coarse, floor)[0], cell)
    for number, some in enumerate(_parts(places, TOGETHER)):
        yield Progress("measure", number * TOGETHER, len(places), "peaks", "looking closer")
        for shift_y in range(FINER):
            for shift_x in range(FINER):
                if shift_x or shift_y:
                    _score_shifted(view, classifier, some, (shift_x, shift_y), fine)
    return ScoreMap(fine, step, FINER)


def _cells(centers: Floats, cell: int) -> Floats:
    """The positions (n, 2) of the coarse grid that peaks were found at, each once."""
    return np.unique(np.rint(centers / cell), axis=0) * cell


def _parts(places: Floats, size: int) -> Iterator[Floats]:
    return (places[first : first + size] for first in range(0, len(places), size))


def _score_shifted(
    view: NetworkView,
    classifier: WindowScorer,
    places: Floats,
    shift: tuple[int, int],
    fine: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    """Score the positions that lie ``shift`` steps beyond the coarse ones around places (n, 2)."""
    cell = classifier.cell_px
    step = cell // FINER
    halo = math.ceil(HALO_PX / cell) + 2
    side = classifier.window_px + 2 * halo * cell
    corners = places + np.array(shift) * step - side / 2
    canvases = np.stack([view.cut(x, y, side, side)[0] for x, y in corners])
    scores = classifier.dense(canvases)
    rows, columns = fine.shape
    # Shifted by half a cell, positions lie half a cell and one and a half to either side.
    across = (-2, -1, 0, 1) if shift[0] else (-1, 0, 1)
    down = (-2, -1, 0, 1) if shift[1] else (-1, 0, 1)
    for place, found in zip(places, scores, strict=True):
        for dy in down:
            for dx in across:
                at = place + (np.array(shift) * step + np.array([dx, dy]) * cell)
                column, row = (np.rint(at / step)).astype(int)
                if 0 <= row < rows and 0 <= column < columns and view.covered([at])[0]:
                    fine[row, column] = found[halo + dy, halo + dx]
