"""Candidates: decode possible ships from the map, and suppress duplicates.

All lengths are in network pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import expit

from shipdet.geometry import Floats
from shipdet.models.map_channels import MAP_CHANNELS, MAP_STRIDE_PX

#: Boxes whose intersection exceeds this share of the smaller box are duplicates.
SAME_SHIP_SHARE = 0.45
#: Core of a box, as a share of its length and width; a candidate centered there is a duplicate.
CORE = 0.6

_CHANNEL = {name: number for number, name in enumerate(MAP_CHANNELS)}
#: Most centers per canvas: more than the ships that fit on it, and few enough to compare.
MOST_CENTERS = 4096
#: Positions on the axis at which the ends of a hull are searched, in lengths from the center.
_AXIS = np.linspace(-1.0, 1.0, 97)
#: Shortest box that is fitted, 8 cells: the ends of shorter hulls depend on single cells.
LEAST_FITTED_PX = 32.0
#: Sampling points in a box, as shares of its half length and half width.
_INSIDE = np.array([(u, v) for u in (-0.8, -0.4, 0.0, 0.4, 0.8) for v in (-0.5, 0.0, 0.5)])
#: Sampling points on the border of a box.
_RIM = np.array(
    [(u, v) for v in (-1, 1) for u in (-1, -0.5, 0, 0.5, 1)]
    + [(u, v) for u in (-1, 1) for v in (-0.5, 0, 0.5)]
)
#: Growth of a box on each side, in network pixels, to sample around it and to find water near it.
AROUND_PX, WATER_NEAR_PX = 12.0, 48.0


@dataclass(frozen=True)
class Candidates:
    """Arrays with one row per candidate.

    Attributes:
        boxes: float64 (n, 5), oriented boxes: x, y, length and width in network pixels, and the
            angle of the axis in radians from +x towards +y.
        features: float64 (n, k), in the order of :data:`shipdet.models.config.FEATURES`.
        scores: float64 (n,), 0 to 1.
    """

    boxes: Floats
    features: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: npt.ArrayLike) -> "Candidates":
        """Select candidates by index or by mask."""
        which = np.asarray(index)
        return Candidates(self.boxes[which], self.features[which], self.scores[which])


def joined(parts: list[Candidates], features: int) -> Candidates:
    """Concatenate candidates; ``features`` is the number of features of each."""
    if not parts:
        return Candidates(np.empty((0, 5)), np.empty((0, features)), np.empty(0))
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def decode(answers: npt.NDArray[np.float32], least_center: float) -> tuple[Floats, Floats]:
    """Decode the boxes at the highest :data:`MOST_CENTERS` local maxima of the center channel.

    Args:
        answers: (9, rows, columns), the map of the canvas.
        least_center: Cells with at most this center logit are ignored.

    Returns:
        Boxes (n, 5) in pixels of the canvas, and the logits of their centers (n,).
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
    return np.stack([x, y, length, width, angle], axis=1), channel("center")


def shares_in(answers: npt.NDArray[np.float32], boxes: Floats) -> Floats:
    """Sample the probabilities of hull and water in and around boxes.

    Args:
        answers: (9, rows, columns), the map of the canvas.
        boxes: (n, 5) in pixels of the canvas.

    Returns:
        (n, 5): mean hull and mean water inside; mean hull and mean water on the border of the box
        grown by :data:`AROUND_PX`; highest water on that of the box grown by :data:`WATER_NEAR_PX`.
    """
    inside = _read(answers, boxes, _INSIDE, 0.0).mean(axis=2)
    around = _read(answers, boxes, _RIM, AROUND_PX).mean(axis=2)
    near = _read(answers, boxes, _RIM, WATER_NEAR_PX)[1].max(axis=1)
    return np.column_stack([*inside, *around, near])


def _read(answers: npt.NDArray[np.float32], boxes: Floats, places: Floats, grown: float) -> Floats:
    """Return the probabilities of hull and water, (2, n, points), at points of boxes."""
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
    """Fit length and center of boxes, along their axes, to the hull in the map.

    The hull extends from the center to where its probability falls below 0.5. Beyond the canvas it
    extends to the end of the box. A box is unchanged if it is shorter than
    :data:`LEAST_FITTED_PX` or if the hull covers less than half of its length.

    Args:
        answers: (9, rows, columns), the map of the canvas.
        boxes: (n, 5) in pixels of the canvas.
        picture: Left, top, right and bottom edge of the image in pixels of the canvas. A hull
            ends there, since the canvas is mirrored beyond the image.

    Returns:
        (n, 5), in the same order.
    """
    if not len(boxes):
        return boxes
    left, top = (max(0, edge) // MAP_STRIDE_PX for edge in picture[:2])
    right, low = (-(-edge // MAP_STRIDE_PX) for edge in picture[2:])
    _, rows, columns = answers.shape
    hull = np.zeros((rows, columns), np.float32)
    hull[top:low, left:right] = expit(answers[_CHANNEL["hull"], top:low, left:right])
    along = _AXIS * boxes[:, 2:3]
    in_box = np.abs(_AXIS) < 0.5
    chance = np.zeros(along.shape)
    for part in (-0.2, 0.0, 0.2):
        places = np.stack(_at(boxes, along, part * boxes[:, 3:4]))
        x, y = (places / MAP_STRIDE_PX - 0.5).astype(np.float32)
        shown = cv2.remap(hull, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        beyond = (x < 0) | (y < 0) | (x > columns - 1) | (y > rows - 1)
        chance += np.where(beyond, in_box, shown) / 3
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
    """Count the steps (n,) from the first column until ``chance`` (n, k) falls below 0.5.

    Interpolated between columns; 0 if the first column is below 0.5, at most k - 1.
    """
    below = chance < 0.5
    end = np.where(below.any(axis=1), below.argmax(axis=1), chance.shape[1])
    rows = np.arange(len(chance))
    last = np.clip(end - 1, 0, chance.shape[1] - 2)
    inner, outer = chance[rows, last], chance[rows, last + 1]
    part = (inner - 0.5) / np.maximum(inner - outer, 1e-9)
    reach = np.where(end < chance.shape[1], last + part, chance.shape[1] - 1.0)
    return np.where(end == 0, 0.0, reach)


def _at(boxes: Floats, along: Floats, across: Floats) -> tuple[Floats, Floats]:
    """Return x and y, (n, k), of points at offsets (n, k) along and across the boxes' axes."""
    cos, sin = np.cos(boxes[:, 4:]), np.sin(boxes[:, 4:])
    x = boxes[:, 0:1] + cos * along - sin * across
    return x, boxes[:, 1:2] + sin * along + cos * across


def suppressed(candidates: Candidates) -> Candidates:
    """Sort candidates by score and suppress duplicates of higher-scoring ones.

    Two boxes are duplicates if their intersection exceeds :data:`SAME_SHIP_SHARE` of the smaller
    one, or if the center of the lower-scoring one lies in the core of the other. Ships side by
    side overlap less.
    """
    from scipy.spatial import cKDTree  # takes a quarter of a second, which the app's start saves

    order = np.argsort(-candidates.scores, kind="stable")
    boxes = candidates.boxes[order]
    kept = np.zeros(len(boxes), np.bool_)
    reach = np.hypot(boxes[:, 2], boxes[:, 3]) / 2
    farthest = reach.max(initial=0.0)
    near = cKDTree(boxes[:, :2])
    for index, box in enumerate(boxes):
        others = np.array(near.query_ball_point(box[:2], reach[index] + farthest))
        others = others[(others < index) & kept[others]]
        away = np.hypot(*(boxes[others, :2] - box[:2]).T)
        others = others[away < reach[others] + reach[index]]
        kept[index] = not any(_same(boxes[other], box) for other in others)
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
    """Return the intersection area of two boxes (5,)."""
    first, second = (
        ((box[0], box[1]), (box[2], box[3]), float(np.degrees(box[4]))) for box in (one, other)
    )
    kind, points = cv2.rotatedRectangleIntersection(first, second)
    if kind == cv2.INTERSECT_NONE or points is None or len(points) < 3:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(points)))
