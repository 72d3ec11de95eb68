"""Measure a model on whole scenes with the project's own detector.

    python -m training.evaluate --model weights/shipdet-pico --out runs/evaluation

writes metrics.json and the plots to --out, and with --publish beside the weights as well (all but
the page of misses and false alarms, which holds pixels of the data). A scene that a fold of the
model has not seen is scored by that fold (training.folds).
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from shipdet.detect.scoring import WindowScorer, score, score_windows
from shipdet.detect.view import NetworkView
from shipdet.detections import Detections
from shipdet.progress import finish
from training.chips import ChipSet, chips_in, splits
from training.cut_windows import accuracy, score_cuts
from training.datasets import Scene, load_set
from training.folds import Judges
from training.metrics import Outcome, at_threshold, best_threshold, curve, pooled
from training.plots import errors_page, plot_precision_recall, plot_reliability
from training.scenes import Search, as_mosaic, judge
from training.splits import SPLITS
from training.windows import NET_GSD_M

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

    def report(self, threshold: float) -> dict[str, Any]:
        """Figures and the time the search took."""
        return {**figures(self.outcome, threshold), "seconds": round(self.seconds, 1)}


def named_scenes(names: list[str]) -> list[Scene]:
    """Scenes by "set/file"."""
    sets = {name.split("/")[0] for name in names}
    known = {s.name: s for one in sets for s in load_set(one)}
    return [known[name] for name in names]


def search_scene(scene: Scene, classifier: WindowScorer, how: Search) -> Searched:
    """Search a scene and match the result."""
    began = time.monotonic()
    found = how.run(scene, classifier)
    seconds = time.monotonic() - began
    log.info("%s: %d peaks, %.0f s", scene.name, len(found), seconds)
    return Searched(scene, found, judge(scene, found, how.coarser), seconds)


def figures(outcome: Outcome, threshold: float) -> dict[str, Any]:
    """At the given threshold and at the best one, and average precision."""
    points = curve(outcome)
    best = best_threshold(outcome, 0.0)
    return {
        "average_precision": points.average_precision,
        "at_threshold": at_threshold(outcome, threshold),
        "at_best_f1": at_threshold(outcome, best),
    }


def agreement(scene: Scene, classifier: WindowScorer, reach: int = 12) -> dict[str, float]:
    """Dense against exact scores, `reach` positions around the scene's first ship."""
    view = NetworkView(as_mosaic(scene), NET_GSD_M)
    cell = classifier.cell_px
    dense = finish(score(view, classifier, cell, "dense")).scores
    x, y = (view.from_mosaic(scene.ships[0].centre)[0] // cell).astype(int)
    rows = np.arange(max(0, y - reach), min(dense.shape[0], y + reach))
    columns = np.arange(max(0, x - reach), min(dense.shape[1], x + reach))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    exact = score_windows(view, classifier, grid * float(cell))
    near = dense[grid[:, 1], grid[:, 0]]
    return {
        "windows": len(exact),
        "correlation": float(np.corrcoef(near, exact)[0, 1]),
        "mean_difference": float(np.abs(near - exact).mean()),
    }


def chip_accuracy(folder: Path, classifier: WindowScorer, threshold: float) -> dict[str, float]:
    """Share of the test parts of a chip folder that the model classifies rightly."""
    chips = chips_in(folder)
    pictures = ChipSet(chips, classifier.window_px, augment=False, seed=0)
    scores = np.concatenate(
        [
            classifier.scores(pictures[i][0].permute(1, 2, 0).numpy()[None])
            for i in range(len(chips))
        ]
    )
    right = (scores >= threshold) == np.array([chip.label == 1 for chip in chips])
    result = {"all": float(right.mean())}
    for name, parts in splits(chips, SPLITS).items():
        test = np.array([parts[chip.path.name] == "test" for chip in chips])
        result[name] = float(right[test].mean())
    return result


def write_report(folder: Path, report: dict[str, Any], raw: list[Searched]) -> None:
    """metrics.json and the plots."""
    (folder / "metrics.json").write_text(json.dumps(rounded(report), indent=2) + "\n")
    curves = {one.scene.name: curve(one.outcome) for one in raw}
    plot_precision_recall(curves, folder / "precision_recall.png")
    plot_reliability(pooled([one.outcome for one in raw]), folder / "reliability.png")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--scenes", nargs="*", default=[*SCENES, *MOSAICS])
    parser.add_argument("--scoring", choices=("dense", "exact"), help="the model's own")
    parser.add_argument("--stride", type=int, default=0, help="network pixels (0: one cell)")
    parser.add_argument("--views", type=int, choices=(1, 2, 8), help="the model's own")
    parser.add_argument("--land", action="store_true", help="search the ship-free land as well")
    parser.add_argument(
        "--coarser", nargs="*", type=float, default=[], help="for example 1.67 3.33"
    )
    parser.add_argument("--sharpen", action="store_true", help="search x4 copies as well")
    parser.add_argument("--agreement", action="store_true", help="compare dense and exact scores")
    parser.add_argument(
        "--windows", action="store_true", help="windows cut from the scenes like shipsnet's chips"
    )
    parser.add_argument("--chips", type=Path, help="a folder of shipsnet chips")
    parser.add_argument("--publish", action="store_true", help="write beside the weights too")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments.out.mkdir(parents=True, exist_ok=True)
    judges = Judges(arguments.model)
    classifier = judges.classifier()
    block = json.loads((arguments.model / "config.json").read_text())["shipdet"]
    threshold = float(block["threshold"])
    chosen = classifier.config.shipdet
    how = Search(
        arguments.scoring or chosen.scoring, arguments.stride, arguments.views or chosen.views
    )

    scenes = named_scenes(arguments.scenes)

    def searched(how: Search) -> list[Searched]:
        return [search_scene(scene, judges.classifier(scene.name), how) for scene in scenes]

    raw = searched(how)
    results: dict[str, Any] = {one.scene.name: {"raw": one.report(threshold)} for one in raw}
    for one in raw:
        page = errors_page(one.scene, one.found, threshold)
        name = f"errors_{one.scene.name.replace('/', '_')}.png"
        cv2.imwrite(str(arguments.out / name), page[..., ::-1])
    for factor in arguments.coarser:
        for one in searched(replace(how, coarser=factor)):
            results[one.scene.name][f"raw, {factor:g} times coarser"] = one.report(threshold)
    if arguments.sharpen:
        for one in searched(replace(how, sharpen=True)):
            results[one.scene.name]["x4"] = one.report(threshold)
    report: dict[str, Any] = {
        "sha256": block["sha256"],
        "threshold": threshold,
        "scoring": how.scoring,
        "stride_px": how.stride_px or classifier.cell_px,
        "views": how.views,
        "held_out": {name: judges.classifier(name).config.shipdet.sha256 for name in results},
        "scenes": results,
        "all_scenes": figures(pooled([one.outcome for one in raw]), threshold),
    }
    if arguments.land:
        land = [search_scene(scene, classifier, how) for scene in load_set(LAND)]
        report["land"] = {one.scene.name: at_threshold(one.outcome, threshold) for one in land}
    if arguments.agreement:
        report["dense_against_exact"] = agreement(scenes[0], judges.classifier(scenes[0].name))
    if arguments.windows:
        cuts = [score_cuts(scene, judges.classifier(scene.name)) for scene in scenes]
        report["windows_like_chips"] = accuracy(cuts)
    if arguments.chips:
        report["chips"] = chip_accuracy(arguments.chips, classifier, threshold)

    for folder in [arguments.out] + ([arguments.model] if arguments.publish else []):
        write_report(folder, report, raw)
    print(json.dumps(rounded(report["all_scenes"]), indent=2))


def rounded(value: Any) -> Any:
    """Floats to four digits, all the way down."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
