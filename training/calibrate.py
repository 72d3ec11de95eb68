"""Make scores mean something: Platt scaling and the operating threshold, on unseen scenes.

    python -m training.calibrate --model weights/shipdet-pico

Rewrites `calibration`, `threshold` and `views` in config.json of the model and of its folds, which
score the scenes that they have not seen (training.folds). What is calibrated are detections
(peaks), not windows: a score of 0.8 says that four of five such detections are ships.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from shipdet.models.config import Calibration
from training.evaluate import MOSAICS, SCENES, named_scenes, search_scene
from training.folds import Judges
from training.metrics import Outcome, best_threshold, pooled
from training.scenes import Search

LEAST_PRECISION = 0.9
PRIOR_ALARMS = 1.0
"""Strength of the prior that keeps the scale finite when ships and false alarms separate."""


def logit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds, finite."""
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def platt(margins: NDArray[np.float64], hits: NDArray[np.bool_]) -> tuple[float, float]:
    """Scale and bias of the likeliest sigmoid, with Platt's (1999) smoothed targets."""
    ships, none = int(hits.sum()), int((~hits).sum())
    target = np.where(hits, (ships + PRIOR_ALARMS) / (ships + 2), PRIOR_ALARMS / (none + 2))

    def cost(values: NDArray[np.float64]) -> float:
        z = np.exp(values[0]) * margins + values[1]
        return float(np.sum(np.logaddexp(0, z) - target * z))

    found = minimize(cost, np.zeros(2), method="Nelder-Mead", options={"maxiter": 2000})
    return float(np.exp(found.x[0])), float(found.x[1])


def margins(scores: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """What a network said (logit of ship minus no ship), from its calibrated scores."""
    return (logit(scores) - calibration.bias) / calibration.scale


def calibrate(
    outcomes: Sequence[tuple[Outcome, Calibration]], least_precision: float = LEAST_PRECISION
) -> tuple[Calibration, float]:
    """Calibration and threshold from scenes' detections and the calibrations they came with."""
    outcome = pooled([one for one, _ in outcomes])
    said = np.concatenate([margins(one.scores, old) for one, old in outcomes])
    scale, bias = platt(said, outcome.hits)
    scores = 1 / (1 + np.exp(-(scale * said + bias)))
    threshold = best_threshold(replace(outcome, scores=scores), least_precision)
    new = Calibration(scale=round(scale, 4), bias=round(bias, 4))
    return new, round(float(np.clip(threshold, 0.02, 0.98)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--scoring", choices=("dense", "exact"), help="the model's own")
    parser.add_argument("--stride", type=int, default=0, help="network pixels (0: one cell)")
    parser.add_argument("--views", type=int, choices=(1, 2, 8), help="the model's own")
    parser.add_argument(
        "--least-precision", type=float, default=LEAST_PRECISION, help="of the threshold chosen"
    )
    parser.add_argument(
        "--floor",
        type=float,
        default=0.1,
        help="lowest score looked at; a new model gives even water some per cent",
    )
    parser.add_argument("--scenes", nargs="*", default=[*SCENES, *MOSAICS])
    arguments = parser.parse_args()
    judges = Judges(arguments.model)
    chosen = judges.classifier().config.shipdet
    how = Search(
        arguments.scoring or chosen.scoring,
        arguments.stride,
        arguments.views or chosen.views,
        floor=arguments.floor,
    )
    outcomes = []
    for scene in named_scenes(arguments.scenes):
        classifier = judges.classifier(scene.name)
        outcome = search_scene(scene, classifier, how).outcome
        outcomes.append((outcome, classifier.config.shipdet.calibration))
    calibration, threshold = calibrate(outcomes, arguments.least_precision)
    for folder in judges.folders():
        file = folder / "config.json"
        config = json.loads(file.read_text())
        config["shipdet"] |= {
            "calibration": calibration.model_dump(),
            "threshold": threshold,
            "views": how.views,
        }
        file.write_text(json.dumps(config, indent=2) + "\n")
    print(calibration, threshold)


if __name__ == "__main__":
    main()
