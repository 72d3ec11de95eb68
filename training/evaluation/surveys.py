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

from shipdet.detect.surveying import Surveyor, survey
from shipdet.geometry import Grid
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from training.data.labeled import Floats, LabeledImage

#: A detection counts when its center lies in a ship's box grown by this many meters.
GROWN_M = 15.0
#: Shorter ships are not counted.
SHORTEST_M = 25.0
#: A labeled craft shorter than this that is measured as a ship is a false alarm; between the two,
#: it counts neither way.
CRAFT_M = 20.0


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


def surveyed(image: LabeledImage, classifier: Surveyor, mosaic: Mosaic | None = None) -> Surveyed:
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


@dataclass(frozen=True)
class Matched:
    """Detections against ships.

    Attributes:
        state: (n,) of the candidates: 1 a ship, 0 a false alarm, -1 counts neither way.
        ship: (n,) which labeled ship, -1 for none.
        required: (m,) bool, the ships that count.
        lengths: (m,) meters as labeled.
    """

    state: NDArray[np.int64]
    ship: NDArray[np.int64]
    required: NDArray[np.bool_]
    lengths: Floats


def match(found: Surveyed, scores: Floats) -> Matched:
    """Give every candidate, best first, the nearest free ship that it may be.

    Args:
        found: candidates of a picture.
        scores: (n,) by which they are ordered.
    """
    image = found.image
    gsd = np.array(image.gsd_m)
    shortest = max(SHORTEST_M, image.smallest_m if image.smallest_m > 30 else SHORTEST_M)
    lengths = np.array([image.length_m(ship) for ship in image.ships])
    required = lengths >= shortest if image.scaled else np.ones(len(lengths), np.bool_)
    polygons = [cv2.convexHull((ship.corners * gsd).astype(np.float32)) for ship in image.ships]
    state = np.full(len(scores), 0, np.int64)
    which = np.full(len(scores), -1, np.int64)
    taken: set[int] = set()
    for index in np.argsort(-scores, kind="stable"):
        x, y, length = found.boxes[index, :3]
        near = []
        for number, polygon in enumerate(polygons):
            inside = cv2.pointPolygonTest(polygon, (float(x), float(y)), True)
            if inside >= -GROWN_M:
                near.append((number in taken, not required[number], -inside, number))
        if near:
            used, _, _, number = min(near)
            if used:
                # A second detection of one ship is false, unless it lies where nobody looked.
                state[index] = -1 if found.unknown[index] else 0
                continue
            taken.add(number)
            which[index] = number
            if required[number]:
                state[index] = 1
            else:
                craft = image.scaled and lengths[number] < CRAFT_M and length >= SHORTEST_M
                state[index] = 0 if craft else -1
            continue
        if found.unknown[index] or length < shortest:
            state[index] = -1
    return Matched(state, which, required, lengths)


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
