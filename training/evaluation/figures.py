"""Precision, recall, F1 and errors of length and box, from matched detections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.ship_rule import SHORTEST_M, Matched
from training.data.labeled import Floats
from training.evaluation.surveys import Surveyed, match


@dataclass(frozen=True)
class Pool:
    """Candidates and required ships of several images.

    Attributes:
        scores: (n,) scores of the candidates that are long enough to count.
        state: (n,) their states, see `export.ship_rule.Matched`.
        ship_scores: (m,) for each required ship, the score of its candidate; 0 if not found.
        ship_lengths: (m,) labeled lengths in meters.
        measured: (m,) measured lengths in meters; NaN if not found.
        ious: (m,) IoU of the oriented boxes; NaN if not found or the axis is unknown.
        area_km2: Total area of the images.
    """

    scores: Floats
    state: NDArray[np.int64]
    ship_scores: Floats
    ship_lengths: Floats
    measured: Floats
    ious: Floats
    area_km2: float


def pool(found: list[Surveyed], scores: list[Floats], min_length_m: float = SHORTEST_M) -> Pool:
    """Match candidates with ships and pool the results.

    Args:
        found: Candidates by image.
        scores: For each image, the scores (n,) of its candidates.
        min_length_m: Candidates measured as shorter do not count as detections.
    """
    parts: list[list[Any]] = [[], [], [], [], [], []]
    area = 0.0
    for one, given in zip(found, scores, strict=True):
        counted = np.where(one.boxes[:, 2] >= min_length_m, given, 0.0)
        result = match(one, counted)
        kept = counted > 0
        parts[0].append(counted[kept])
        parts[1].append(result.state[kept])
        best, measured, ious = _of_ships(one, result, counted)
        parts[2].append(best[result.required])
        parts[3].append(result.lengths[result.required])
        parts[4].append(measured[result.required])
        parts[5].append(ious[result.required])
        area += one.area_km2
    return Pool(*(np.concatenate(part) if part else np.empty(0) for part in parts), area)


def _of_ships(one: Surveyed, result: Matched, scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the score, measured length and IoU of the candidate matched with each ship."""
    count = len(result.lengths)
    best, measured, ious = np.zeros(count), np.full(count, np.nan), np.full(count, np.nan)
    gsd = np.array(one.image.gsd_m)
    for index in np.flatnonzero(result.ship >= 0):
        number = result.ship[index]
        best[number] = scores[index]
        measured[number] = one.boxes[index, 2]
        ship = one.image.ships[number]
        if ship.axis and one.image.scaled:
            ious[number] = iou(one.boxes[index], ship.corners * gsd)
    return best, measured, ious


def iou(box: Floats, corners: Floats) -> float:
    """Return the intersection over union of a box (5,) and corners (4, 2) in the same unit."""
    mine = ((float(box[0]), float(box[1])), (float(box[2]), float(box[3])), np.degrees(box[4]))
    other = cv2.minAreaRect(corners.astype(np.float32))
    kind, points = cv2.rotatedRectangleIntersection(mine, other)
    if kind == cv2.INTERSECT_NONE or points is None or len(points) < 3:
        return 0.0
    shared = cv2.contourArea(cv2.convexHull(points))
    return float(shared / (box[2] * box[3] + other[1][0] * other[1][1] - shared + 1e-9))


def curve(pooled: Pool) -> tuple[Floats, Floats, Floats]:
    """Return thresholds in descending order, with precision and recall at each."""
    counted = pooled.state >= 0
    scores, hits = pooled.scores[counted], pooled.state[counted] == 1
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], hits[order]
    true = np.cumsum(hits)
    precision = true / np.arange(1, len(hits) + 1)
    recall = true / max(1, len(pooled.ship_lengths))
    return scores, precision, recall


def average_precision(pooled: Pool) -> float:
    """Return the area under the precision envelope."""
    _, precision, recall = curve(pooled)
    if not len(precision):
        return 0.0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def best_threshold(pooled: Pool, least_precision: float = 0.0) -> float:
    """Return the threshold with the highest F1 of those with at least a precision.

    If none has it, the threshold with the highest F1 of all; 1 without candidates.
    """
    scores, precision, recall = curve(pooled)
    if not len(scores):
        return 1.0
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    precise = precision >= least_precision
    return float(scores[int(np.argmax(np.where(precise, f1, f1 - 1)))])


def figures(pooled: Pool, threshold: float) -> dict[str, float | None]:
    """Return the figures of the card at a threshold; None where a figure is undefined."""
    counted = pooled.state >= 0
    kept = pooled.scores >= threshold
    hits = int((kept & (pooled.state == 1)).sum())
    false = int((kept & counted & (pooled.state == 0)).sum())
    found = pooled.ship_scores >= threshold
    ships = len(pooled.ship_lengths)
    precision = hits / max(1, hits + false)
    recall = hits / max(1, ships)
    long = pooled.ship_lengths > 100
    ratio = np.abs(np.log(pooled.measured[found] / pooled.ship_lengths[found]))
    boxed = found & (pooled.ship_lengths > 60) & ~np.isnan(pooled.ious)
    return {
        "ships": ships,
        "false": false,
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(1e-9, precision + recall),
        "ap": average_precision(pooled),
        "recall_100m": float(found[long].mean()) if long.any() else None,
        "length_error": float(np.median(np.exp(ratio) - 1)) if len(ratio) else None,
        "iou_50": float((pooled.ious[boxed] >= 0.5).mean()) if boxed.any() else None,
        "area_km2": pooled.area_km2,
        "false_per_100km2": 100 * false / max(1e-9, pooled.area_km2),
    }
