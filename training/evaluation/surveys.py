"""Run a model on labeled images and match its candidates with the labeled ships.

The network runs once per image. Stored candidates can be rescored and matched without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import shapely
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
    """Candidates of an image.

    Attributes:
        image: The labeled image.
        boxes: (n, 5) x, y, length and width in meters from the top left corner, and the angle of
            the axis.
        features: (n, 9), see shipdet.models.config.FEATURES.
        scores: (n,) scores of the model's own judge.
        unknown: (n,) bool, True in regions where unlabeled ships are possible.
        area_km2: Covered area of the image.
    """

    image: LabeledImage
    boxes: Floats
    features: Floats
    scores: Floats
    unknown: NDArray[np.bool_]
    area_km2: float


def as_mosaic(image: LabeledImage) -> Mosaic:
    """Convert an image for the detector; large black or white areas are no data."""
    pixels = image.read()
    height, width = pixels.shape[:2]
    empty = ((pixels.min(axis=2) >= 250) | (pixels.max(axis=2) == 0)).astype(np.uint8)
    # Erosion keeps only large areas: ships and shadows contain such pixels too.
    empty = cv2.dilate(cv2.erode(empty, np.ones((25, 25), np.uint8)), np.ones((27, 27), np.uint8))
    return Mosaic(
        pixels,
        Grid(width, height, image.gsd_m[0], image.gsd_m[1]),
        empty == 0,
        Provenance("image", image.name),
    )


def surveyed(image: LabeledImage, classifier: Classifier, mosaic: Mosaic | None = None) -> Surveyed:
    """Run a model on a labeled image.

    Args:
        image: The labeled image.
        classifier: The model.
        mosaic: The image converted by `as_mosaic`, and possibly enlarged; None to convert it here.
    """
    mosaic = mosaic or as_mosaic(image)
    grid = mosaic.grid
    mosaic_gsd_m = np.array([grid.gsd_x_m, grid.gsd_y_m])
    result = finish(survey(mosaic, classifier, sensor_gsd_m=image.mean_gsd_m))
    view, found = result.view, result.candidates
    boxes = found.boxes.copy()
    boxes[:, :2] = view.to_mosaic(found.boxes[:, :2]) * mosaic_gsd_m
    boxes[:, 2:4] *= view.net_gsd_m
    area = float(mosaic.coverage.sum() * mosaic_gsd_m.prod() / 1e6)
    return Surveyed(image, boxes, found.features, found.scores, _unknown(image, boxes), area)


def _unknown(image: LabeledImage, boxes: Floats) -> NDArray[np.bool_]:
    """Return for each box (n, 5), in meters, whether its center is in an unknown region."""
    if not image.complete:
        return np.ones(len(boxes), np.bool_)
    x, y = (boxes[:, :2] / np.array(image.gsd_m)).T
    result = np.zeros(len(boxes), np.bool_)
    for polygon in image.unknown:
        result |= shapely.intersects_xy(shapely.Polygon(polygon), x, y)
    return result


def match(found: Surveyed, scores: Floats) -> Matched:
    """Match the candidates of an image, in descending order of ``scores`` (n,), with its ships."""
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
    """Write candidates to an .npz file."""
    np.savez_compressed(
        path,
        names=np.array([one.image.name for one in found]),
        counts=np.array([len(one.boxes) for one in found]),
        boxes=np.concatenate([one.boxes for one in found]),
        features=np.concatenate([one.features for one in found]),
        scores=np.concatenate([one.scores for one in found]),
        areas=np.array([one.area_km2 for one in found]),
    )


def load(path: Path, images: Iterable[LabeledImage]) -> list[Surveyed]:
    """Read candidates written by :func:`save`, with the current labels of their images.

    Images that are not in ``images`` are skipped.
    """
    by_name = {image.name: image for image in images}
    with np.load(path) as stored:
        ends = np.cumsum(stored["counts"])[:-1]
        rows = zip(
            stored["names"].tolist(),
            np.split(stored["boxes"], ends),
            np.split(stored["features"], ends),
            np.split(stored["scores"], ends),
            stored["areas"].tolist(),
            strict=True,
        )
        return [
            Surveyed(image, boxes, features, scores, _unknown(image, boxes), area)
            for name, boxes, features, scores, area in rows
            if (image := by_name.get(name)) is not None
        ]
