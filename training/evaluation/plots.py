"""Plots that go beside the weights (no pixels of the data) and crops that do not.

    python -m training.evaluation.plots --logs runs/train/backbone runs/train/dense \\
        --out weights/shipdet-pico/training_curves.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from shipdet.detections import Detections
from training.data.datasets import Picture, Scene
from training.metrics import Curve, Outcome, may_match


def plot_precision_recall(curves: dict[str, Curve], path: Path) -> None:
    """One line per scene or set of scenes."""
    figure, axes = plt.subplots(figsize=(5, 4))
    for name, points in curves.items():
        label = f"{name} (AP {points.average_precision:.2f})"
        axes.step(points.recall, points.precision, where="post", label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="lower left", fontsize=8)
    save(figure, path)


def plot_reliability(outcome: Outcome, path: Path, bins: int = 8) -> None:
    """Share of detections that are ships against their score."""
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.digitize(outcome.scores, edges) - 1, 0, bins - 1)
    used = [i for i in range(bins) if (index == i).any()]
    figure, axes = plt.subplots(figsize=(4, 4))
    axes.plot([0, 1], [0, 1], "k:", linewidth=1)
    axes.plot(
        [outcome.scores[index == i].mean() for i in used],
        [outcome.hits[index == i].mean() for i in used],
        "o-",
    )
    for i in used:
        centre = (outcome.scores[index == i].mean(), outcome.hits[index == i].mean())
        axes.annotate(str(int((index == i).sum())), centre, fontsize=7)
    axes.set(xlabel="score", ylabel="share that are ships", xlim=(0, 1), ylim=(0, 1.02))
    save(figure, path)


def plot_training(logs: dict[str, NDArray[np.void]], path: Path) -> None:
    """Loss of every stage over its minutes; `logs` as read by numpy.genfromtxt(names=True)."""
    figure, axes = plt.subplots(figsize=(6, 3.5))
    start = 0.0
    for name, table in logs.items():
        minutes = np.atleast_1d(table["minutes"])
        axes.plot(start + minutes, np.atleast_1d(table["loss"]), "o-", markersize=3, label=name)
        start += float(minutes[-1])
    axes.set(xlabel="minutes", ylabel="loss (each stage has its own)")
    axes.legend(fontsize=8)
    save(figure, path)


def save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def errors_page(scene: Scene, found: Detections, threshold: float, side_px: int = 80) -> Picture:
    """Crops of misses (red) and false alarms (yellow), most confident first, eight in a row."""
    picture = scene.read()
    gsd = scene.gsd_m or 1.0
    kept = [d for d in found if d.score >= threshold]
    points = [np.array([d.x, d.y]) for d in kept]
    misses = [
        ship.centre for ship in scene.ships if not any(may_match(ship, p, gsd) for p in points)
    ]
    false = [p for p in points if not any(may_match(ship, p, gsd) for ship in scene.ships)]
    tiles = []
    for colour, places in (((255, 0, 0), misses), ((255, 255, 0), false)):
        for place in places[:40]:
            patch = cv2.getRectSubPix(picture, (side_px, side_px), tuple(map(float, place)))
            patch = cv2.resize(patch, (160, 160), interpolation=cv2.INTER_CUBIC)
            tiles.append(cv2.rectangle(patch, (0, 0), (159, 159), colour, 3))
    tiles += [np.zeros((160, 160, 3), np.uint8)] * (-len(tiles) % 8 or (0 if tiles else 8))
    return np.vstack([np.hstack(tiles[i : i + 8]) for i in range(0, len(tiles), 8)])


def main() -> None:
    """Draw the curves of the stages whose folders are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--logs", nargs="+", type=Path, required=True, help="folders of log.csv")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    read = {f.name: np.genfromtxt(f / "log.csv", delimiter=",", names=True) for f in arguments.logs}
    plot_training(read, arguments.out)


if __name__ == "__main__":
    main()
