"""Evaluate models on held-out places; fit the judge, choose the threshold, compute the figures.

    python -m training.evaluation.evaluate --out runs/evaluation \
        --fold 0=training/folds/shipdet-pico/0
    python -m training.evaluation.evaluate --out runs/evaluation \
        --fold 0=training/folds/shipdet-pico/0 --publish weights/shipdet-pico

Each fold's model searches the images that it was trained on, on whose candidates the judge is
fitted (only those of at most 5 m per pixel), and the images that its training held out, which give
the figures. The candidates are stored in ``--out`` and reused. Only the threshold is chosen on the
held-out images.
"""

from __future__ import annotations

import argparse
import json
import math
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from shipdet.detect.judging import score_of
from shipdet.models import load_classifier
from shipdet.models.config import Judge
from training.data.folds import held_out, seen_by
from training.data.labeled import Floats, LabeledImage, everything
from training.evaluation.figures import Pool, best_threshold, figures, pool
from training.evaluation.judge import examples, fit
from training.evaluation.surveys import Surveyed, load, match, save, surveyed

#: Sets with ships, and their titles in the card.
SHIPS = {
    "planet-ports": "PlanetScope ports, 3 m",
    "planet-scenes": "PlanetScope harbors, 3 m",
    "naval-harbours": "naval bases, 1 m",
    "ge-ports": "Google Earth ports, 0.8–1.4 m",
    "mosaics": "Esri zoom 15 and Sentinel-2 mosaics",
    "google-earth": "Google Earth, 0.4 m",
    "sentinel2-ports": "Sentinel-2 ports, 10 m (60 m and more)",
    "s2-anchorages": "Sentinel-2 anchorages, 10 m (60 m and more)",
    "river-barges": "rivers and marinas, 0.5–2.2 m",
    "harbours": "harbors, 0.5–2 m",
}
#: Sets without ships.
LAND = ("aid", "resisc", "eurosat", "planet-land")
SHORE = ("aquaculture", "planet-corsica", "water-bodies", "dubai-landcover", "planet-clouds")
#: Least precision at the stored threshold, over all sets with ships. Whole areas hold more ground
#: without ships than these images, so the threshold with the highest F1 would give them too many
#: false alarms.
LEAST_PRECISION = 0.92
#: Most images that are evaluated from a set without ships; there are thousands of similar ones.
MOST = 150
#: Sets with at most this many images are not subsampled.
FEW = 12
#: Coarsest images, in meters per pixel, on which the judge is fitted. If those of 10 m are added,
#: F1 over all sets is lower (docs/experiments.md).
JUDGE_GSD_M = 5.0


def chosen(images: Iterable[LabeledImage], every: int = 1) -> list[LabeledImage]:
    """Return the images to evaluate: those of sets with ships, and a fixed sample of the others.

    Args:
        images: Held-out images.
        every: Keep only every nth image of a set with more than :data:`FEW` images.
    """
    kept: list[LabeledImage] = []
    pools: dict[str, list[LabeledImage]] = {}
    for image in images:
        if image.source in SHIPS and image.scaled:
            kept.append(image)
        elif image.source in (*LAND, *SHORE) and not image.ships and image.complete:
            pools.setdefault(image.source, []).append(image)
    for some in pools.values():
        kept += sorted(some, key=lambda image: zlib.crc32(image.name.encode()))[:MOST]
    sets: dict[str, list[LabeledImage]] = {}
    for image in kept:
        sets.setdefault(image.source, []).append(image)
    return [
        image for some in sets.values() for image in (some if len(some) <= FEW else some[::every])
    ]


def gathered(kept: Path, model: Path, images: list[LabeledImage]) -> list[Surveyed]:
    """Return the candidates of a model on images; they are computed once and stored in ``kept``."""
    if kept.exists():
        return load(kept, images)
    classifier = load_classifier(str(model))
    found = [surveyed(image, classifier) for image in tqdm(images, desc=kept.stem, mininterval=10)]
    save(found, kept)
    return found


def scored(found: list[Surveyed], judge: Judge) -> list[Floats]:
    """Score the candidates of each image."""
    return [score_of(judge, one.features) for one in found]


def evaluated(folder: Path, images: list[LabeledImage]) -> tuple[list[Surveyed], list[Floats]]:
    """Return the stored candidates of all folds' held-out images, and their scores.

    Args:
        folder: The output of an evaluation.
        images: All labeled images.
    """
    found: list[Surveyed] = []
    scores: list[Floats] = []
    for kept in sorted(folder.glob("candidates_*.npz")):
        fold = kept.stem.removeprefix("candidates_")
        some = load(kept, images)
        found += some
        scores += scored(some, fit(*examples(load(folder / f"seen_{fold}.npz", images))))
    return found, scores


def of_source(found: list[Surveyed], scores: list[Floats], *sources: str) -> Pool:
    """Pool the detections of the given sets."""
    which = [n for n, one in enumerate(found) if one.image.source in sources]
    return pool([found[n] for n in which], [scores[n] for n in which])


def craft(found: list[Surveyed], scores: list[Floats], threshold: float) -> tuple[int, int]:
    """Count the craft of 10-25 m that were found, and those of them measured under 25 m."""
    seen = short = 0
    for one, given in zip(found, scores, strict=True):
        result = match(one, given)
        for index in np.flatnonzero((result.ship >= 0) & (given >= threshold)):
            length = result.lengths[result.ship[index]]
            if one.image.scaled and 10 <= length < 25:
                seen += 1
                short += int(one.boxes[index, 2] < 25)
    return seen, short


def report(found: list[Surveyed], scores: list[Floats], threshold: float) -> dict[str, Any]:
    """Compute all figures at a threshold: by set, for all sets with ships, for land and shore."""
    sources = sorted({one.image.source for one in found})
    result: dict[str, Any] = {"threshold": threshold, "sets": {}}
    for source in sources:
        result["sets"][source] = figures(of_source(found, scores, source), threshold)
    result["all"] = figures(of_source(found, scores, *SHIPS), threshold)
    result["land"] = figures(of_source(found, scores, *LAND), threshold)
    result["shore"] = figures(of_source(found, scores, *SHORE), threshold)
    seen, short = craft(found, scores, threshold)
    result["craft"] = {"found": seen, "under_25m": short}
    return result


def cut(value: float | None, digits: int = 3) -> str:
    """Format a figure, truncated instead of rounded; a dash if it is None."""
    if value is None:
        return "–"
    # The epsilon keeps values such as 0.29, whose binary form is slightly below, from dropping.
    return f"{math.floor(value * 10**digits + 1e-9) / 10**digits:.{digits}f}"


def table(result: dict[str, Any]) -> str:
    """Format the figures as a Markdown table."""
    lines = [
        "| set | ships | precision | recall | F1 | AP | recall > 100 m | length error "
        "| boxes IoU ≥ 0.5 | false per 100 km² |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows = [(SHIPS.get(name, name), value) for name, value in result["sets"].items()]
    rows += [(name, result[name]) for name in ("all", "land", "shore")]
    for name, value in rows:
        cells = [
            cut(value[key])
            for key in ("precision", "recall", "f1", "ap", "recall_100m", "length_error", "iou_50")
        ]
        if not value["ships"]:
            cells = ["–"] * 7
        lines.append(
            f"| {name} | {value['ships']} | "
            + " | ".join(cells)
            + f" | {cut(value['false_per_100km2'], 1)} |"
        )
    found = result["craft"]
    lines.append(f"\nCraft of 10–25 m: {found['found']} found, {found['under_25m']} under 25 m.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--fold", action="append", required=True, help="N=FOLDER: the model of a fold"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--every", type=int, default=1, help="evaluate every nth image of large sets"
    )
    parser.add_argument("--publish", type=Path, help="model folder to write judge and threshold to")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    images, every, out = everything(), arguments.every, arguments.out
    seen: list[Surveyed] = []
    for given in arguments.fold:
        number, folder = given.split("=", 1)
        fold, model = int(number), Path(folder)
        gathered(out / f"candidates_{fold}.npz", model, chosen(held_out(images, fold), every))
        fine = [image for image in seen_by(images, fold) if image.mean_gsd_m <= JUDGE_GSD_M]
        seen += gathered(out / f"seen_{fold}.npz", model, chosen(fine, every))
    found, scores = evaluated(out, images)
    threshold = best_threshold(of_source(found, scores, *SHIPS), LEAST_PRECISION)
    result = report(found, scores, threshold)
    print(table(result))
    (out / "metrics.json").write_text(json.dumps(result, indent=1) + "\n")
    judge = fit(*examples(seen))
    print("judge:", judge.model_dump())
    if arguments.publish:
        publish(arguments.publish, judge, threshold, result)


def publish(folder: Path, judge: Judge, threshold: float, result: dict[str, Any]) -> None:
    """Write judge, threshold and figures to a model folder."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["shipdet"]["threshold"] = round(threshold, 3)
    config["shipdet"]["map"]["judge"] = judge.model_dump()
    file.write_text(json.dumps(config, indent=2) + "\n")
    (folder / "metrics.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
