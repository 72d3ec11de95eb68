"""From scored detections and labelled ships to figures. NumPy only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets import Ship

GROWN_M = 30.0
"""A detection counts when its centre lies in the ship's box grown by this much..."""
NEAR_M = 84.0
"""...or within this distance of its centre (28 px at 3 m; the rule of issue 5)."""
SHORTEST_M = 25.0
"""Shorter ships are neither asked for nor false: at 3 m nobody can tell them from a whitecap."""
LENGTHS_M = (SHORTEST_M, 60.0, 120.0, 200.0)
"""Lower ends of the classes of length that recall is given for."""


@dataclass(frozen=True)
class Outcome:
    """Matched detections of one or more scenes.

    Attributes:
        scores: (n,) of the detections that count.
        hits: (n,) bool, True where a detection found a ship.
        ship_scores: (m,) best score of each required ship's detection, 0 when not found.
        lengths_m: (m,) labelled lengths.
        measured_m: (m,) lengths measured by the detector, NaN when not found.
        at_sea: (n,) bool, True where the detection lies on open water.
        area_km2, sea_km2: area searched, and how much of it is open water.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    ship_scores: NDArray[np.float64]
    lengths_m: NDArray[np.float64]
    measured_m: NDArray[np.float64]
    at_sea: NDArray[np.bool_]
    area_km2: float
    sea_km2: float


def may_match(ship: Ship, point: NDArray[np.float64], gsd_m: float) -> bool:
    """Whether a detection's centre (image pixels) is near enough to a ship to count."""
    if np.linalg.norm(point - ship.centre) * gsd_m <= NEAR_M:
        return True
    polygon = cv2.convexHull(ship.corners.astype(np.float32))
    away_px = -cv2.pointPolygonTest(polygon, (float(point[0]), float(point[1])), True)
    return bool(away_px * gsd_m <= GROWN_M)


def length_m(ship: Ship, gsd_m: float) -> float:
    """The labelled length, or what the box says."""
    return ship.length_m if ship.length_m is not None else ship.extent_px * gsd_m


def match(
    centres: NDArray[np.float64],
    scores: NDArray[np.float64],
    measured_m: NDArray[np.float64],
    ships: Sequence[Ship],
    unknown: NDArray[np.bool_],
    gsd_m: float,
    sea: NDArray[np.bool_] | None = None,
) -> Outcome:
    """Give every detection, best first, the nearest free ship it may match.

    A detection that finds only a ship shorter than `SHORTEST_M`, or that lies in an unknown
    region (height, width), counts neither way. A second detection of one ship is false. `sea`
    (height, width) is True on open water; without it there is none.
    """
    if sea is None:
        sea = np.zeros_like(unknown)
    lengths = np.array([length_m(ship, gsd_m) for ship in ships])
    required = np.flatnonzero(lengths >= SHORTEST_M) if len(ships) else np.empty(0, int)
    ship_scores = np.zeros(len(ships))
    found_m = np.full(len(ships), np.nan)
    taken: set[int] = set()
    counted: list[tuple[float, bool, bool]] = []
    height, width = unknown.shape
    for index in np.argsort(-scores, kind="stable"):
        x = int(np.clip(centres[index][0], 0, width - 1))
        y = int(np.clip(centres[index][1], 0, height - 1))
        near = [i for i, ship in enumerate(ships) if may_match(ship, centres[index], gsd_m)]
        free = [i for i in near if i not in taken]
        if free:
            # Required ships first, so that a boat beside a ship does not take its detection.
            best = min(
                free,
                key=lambda i: (i not in required, np.linalg.norm(ships[i].centre - centres[index])),
            )
            taken.add(best)
            ship_scores[best], found_m[best] = scores[index], measured_m[index]
            if best in required:
                counted.append((float(scores[index]), True, bool(sea[y, x])))
            continue
        if not unknown[y, x]:
            counted.append((float(scores[index]), False, bool(sea[y, x])))
    return Outcome(
        np.array([score for score, _, _ in counted]),
        np.array([hit for _, hit, _ in counted], dtype=np.bool_),
        ship_scores[required],
        lengths[required],
        found_m[required],
        np.array([at_sea for _, _, at_sea in counted], dtype=np.bool_),
        unknown.size * gsd_m**2 / 1e6,
        float(sea.sum()) * gsd_m**2 / 1e6,
    )


def pooled(outcomes: Sequence[Outcome]) -> Outcome:
    """Several scenes as one."""
    return Outcome(
        *(
            np.concatenate([getattr(o, name) for o in outcomes])
            for name in ("scores", "hits", "ship_scores", "lengths_m", "measured_m", "at_sea")
        ),
        sum(o.area_km2 for o in outcomes),
        sum(o.sea_km2 for o in outcomes),
    )


@dataclass(frozen=True)
class Curve:
    """Precision, recall and F1 at each threshold, thresholds descending."""

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def f1(self) -> NDArray[np.float64]:
        total = np.maximum(self.precision + self.recall, 1e-12)
        return 2 * self.precision * self.recall / total

    @property
    def average_precision(self) -> float:
        """Area under the precision envelope (all points, as in PASCAL VOC 2010)."""
        if not len(self.recall):
            return 0.0
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float(np.sum(np.diff(self.recall, prepend=0.0) * envelope))


def curve(outcome: Outcome) -> Curve:
    """The precision-recall curve; tied scores share a point."""
    order = np.argsort(-outcome.scores, kind="stable")
    scores, hits = outcome.scores[order], outcome.hits[order]
    last = np.flatnonzero(np.diff(scores, append=-np.inf))
    found = np.cumsum(hits)[last] if len(hits) else np.empty(0)
    precision = found / (last + 1.0)
    recall = found / max(1, len(outcome.ship_scores))
    return Curve(scores[last], precision, recall)


def at_threshold(outcome: Outcome, threshold: float) -> dict[str, Any]:
    """Figures at one threshold; None where there is nothing to divide by."""
    kept = outcome.scores >= threshold
    found = int((kept & outcome.hits).sum())
    false = int((kept & ~outcome.hits).sum())
    ships = len(outcome.ship_scores)
    precision = found / (found + false) if found + false else None
    recall = found / ships if ships else None
    seen = outcome.ship_scores >= threshold
    long = outcome.lengths_m > 60
    false_at_sea = int((kept & ~outcome.hits & outcome.at_sea).sum())
    land_km2 = outcome.area_km2 - outcome.sea_km2
    error = np.abs(outcome.measured_m / np.maximum(outcome.lengths_m, 1e-9) - 1)[seen & long]
    return {
        "threshold": threshold,
        "ships": ships,
        "found": found,
        "false_alarms": false,
        "precision": precision,
        "recall": recall,
        "f1": 2 * found / (2 * found + false + ships - found) if ships else None,
        "by_length_m": {
            name: {"ships": int(part.sum()), "found": int((seen & part).sum())}
            for name, part in length_classes(outcome.lengths_m).items()
        },
        "recall_over_60_m": float(seen[long].mean()) if long.any() else None,
        "recall_up_to_60_m": float(seen[~long].mean()) if (~long).any() else None,
        "length_error_median_over_60_m": float(np.median(error)) if len(error) else None,
        "false_alarms_per_100_km2": 100 * false / outcome.area_km2,
        "false_alarms_per_100_km2_of_open_sea": per_100_km2(false_at_sea, outcome.sea_km2),
        "false_alarms_per_100_km2_of_the_rest": per_100_km2(false - false_at_sea, land_km2),
    }


def per_100_km2(count: int, area_km2: float) -> float | None:
    """None where there is no such area."""
    return 100 * count / area_km2 if area_km2 > 0.01 else None


def length_classes(lengths_m: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    """Which ships (n,) fall into each class of length."""
    edges = [*LENGTHS_M, np.inf]
    return {
        f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g} and more": (
            (lengths_m >= low) & (lengths_m < high)
        )
        for low, high in itertools.pairwise(edges)
    }


def best_threshold(outcome: Outcome, least_precision: float = 0.9) -> float:
    """The threshold of the best F1 among those of at least that precision, else of the best F1.

    The middle between the chosen score and the next lower one, so that it does not sit on a ship.
    """
    points = curve(outcome)
    if not len(points.thresholds):
        return 0.5
    allowed = points.precision >= least_precision
    f1 = np.where(allowed, points.f1, 0) if allowed.any() else points.f1
    best = int(np.argmax(f1))
    lower = points.thresholds[best + 1] if best + 1 < len(points.thresholds) else 0.0
    return float((points.thresholds[best] + lower) / 2)
