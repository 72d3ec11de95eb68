"""What a model sees in labeled pictures: candidates with their features, matched with the ships.

The network runs once for each picture; scores, thresholds and lengths can then be tried without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export import ship_rule
from export.ship_rule import SHORTEST_M, KnownShips, Matched
from shipdet.detect.surveying import survey
from shipdet.geometry import Grid
from shipdet.models import Classifier
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from training.data.labeled import Floats, LabeledImage


@dataclass(frozen=True)
class Surveyed:
    """Candidates of a picture, in meters from its top left corner.

    Attributes:
        image: the labeled picture.
        boxes: (n, 5) x, y, length, width in meters and the angle of the axis.
        features: (n, 9), see shipdet.models.config.FEATURES.
        scores: (n,) as the model's own judge gives them.
        unknown: (n,) bool, where the absence of a label says nothing.
        area_km2: of the picture.
    """

    image: LabeledImage
    boxes: Floats
    features: Floats
    scores: Floats
    unknown: NDArray[np.bool_]
    area_km2: float


def as_mosaic(image: LabeledImage) -> Mosaic:
    """A picture as the detector takes it; black and white borders of no data are uncovered."""
    pixels = image.read()
    height, width = pixels.shape[:2]
    empty = ((pixels.min(axis=2) >= 250) | (pixels.max(axis=2) == 0)).astype(np.uint8)
    # Only what is large: ships and shadows have such pixels too.
    empty = cv2.dilate(cv2.erode(empty, np.ones((25, 25), np.uint8)), np.ones((27, 27), np.uint8))
    return Mosaic(
        pixels,
        Grid(width, height, image.gsd_m[0], image.gsd_m[1]),
        empty == 0,
        Provenance("image", image.name),
    )


def surveyed(image: LabeledImage, classifier: Classifier, mosaic: Mosaic | None = None) -> Surveyed:
    """Run a model over a labeled picture."""
    mosaic = mosaic or as_mosaic(image)
    result = finish(survey(mosaic, classifier))
    view, found = result.view, result.candidates
    gsd = np.array(image.gsd_m)
    factor = np.array(
        [image_side / side for image_side, side in zip(_size(image), _view(view), strict=True)]
    )
    centers_px = found.boxes[:, :2] * factor
    boxes = found.boxes.copy()
    boxes[:, :2] = centers_px * gsd
    boxes[:, 2:4] *= view.net_gsd_m
    width, height = _size(image)
    unknown = np.zeros((height, width), np.uint8)
    if not image.complete:
        unknown[:] = 1
    for polygon in image.unknown:
        cv2.fillPoly(unknown, [np.round(polygon).astype(np.int32)], 1)
    columns = np.clip(centers_px[:, 0].astype(int), 0, width - 1)
    rows = np.clip(centers_px[:, 1].astype(int), 0, height - 1)
    area = float(mosaic.coverage.sum() * gsd[0] * gsd[1] / 1e6)
    return Surveyed(image, boxes, found.features, found.scores, unknown[rows, columns] > 0, area)


def _size(image: LabeledImage) -> tuple[int, int]:
    pixels = image.read()
    return pixels.shape[1], pixels.shape[0]


def _view(view: object) -> tuple[int, int]:
    return view.width, view.height  # type: ignore[attr-defined]


def match(found: Surveyed, scores: Floats) -> Matched:
    """Match the candidates of a picture, in the order of these scores (n,), with its ships."""
    image = found.image
    shortest = max(SHORTEST_M, image.smallest_m if image.smallest_m > 30 else SHORTEST_M)
    lengths = np.array([image.length_m(ship) for ship in image.ships])
    ships = KnownShips(
        outlines=[ship.corners * np.array(image.gsd_m) for ship in image.ships],
        lengths=lengths,
        required=lengths >= shortest if image.scaled else np.ones(len(lengths), np.bool_),
        shortest_m=shortest,
        scaled=image.scaled,
    )
    return ship_rule.match(found.boxes[:, :2], found.boxes[:, 2], scores, found.unknown, ships)


def save(found: list[Surveyed], path: Path) -> None:
    """Keep candidates in an .npz file, to be judged again without the network."""
    np.savez_compressed(
        path,
        names=np.array([one.image.name for one in found]),
        counts=np.array([len(one.boxes) for one in found]),
        boxes=np.concatenate([one.boxes for one in found]),
        features=np.concatenate([one.features for one in found]),
        scores=np.concatenate([one.scores for one in found]),
        unknown=np.concatenate([one.unknown for one in found]),
        areas=np.array([one.area_km2 for one in found]),
    )


def load(path: Path, images: Iterable[LabeledImage]) -> list[Surveyed]:
    """What :func:`save` wrote, with the labels of today."""
    by_name = {image.name: image for image in images}
    with np.load(path) as stored:
        ends = np.cumsum(stored["counts"])[:-1]
        rows = zip(
            stored["names"].tolist(),
            np.split(stored["boxes"], ends),
            np.split(stored["features"], ends),
            np.split(stored["scores"], ends),
            np.split(stored["unknown"], ends),
            stored["areas"].tolist(),
            strict=True,
        )
        return [
            Surveyed(by_name[name], boxes, features, scores, unknown, area)
            for name, boxes, features, scores, unknown, area in rows
            if name in by_name
        ]
