"""Measure a model on whole scenes with the project's own detector.

    python -m training.evaluate --model weights/shipdet-atto --out runs/evaluation

writes metrics.json and the plots to --out, and with --publish beside the weights as well (all but
the page of misses and false alarms, which holds pixels of the data).
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from shipdet.detect.scoring import WindowScorer, score
from shipdet.detect.view import NetworkView
from shipdet.detections import Detections
from shipdet.models import load_classifier
from shipdet.progress import finish
from training.datasets import Scene, load_set
from training.metrics import Outcome, at_threshold, best_threshold, curve, pooled
from training.plots import errors_page, plot_precision_recall, plot_reliability
from training.scenes import as_mosaic, judge, search
from training.windows import NET_GSD_M, STRIDE_PX

FLOOR = 0.01
"""Lowest score that is looked at; the curves end there."""
SCENES = ("planet-scenes/scene_1.jpg", "planet-scenes/scene_2.jpg")
MOSAICS = ("mosaics/port_of_aglericas_spain_raw_esri.png",)
LAND = "planet-land"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Searched:
    """A scene, what was found on it and how that matches its labels."""

    scene: Scene
    found: Detections
    outcome: Outcome
    seconds: float


def named_scenes(names: list[str]) -> list[Scene]:
    """Scenes by "set/file"."""
    sets = {name.split("/")[0] for name in names}
    known = {s.name: s for one in sets for s in load_set(one)}
    return [known[name] for name in names]


def search_scene(
    scene: Scene, classifier: WindowScorer, coarser: float = 1.0, sharpen: bool = False
) -> Searched:
    """Search a scene densely and match the result."""
    began = time.monotonic()
    found = search(as_mosaic(scene, coarser), classifier, FLOOR, "dense", sharpen)
    seconds = time.monotonic() - began
    log.info("%s: %d peaks, %.0f s", scene.name, len(found), seconds)
    return Searched(scene, found, judge(scene, found, coarser), seconds)


def figures(outcome: Outcome, threshold: float) -> dict[str, Any]:
    """At the given threshold and at the best one, and average precision."""
    points = curve(outcome)
    best = best_threshold(outcome, 0.0)
    return {
        "average_precision": points.average_precision,
        "at_threshold": at_threshold(outcome, threshold),
        "at_best_f1": at_threshold(outcome, best),
    }


def agreement(scene: Scene, classifier: WindowScorer, side_px: int = 260) -> dict[str, float]:
    """Dense against exact scores in a square around the scene's first ship."""
    mosaic = as_mosaic(scene)
    view = NetworkView(mosaic, NET_GSD_M)
    x, y = (view.from_mosaic(scene.ships[0].centre)[0] // STRIDE_PX).astype(int)
    dense = finish(score(view, classifier, STRIDE_PX, "dense")).scores
    half = int(side_px * view.factors[0] / 2 / STRIDE_PX)
    rows = np.s_[max(0, y - half) : y + half, max(0, x - half) : x + half]
    positions = np.stack(np.mgrid[rows][::-1], axis=-1).reshape(-1, 2) * float(STRIDE_PX)
    side = classifier.window_px
    windows = [view.cut(a - side / 2, b - side / 2, side, side)[0] for a, b in positions]
    exact = classifier.scores(np.stack(windows))
    near = dense[rows].ravel()
    return {
        "windows": len(exact),
        "correlation": float(np.corrcoef(near, exact)[0, 1]),
        "mean_difference": float(np.abs(near - exact).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--scenes", nargs="*", default=[*SCENES, *MOSAICS])
    parser.add_argument("--land", action="store_true", help="search the ship-free land as well")
    parser.add_argument("--coarser", nargs="*", type=float, default=[], help="for example 1.67 3.3")
    parser.add_argument("--sharpen", action="store_true", help="search x4 copies as well")
    parser.add_argument("--agreement", action="store_true", help="compare dense and exact scores")
    parser.add_argument("--publish", action="store_true", help="write beside the weights too")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments.out.mkdir(parents=True, exist_ok=True)
    classifier = load_classifier(str(arguments.model))
    block = json.loads((arguments.model / "config.json").read_text())["shipdet"]
    threshold = float(block["threshold"])

    scenes = named_scenes(arguments.scenes)
    raw = [search_scene(scene, classifier) for scene in scenes]
    report: dict[str, Any] = {"sha256": block["sha256"], "threshold": threshold, "scenes": {}}
    for one in raw:
        report["scenes"][one.scene.name] = {
            "raw": figures(one.outcome, threshold), "seconds": round(one.seconds, 1),
        }  # fmt: skip
        page = errors_page(one.scene, one.found, threshold)
        name = one.scene.name.replace("/", "_")
        cv2.imwrite(str(arguments.out / f"errors_{name}.png"), page[..., ::-1])
    report["all_scenes"] = figures(pooled([one.outcome for one in raw]), threshold)
    if arguments.land:
        found = [search_scene(scene, classifier) for scene in load_set(LAND)]
        report["land"] = {one.scene.name: at_threshold(one.outcome, threshold) for one in found}
    for factor in arguments.coarser:
        for scene in scenes:
            key = f"raw_at_{(scene.gsd_m or 0) * factor:.0f}_m"
            one = search_scene(scene, classifier, factor)
            report["scenes"][scene.name][key] = figures(one.outcome, threshold)
    if arguments.sharpen:
        for scene in scenes:
            one = search_scene(scene, classifier, sharpen=True)
            report["scenes"][scene.name]["x4"] = figures(one.outcome, threshold)
    if arguments.agreement:
        report["dense_against_exact"] = agreement(scenes[0], classifier)

    folders = [arguments.out] + ([arguments.model] if arguments.publish else [])
    curves = {one.scene.name: curve(one.outcome) for one in raw}
    for folder in folders:
        (folder / "metrics.json").write_text(json.dumps(rounded(report), indent=2) + "\n")
        plot_precision_recall(curves, folder / "precision_recall.png")
        plot_reliability(pooled([one.outcome for one in raw]), folder / "reliability.png")
    print(json.dumps(rounded(report["all_scenes"]), indent=2))


def rounded(value: Any) -> Any:
    """Floats to four digits, all the way down."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
