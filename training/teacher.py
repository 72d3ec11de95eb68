"""Measure a teacher on the labelled scenes, as the detector would see them with it.

    python -m training.teacher --weights training/weights/teacher.safetensors

A teacher learns from none of these scenes, so it needs no folds. Its scores are not calibrated.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.evaluate import MOSAICS, SCENES, figures, named_scenes, search_scene
from training.metrics import pooled
from training.models import ANSWER, CELL_PX, Teacher, load_teacher
from training.scenes import Search
from training.windows import WINDOW_PX

SIDES_PX = 32
"""Sides of what a teacher is asked must be multiples of this."""
FLOOR = 0.15
"""What scores less is not looked at: uncalibrated, water has a few per cent."""


class TeacherScorer:
    """A teacher behind the interface of a classifier (shipdet.detect.scoring.WindowScorer)."""

    window_px = WINDOW_PX
    cell_px = CELL_PX

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher

    @torch.inference_mode()
    def dense(self, canvases: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scores (n, rows, columns) at a stride of a cell of canvases, uint8 (n, h, w, 3)."""
        _, height, width, _ = canvases.shape
        below, right = -height % SIDES_PX, -width % SIDES_PX
        padded = np.pad(canvases, ((0, 0), (0, below), (0, right), (0, 0)), mode="reflect")
        pictures = torch.from_numpy(padded).permute(0, 3, 1, 2)
        margins = self.teacher.dense(self.teacher.maps(pictures)[ANSWER])
        first = WINDOW_PX // (2 * CELL_PX) - 1  # position 0 is a cell from the corner
        rows, columns = ((side - WINDOW_PX) // CELL_PX + 1 for side in (height, width))
        inner = margins[:, first : first + rows, first : first + columns]
        return np.asarray(torch.sigmoid(inner).numpy(), np.float32)

    def scores(self, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scores (n,) of uint8 windows (n, window_px, window_px, 3)."""
        return self.dense(windows)[:, 0, 0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--scenes", nargs="*", default=[*SCENES, *MOSAICS])
    parser.add_argument("--views", type=int, choices=(1, 2, 8), default=2)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    scorer = TeacherScorer(load_teacher(arguments.weights))
    how = Search(views=arguments.views, floor=FLOOR)
    scenes = named_scenes(arguments.scenes)
    outcomes = {scene.name: search_scene(scene, scorer, how).outcome for scene in scenes}
    for name, outcome in {**outcomes, "all": pooled(list(outcomes.values()))}.items():
        told = figures(outcome, FLOOR)
        best = told["at_best_f1"]
        print(
            f"{name}: average precision {told['average_precision']:.3f}, best F1 "
            f"{best['f1']:.3f} (precision {best['precision']:.3f}, recall {best['recall']:.3f})"
        )


if __name__ == "__main__":
    main()
