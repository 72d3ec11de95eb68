"""Candidates: possible ships decoded from the channels of the map, each ship once.

All lengths are network pixels until a :class:`~shipdet.detections.Detection` is made of them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import expit

from shipdet.geometry import Floats
from shipdet.models.map_channels import MAP_CHANNELS, MAP_STRIDE_PX

#: Of the smaller box: two candidates that share more of it are one ship.
SAME_SHIP_SHARE = 0.45
#: A center this far inside a better box, as a part of its half length and half width, is the same.
CORE = 0.6

_CHANNEL = {name: number for number, name in enumerate(MAP_CHANNELS)}
#: Centers of a canvas that are looked at: more than ships fit on it, few enough to be compared.
MOST_CENTERS = 4096
#: Along the axis, as parts of a box's length to either side: where the ends of its hull are sought.
_AXIS = np.linspace(-1.0, 1.0, 97)
#: The ends of a shorter hull are a matter of single cells: 8 cells, 60 m.
LEAST_FITTED_PX = 32.0
#: Places in a box, as parts of its half length and half width, where hull and water are read.
_INSIDE = np.array([(u, v) for u in (-0.8, -0.4, 0.0, 0.4, 0.8) for v in (-0.5, 0.0, 0.5)])
#: Places on the rim of a box.
_RIM = np.array(
    [(u, v) for v in (-1, 1) for u in (-1, -0.5, 0, 0.5, 1)]
    + [(u, v) for u in (-1, 1) for v in (-0.5, 0, 0.5)]
)
#: Network pixels by which a box is grown for what lies around it, and for the water near it.
AROUND_PX, WATER_NEAR_PX = 12.0, 48.0


@dataclass(frozen=True)
class Candidates:
    """Arrays of one row per candidate; ``boxes`` (n, 5) are x, y, length, width and the angle of
    the axis in radians from +x towards +y, network pixels. ``features`` (n, k) are those of
    :data:`shipdet.models.config.FEATURES`, ``scores`` (n,) what they come to."""

    boxes: Floats
    features: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: npt.ArrayLike) -> "Candidates":
        """Some of them, in the order of ``index``."""
        which = np.asarray(index)
        return Candidates(self.boxes[which], self.features[which], self.scores[which])


def joined(parts: list[Candidates], features: int) -> Candidates:
    """All candidates of the parts; ``features`` is how many each has."""
    if not parts:
        return Candidates(np.empty((0, 5)), np.empty((0, features)), np.empty(0))
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def decode(
    answers: npt.NDArray[np.float32], least_center: float
) -> tuple[Floats, npt.NDArray[np.int_], Floats]:
    """Local maxima of the centers of one canvas, at most :data:`MOST_CENTERS`, the highest.

    Args:
        answers: (9, rows, columns), the map of the canvas.
        least_center: logit below which a cell is not looked at.

    Returns:
        Boxes (n, 5) in pixels of the canvas, their cells (n, 2) as row and column, and the logits
        of their centers (n,).
    """
    center = np.ascontiguousarray(answers[_CHANNEL["center"]])
    highest = cv2.dilate(center, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((center >= highest) & (center > least_center))
    if len(rows) > MOST_CENTERS:
        best = np.argsort(-center[rows, columns], kind="stable")[:MOST_CENTERS]
        rows, columns = rows[best], columns[best]
    values = answers[:, rows, columns].astype(np.float64)

    def channel(name: str) -> Floats:
        return np.asarray(values[_CHANNEL[name]])

    x = (columns + 0.5 + channel("dx").clip(-1, 1)) * MAP_STRIDE_PX
    y = (rows + 0.5 + channel("dy").clip(-1, 1)) * MAP_STRIDE_PX
    length = np.exp(channel("log_length").clip(0, 6))
    width = np.minimum(np.exp(channel("log_width").clip(0, 5)), length)
    angle = 0.5 * np.arctan2(channel("sin2"), channel("cos2"))
    return (
        np.stack([x, y, length, width, angle], axis=1),
        np.stack([rows, columns], 1),
        channel("center"),
    )


def shares_in(answers: npt.NDArray[np.float32], boxes: Floats) -> Floats:
    """Probabilities of hull and water in and around boxes.

    Args:
        answers: (9, rows, columns), the map of the canvas.
        boxes: (n, 5) in pixels of the canvas.

    Returns:
        (n, 5): mean of hull and of water inside; mean of hull and of water on the rim of the box
        grown by :data:`AROUND_PX`; the most water on the rim of it grown by
        :data:`WATER_NEAR_PX`.
    """
    inside = _read(answers, boxes, _INSIDE, 0.0).mean(axis=2)
    around = _read(answers, boxes, _RIM, AROUND_PX).mean(axis=2)
    near = _read(answers, boxes, _RIM, WATER_NEAR_PX)[1].max(axis=1)
    return np.column_stack([*inside, *around, near])


def _read(answers: npt.NDArray[np.float32], boxes: Floats, places: Floats, grown: float) -> Floats:
    """Probabilities of hull and water (2, n, places) at places of boxes."""
    u = places[:, 0] * (boxes[:, 2:3] / 2 + grown)
    v = places[:, 1] * (boxes[:, 3:4] / 2 + grown)
    x, y = _at(boxes, u, v)
    rows = np.clip((y / MAP_STRIDE_PX).astype(int), 0, answers.shape[1] - 1)
    columns = np.clip((x / MAP_STRIDE_PX).astype(int), 0, answers.shape[2] - 1)
    channels = [_CHANNEL["hull"], _CHANNEL["water"]]
    return np.asarray(expit(answers[channels][:, rows, columns]), np.float64)


def fitted(
    answers: npt.NDArray[np.float32], boxes: Floats, picture: tuple[int, int, int, int]
) -> Floats:
    """Boxes whose length and center along the axis are those of the hull in the map.

    The hull reaches from the center to where its probability falls below a half. A box keeps its
    own length where it is shorter than :data:`LEAST_FITTED_PX`, where there is no hull in its
    center, or one of less than half of its length.

    Args:
        answers: (9, rows, columns), the map of the canvas.
        boxes: (n, 5) in pixels of the canvas.
        picture: left, top, right and lower edge of the picture in pixels of the canvas: a hull ends
            there, and what the canvas shows beyond is a mirror image.

    Returns:
        (n, 5), in the same order.
    """
    if not len(boxes):
        return boxes
    left, top = (max(0, edge) // MAP_STRIDE_PX for edge in picture[:2])
    right, low = (-(-edge // MAP_STRIDE_PX) for edge in picture[2:])
    hull = np.zeros(answers.shape[1:], np.float32)
    hull[top:low, left:right] = expit(answers[_CHANNEL["hull"], top:low, left:right])
    along = _AXIS * boxes[:, 2:3]
    chance = np.zeros(along.shape)
    for part in (-0.2, 0.0, 0.2):
        places = np.stack(_at(boxes, along, part * boxes[:, 3:4]))
        x, y = (places / MAP_STRIDE_PX - 0.5).astype(np.float32)
        chance += cv2.remap(hull, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) / 3
    middle = len(_AXIS) // 2
    ahead, behind = _reach(chance[:, middle:]), _reach(chance[:, middle::-1])
    shares = (ahead + behind) / middle
    known = (shares >= 0.5) & (boxes[:, 2] >= LEAST_FITTED_PX)
    result = boxes.copy()
    shift = boxes[:, 2] * (ahead - behind) / (2 * middle)
    centers = np.hstack(_at(boxes, shift[:, None], np.zeros((len(boxes), 1))))
    result[known, :2] = centers[known]
    result[known, 2] *= shares[known]
    return result


def _reach(chance: Floats) -> Floats:
    """Steps (n,) from the first column until chances (n, k) fall below a half; 0 where they begin
    there, at most k - 1."""
    below = chance < 0.5
    end = np.where(below.any(axis=1), below.argmax(axis=1), chance.shape[1])
    rows = np.arange(len(chance))
    last = np.clip(end - 1, 0, chance.shape[1] - 2)
    inner, outer = chance[rows, last], chance[rows, last + 1]
    part = (inner - 0.5) / np.maximum(inner - outer, 1e-9)
    reach = np.where(end < chance.shape[1], last + part, chance.shape[1] - 1.0)
    return np.where(end == 0, 0.0, reach)


def _at(boxes: Floats, along: Floats, across: Floats) -> tuple[Floats, Floats]:
    """x and y (n, k) of what lies (n, k) pixels along and across the axes of boxes (n, 5)."""
    cos, sin = np.cos(boxes[:, 4:]), np.sin(boxes[:, 4:])
    x = boxes[:, 0:1] + cos * along - sin * across
    return x, boxes[:, 1:2] + sin * along + cos * across


def suppressed(candidates: Candidates) -> Candidates:
    """Best first, without those that are the same ship as a better one.

    Two boxes are one ship when they share :data:`SAME_SHIP_SHARE` of the smaller one, or when the
    center of one lies in the core of the other; ships side by side share little.
    """
    order = np.argsort(-candidates.scores, kind="stable")
    boxes = candidates.boxes[order]
    kept: list[int] = []
    reach = np.hypot(boxes[:, 2], boxes[:, 3]) / 2
    for index, box in enumerate(boxes):
        near = [
            other
            for other in kept
            if abs(boxes[other, 0] - box[0]) < reach[other] + reach[index]
            and abs(boxes[other, 1] - box[1]) < reach[other] + reach[index]
        ]
        if not any(_same(boxes[other], box) for other in near):
            kept.append(index)
    return candidates.take(order[kept])


def _same(better: Floats, other: Floats) -> bool:
    away_x, away_y = other[0] - better[0], other[1] - better[1]
    cos, sin = np.cos(better[4]), np.sin(better[4])
    along, across = abs(cos * away_x + sin * away_y), abs(-sin * away_x + cos * away_y)
    if along < CORE * better[2] / 2 and across < CORE * better[3] / 2:
        return True
    share = overlap(better, other)
    return bool(share > SAME_SHIP_SHARE * min(better[2] * better[3], other[2] * other[3]))


def overlap(one: Floats, other: Floats) -> float:
    """Area that two boxes (5,) share."""
    first, second = (
        ((box[0], box[1]), (box[2], box[3]), float(np.degrees(box[4]))) for box in (one, other)
    )
    kind, points = cv2.rotatedRectangleIntersection(first, second)
    if kind == cv2.INTERSECT_NONE or points is None or len(points) < 3:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(points)))
