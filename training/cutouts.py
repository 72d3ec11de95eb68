"""Ships cut out of their images, to be pasted at any scale onto any water."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets import Scene

SMALLEST_PX = 24
"""Shortest diagonal of a box worth cutting out."""
WORKING_PX = 128
"""Side to which a crop is reduced for segmentation."""

FULLEST = 0.9
"""Most that a ship fills of an upright box around it; more is water that was taken for ship."""


@dataclass(frozen=True)
class Cutout:
    """A ship and its outline.

    Attributes:
        pixels: (h, w, 3) uint8 RGB crop.
        alpha: (h, w) float32, 1 on the ship, feathered at its edge.
        centre, length, width, angle: rotated box in crop pixels; the keel's angle in radians.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    centre: tuple[float, float]
    length: float
    width: float
    angle: float


def outline(
    crop: NDArray[np.uint8], box: NDArray[np.float64], fullest: float
) -> NDArray[np.uint8] | None:
    """Mask of the ship in `box` (4, 2), corners in pixels of a crop, by GrabCut.

    None when what was found makes no sense: too little of the box, or more than `fullest` of it.
    """
    scale = min(1.0, WORKING_PX / max(crop.shape[:2]))
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    corners = np.round(box * scale).astype(np.int32)
    mask = np.full(small.shape[:2], cv2.GC_BGD, dtype=np.uint8)
    cv2.fillPoly(mask, [corners], cv2.GC_PR_FGD)
    area = max(1, np.count_nonzero(mask == cv2.GC_PR_FGD))
    w, h = np.ptp(corners, axis=0) + 1
    try:
        cv2.grabCut(
            small, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK
        )
    except cv2.error:
        return None
    ship = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    ship = cv2.morphologyEx(ship, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(ship)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    spans = stats[best, cv2.CC_STAT_WIDTH] / w, stats[best, cv2.CC_STAT_HEIGHT] / h
    if min(spans) < 0.7 or not 0.1 < stats[best, cv2.CC_STAT_AREA] / area < fullest:
        return None
    size = (crop.shape[1], crop.shape[0])
    return cv2.resize((parts == best).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)


def cut_out(scenes: Iterable[Scene]) -> list[Cutout]:
    """Every ship that stands alone in its surroundings and has a believable outline."""
    found = []
    for scene in scenes:
        picture = scene.read()
        for index, ship in enumerate(scene.ships):
            if ship.extent_px < SMALLEST_PX:
                continue
            x0, y0 = ship.corners.min(axis=0).astype(int)
            x1, y1 = np.ceil(ship.corners.max(axis=0)).astype(int)
            margin = 4 + int(0.12 * ship.extent_px)
            left, top = max(0, x0 - margin), max(0, y0 - margin)
            right, bottom = x1 + margin, y1 + margin
            others = [s.centre for i, s in enumerate(scene.ships) if i != index]
            if any(left < x < right and top < y < bottom for x, y in others):
                continue
            if right > picture.shape[1] or bottom > picture.shape[0]:
                continue
            crop = np.ascontiguousarray(picture[top:bottom, left:right])
            mask = outline(crop, ship.corners - (left, top), FULLEST if ship.upright else 1.0)
            if mask is None:
                continue
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            hull = max(contours, key=cv2.contourArea)
            centre, (a, b), degrees = cv2.minAreaRect(hull)
            length, width = max(a, b), max(min(a, b), 1.0)
            if cv2.contourArea(hull) < 0.5 * length * width or length / width < 1.7:
                continue
            angle = np.deg2rad(degrees if a >= b else degrees + 90)
            soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.8, length / 90))
            found.append(Cutout(crop, soft, tuple(centre), length, width, float(angle)))
    return found
