"""Plot an evaluation, and make contact sheets of the worst false alarms and misses.

    python -m training.evaluation.plots --evaluation runs/evaluation
    python -m training.evaluation.plots --evaluation runs/evaluation --publish weights/shipdet-pico
    python -m training.evaluation.plots --logs runs/train/all --publish weights/shipdet-pico

The plots (precision and recall by sensor, reliability of the scores, training loss) are written to
the model folder. Contact sheets show pixels of the data, so they are written only to the folder of
the evaluation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from export.ship_rule import SHORTEST_M
from training.data.labeled import Floats, LabeledImage, Picture, everything
from training.evaluation.evaluate import LAND, SHIPS, SHORE, evaluated, of_source
from training.evaluation.figures import Pool, average_precision, curve
from training.evaluation.surveys import Surveyed, match

#: Sets with ships, grouped by kind of imagery.
SENSORS = {
    "PlanetScope, 3 m": ("planet-ports", "planet-scenes"),
    "aerial look, 0.4–2.2 m": (
        "naval-harbours", "ge-ports", "google-earth", "river-barges", "harbours",
    ),
    "map mosaics": ("mosaics",),
    "Sentinel-2, 10 m": ("sentinel2-ports", "s2-anchorages"),
}  # fmt: skip
WORST = 60
TILES_ACROSS = 10
TILE_PX = 160
#: Ground shown by a tile; tiles of long ships show more.
TILE_M = 240.0

RED, YELLOW, GREEN = (255, 60, 60), (255, 220, 0), (80, 230, 80)


@dataclass(frozen=True)
class Place:
    """A false alarm or miss.

    Attributes:
        image: The labeled image.
        box: (5,) x, y, length and width in meters from the top left corner, and the angle.
        badness: Severity; the largest is the worst.
        note: Caption of a few characters.
    """

    image: LabeledImage
    box: Floats
    badness: float
    note: str


def plot_precision_recall(pools: dict[str, Pool], threshold: float, path: Path) -> None:
    """Plot one precision-recall curve per sensor, with a dot at the threshold."""
    figure, axes = plt.subplots(figsize=(5, 4))
    for name, pooled in pools.items():
        scores, precision, recall = curve(pooled)
        if not len(scores) or not len(pooled.ship_lengths):
            continue
        label = f"{name} (AP {np.floor(100 * average_precision(pooled)) / 100:.2f})"
        (line,) = axes.step(recall, precision, where="post", label=label)
        kept = int((scores >= threshold).sum())
        if kept:
            axes.plot(recall[kept - 1], precision[kept - 1], "o", color=line.get_color())
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="lower left", fontsize=8)
    save(figure, path)


def reliability(pooled: Pool, bins: int = 8) -> Floats:
    """Return mean score, fraction of ships and number of candidates per non-empty bin, (k, 3)."""
    counted = pooled.state >= 0
    scores, hits = pooled.scores[counted], pooled.state[counted] == 1
    index = np.clip((scores * bins).astype(int), 0, bins - 1)
    rows = [
        (scores[index == i].mean(), hits[index == i].mean(), (index == i).sum())
        for i in range(bins)
        if (index == i).any()
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def plot_reliability(pooled: Pool, path: Path) -> None:
    """Plot the fraction of candidates that are ships against their score."""
    figure, axes = plt.subplots(figsize=(4, 4))
    axes.plot([0, 1], [0, 1], "k:", linewidth=1)
    rows = reliability(pooled)
    axes.plot(rows[:, 0], rows[:, 1], "o-")
    for score, share, count in rows:
        axes.annotate(str(int(count)), (score, share), fontsize=7)
    axes.set(xlabel="score", ylabel="fraction that are ships", xlim=(0, 1), ylim=(0, 1.02))
    save(figure, path)


def plot_training(logs: dict[str, NDArray[np.void]], path: Path) -> None:
    """Plot the loss of every stage over time.

    Args:
        logs: By stage, the log as read by ``numpy.genfromtxt(names=True)``.
        path: Image file to write.
    """
    figure, axes = plt.subplots(figsize=(6, 3.5))
    start = 0.0
    for name, table in logs.items():
        minutes = np.atleast_1d(table["minutes"])
        axes.plot(start + minutes, np.atleast_1d(table["loss"]), "o-", markersize=3, label=name)
        start += float(minutes[-1])
    axes.set(xlabel="minutes", ylabel="loss (not comparable between stages)")
    axes.legend(fontsize=8)
    save(figure, path)


def save(figure: plt.Figure, path: Path) -> None:
    """Write a figure and close it."""
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def false_alarms(found: list[Surveyed], scores: list[Floats], threshold: float) -> list[Place]:
    """Return the false alarms in descending order of score."""
    places = []
    for one, given in zip(found, scores, strict=True):
        counted = np.where(one.boxes[:, 2] >= SHORTEST_M, given, 0.0)
        state = match(one, counted).state
        for index in np.flatnonzero((state == 0) & (counted >= threshold)):
            note = f"{given[index]:.2f} {one.image.source}"
            places.append(Place(one.image, one.boxes[index], float(given[index]), note))
    return sorted(places, key=lambda place: -place.badness)


def misses(found: list[Surveyed], scores: list[Floats], threshold: float) -> list[Place]:
    """Return the missed ships in descending order of length."""
    places = []
    for one, given in zip(found, scores, strict=True):
        counted = np.where(one.boxes[:, 2] >= SHORTEST_M, given, 0.0)
        result = match(one, counted)
        seen = set(result.ship[(result.ship >= 0) & (counted >= threshold)].tolist())
        gsd = np.array(one.image.gsd_m)
        for number in np.flatnonzero(result.required):
            if number in seen:
                continue
            ship, length = one.image.ships[number], float(result.lengths[number])
            corners = ship.corners * gsd
            along, across = corners[1] - corners[0], corners[2] - corners[1]
            box = np.array(
                [*corners.mean(axis=0), np.hypot(*along), np.hypot(*across),
                 np.arctan2(along[1], along[0])]
            )  # fmt: skip
            places.append(Place(one.image, box, length, f"{length:.0f}m {one.image.source}"))
    return sorted(places, key=lambda place: -place.badness)


def contact_sheet(places: Sequence[Place], color: tuple[int, int, int]) -> Picture:
    """Draw the first places, at most :data:`WORST`, each at the center of a tile."""
    kept = places[:WORST]
    pictures: dict[str, Picture] = {}
    tiles = []
    for place in kept:
        if place.image.name not in pictures:
            pictures = {place.image.name: place.image.read()}  # only one: images are large
        tiles.append(_tile(place, pictures[place.image.name], color))
    blank = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    tiles += [blank] * (-len(tiles) % TILES_ACROSS or (0 if tiles else TILES_ACROSS))
    rows = range(0, len(tiles), TILES_ACROSS)
    return np.vstack([np.hstack(tiles[row : row + TILES_ACROSS]) for row in rows])


def _tile(place: Place, picture: Picture, color: tuple[int, int, int]) -> Picture:
    scale = TILE_PX / max(TILE_M, 1.6 * float(place.box[2]))  # tile's pixels per meter
    gsd = np.array(place.image.gsd_m)
    linear = np.diag(gsd * scale)
    matrix = np.column_stack([linear, TILE_PX / 2 - place.box[:2] * scale])
    how = cv2.INTER_AREA if scale * gsd.min() < 1 else cv2.INTER_CUBIC
    tile = np.asarray(cv2.warpAffine(picture, matrix, (TILE_PX, TILE_PX), flags=how), np.uint8)
    for ship in place.image.ships:
        _outline(tile, (ship.corners @ linear.T + matrix[:, 2]), GREEN)
    box = place.box
    middle = ((TILE_PX / 2, TILE_PX / 2), (box[2] * scale, box[3] * scale), np.degrees(box[4]))
    _outline(tile, cv2.boxPoints(middle), color)
    cv2.putText(tile, place.note[:24], (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 255))
    return tile


def _outline(tile: Picture, corners: Floats, color: tuple[int, int, int]) -> None:
    cv2.polylines(tile, [np.round(corners).astype(np.int32)], True, color, 1, cv2.LINE_AA)


def write_sheet(path: Path, picture: Picture) -> None:
    """Write a contact sheet as JPEG."""
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--evaluation", type=Path, help="output folder of training.evaluation.evaluate"
    )
    parser.add_argument(
        "--logs", nargs="+", type=Path, help="folders with log.csv, in order of training"
    )
    parser.add_argument("--publish", type=Path, help="model folder to write the plots to")
    arguments = parser.parse_args()
    if arguments.logs:
        read = {
            f.name: np.genfromtxt(f / "log.csv", delimiter=",", names=True) for f in arguments.logs
        }
        plot_training(read, (arguments.publish or arguments.logs[-1]) / "training_curves.png")
    if arguments.evaluation is None:
        return
    folder: Path = arguments.evaluation
    images = everything()
    found, scores = evaluated(folder, images)
    if not found:
        parser.error(f"{folder} has no candidates_*.npz: run training.evaluation.evaluate first")
    threshold = float(json.loads((folder / "metrics.json").read_text())["threshold"])
    pools = {name: of_source(found, scores, *sets) for name, sets in SENSORS.items()}
    plots = arguments.publish or folder
    plot_precision_recall(pools, threshold, plots / "precision_recall.png")
    plot_reliability(of_source(found, scores, *SHIPS, *LAND, *SHORE), plots / "reliability.png")
    write_sheet(
        folder / "false_alarms.jpg", contact_sheet(false_alarms(found, scores, threshold), YELLOW)
    )
    write_sheet(folder / "misses.jpg", contact_sheet(misses(found, scores, threshold), RED))


if __name__ == "__main__":
    main()
