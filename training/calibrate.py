"""Make scores mean something: Platt scaling and the operating threshold, on unseen scenes.

    python -m training.calibrate --model weights/shipdet-atto --scenes planet-scenes/scene_1.jpg ...

Rewrites `calibration`, `threshold` and `views` in the model's config.json. What is calibrated are
detections (peaks), not windows: a score of 0.8 says that four of five such detections are ships.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from shipdet.models import load_classifier
from training.evaluate import SCENES, named_scenes, search_scene
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


def calibrate(
    outcome: Outcome, scale: float, bias: float, least_precision: float = LEAST_PRECISION
) -> tuple[float, float, float]:
    """New scale, bias and threshold from detections that were scored with the old ones."""
    margins = (logit(outcome.scores) - bias) / scale
    new_scale, new_bias = platt(margins, outcome.hits)
    scores = 1 / (1 + np.exp(-(new_scale * margins + new_bias)))
    threshold = best_threshold(replace(outcome, scores=scores), least_precision)
    return new_scale, new_bias, float(np.clip(threshold, 0.02, 0.98))


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
    parser.add_argument("--scenes", nargs="*", default=list(SCENES))
    arguments = parser.parse_args()
    classifier = load_classifier(str(arguments.model))
    file = arguments.model / "config.json"
    config = json.loads(file.read_text())
    old = config["shipdet"]["calibration"]
    chosen = classifier.config.shipdet
    how = Search(
        arguments.scoring or chosen.scoring, arguments.stride, arguments.views or chosen.views
    )
    found = [search_scene(scene, classifier, how) for scene in named_scenes(arguments.scenes)]
    outcome = pooled([one.outcome for one in found])
    scale, bias, threshold = calibrate(
        outcome, old["scale"], old["bias"], arguments.least_precision
    )
    config["shipdet"]["calibration"] = {"scale": round(scale, 4), "bias": round(bias, 4)}
    config["shipdet"]["threshold"] = round(threshold, 3)
    config["shipdet"]["views"] = how.views
    file.write_text(json.dumps(config, indent=2) + "\n")
    print(config["shipdet"]["calibration"], config["shipdet"]["threshold"])


if __name__ == "__main__":
    main()
