"""A labeling session: the proposals of a model for an image, and the labels made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shipdet.detect import detect
from shipdet.geometry import rectangle
from shipdet.models import Classifier
from shipdet.progress import finish
from training.data.labeled import LabeledImage, Picture
from training.evaluation.surveys import as_mosaic
from training.paths import LABELS

FLOOR = 0.15
"""Lowest score of a proposal. It is low because a false proposal costs only one click."""
AROUND_M = 360.0
"""Side of the ground shown around a proposal."""
CROP_PX = 720
"""Side of the crop in pixels."""

Corners = NDArray[np.float64]


@dataclass
class Labeling:
    """An image with its proposals and labels.

    Attributes:
        image: Path of the image below the data folder.
        picture: Pixels, uint8 (height, width, 3) RGB.
        gsd_m: Meters per pixel.
        proposals: Corners (4, 2) in image pixels, in descending order of score.
        at: Index of the current proposal; ``len(proposals)`` once all are decided.
        ships: Labeled ships, as in the label file.
        unknown: Unknown regions, as in the label file.
        kept: Other entries of an existing label file.
    """

    image: str
    picture: Picture
    gsd_m: float
    proposals: list[Corners]
    at: int = 0
    ships: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[list[list[float]]] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def current(self) -> Corners | None:
        """Corners of the current proposal; None once all are decided."""
        return self.proposals[self.at] if self.at < len(self.proposals) else None

    def accept(self, corners: Corners, kind: str = "ship") -> None:
        """Add a box as a ship and go to the next proposal."""
        sides = np.linalg.norm(np.diff(corners, axis=0, append=corners[:1]), axis=1)
        if sides[0] < sides[1]:
            corners, sides = np.roll(corners, -1, axis=0), np.roll(sides, -1)
        self.ships.append(
            {
                "polygon": np.round(corners, 1).tolist(),
                "length_m": round(float(sides[0]) * self.gsd_m, 1),
                "kind": kind,
            }
        )
        self._next()

    def refuse(self) -> None:
        """Reject the current proposal and go to the next."""
        self._next()

    def leave_open(self) -> None:
        """Add the current proposal as an unknown region and go to the next."""
        if self.current is not None:
            low, high = self.current.min(axis=0) - 4, self.current.max(axis=0) + 4
            (x0, y0), (x1, y1) = np.round(low, 1).tolist(), np.round(high, 1).tolist()
            self.unknown.append([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        self._next()

    def _next(self) -> None:
        self.at = min(self.at + 1, len(self.proposals))

    def crop(self, corners: Corners | None = None) -> tuple[Picture, Corners]:
        """Draw the surroundings of the current proposal, or the whole image once all are decided.

        Labeled ships are green, unknown regions gray, and ``corners`` or else the proposal yellow.

        Args:
            corners: A box to show instead of the current proposal.

        Returns:
            uint8 (720, 720, 3), and the matrix (2, 3) from image pixels to pixels of the crop.
        """
        box = self.current if corners is None else corners
        size = np.array(self.picture.shape[1::-1])
        scale, center = CROP_PX / size.max(), size / 2
        if self.current is not None:
            scale, center = CROP_PX * self.gsd_m / AROUND_M, self.current.mean(axis=0)
        matrix = np.column_stack([np.eye(2) * scale, CROP_PX / 2 - center * scale])
        how = cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_AREA
        view = cv2.warpAffine(
            self.picture, matrix, (CROP_PX, CROP_PX), flags=how, borderValue=(40,) * 3
        )

        def draw(polygon: Any, color: tuple[int, int, int]) -> None:
            points = np.round(np.asarray(polygon) @ matrix[:, :2].T + matrix[:, 2])
            cv2.polylines(view, [points.astype(np.int32)], True, color, 1, cv2.LINE_AA)

        for polygon in self.unknown:
            draw(polygon, (170, 170, 170))
        for ship in self.ships:
            draw(ship["polygon"], (80, 230, 80))
        if box is not None:
            draw(box, (255, 220, 0))
        return view, matrix

    def entry(self, complete: bool) -> dict[str, Any]:
        """Return the content of the label file; see training/labels/README.md."""
        height, width = self.picture.shape[:2]
        return {
            **self.kept,
            "image": self.image,
            "width": width,
            "height": height,
            "gsd_m": self.gsd_m,
            "complete": complete,
            "ships": self.ships,
            "unknown": self.unknown,
        }

    def save(self, complete: bool, folder: Path = LABELS) -> Path:
        """Write the labels and return the path of the file.

        Args:
            complete: Whether all ships outside the unknown regions are labeled.
            folder: Folder of the label files.
        """
        path = label_file(self.image, folder)
        path.write_text(json.dumps(self.entry(complete), indent=1) + "\n")
        return path


def label_file(image: str, folder: Path = LABELS) -> Path:
    """Return the path of the label file of an image."""
    return folder / f"{Path(image).with_suffix('').as_posix().replace('/', '_')}.json"


def begin(image: LabeledImage, classifier: Classifier, folder: Path = LABELS) -> Labeling:
    """Start a session with the detections of a model that are not labeled yet.

    Args:
        image: The image.
        classifier: The model.
        folder: Folder of the label files.

    Raises:
        ValueError: The pixels of the image are not square.
    """
    across, down = image.gsd_m
    if across != down:
        raise ValueError(f"{image.name} has pixels that are not square: {across:g} by {down:g} m")
    mosaic = as_mosaic(image)
    found = finish(detect(mosaic, classifier, floor=FLOOR)).detections
    file = label_file(image.name, folder)
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    ships, unknown = known.pop("ships", []), known.pop("unknown", [])
    polygons = [np.asarray(p, np.float32) for p in [*(s["polygon"] for s in ships), *unknown]]
    boxes = [np.asarray(ship.corners, np.float64) for ship in found]
    new = [box for box in boxes if not any(inside(box.mean(axis=0), p) for p in polygons)]
    return Labeling(image.name, mosaic.pixels, across, new, 0, ships, unknown, known)


def inside(point: Corners, polygon: NDArray[np.float32]) -> bool:
    """Return whether a point (2,) lies in a polygon (n, 2)."""
    return cv2.pointPolygonTest(polygon, (float(point[0]), float(point[1])), False) >= 0


def box_between(bow: Corners, stern: Corners, width_px: float) -> Corners:
    """Return the corners (4, 2) of the box from bow to stern, with the first edge along it."""
    along = bow - stern
    axis_deg = float(np.degrees(np.arctan2(along[0], -along[1]))) % 180.0
    middle = (bow + stern) / 2
    corners = rectangle(
        (float(middle[0]), float(middle[1])), float(np.hypot(*along)), width_px, axis_deg
    )
    return np.roll(corners, -1, axis=0)
