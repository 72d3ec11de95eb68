"""Labels of a canvas's windows for dense training.

Window centers are one cell apart. A window is positive if the center of a ship is near its own
center, so a ship has one peak in the map of scores, and half a ship at the border of a window does
not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CELL_PX = 16
"""Network pixels per cell of the classifier's last feature map (timm's output_stride)."""
WINDOW_M = 240.0
"""Ground under a window: the 80 px at 3 m of a shipsnet chip."""
WINDOW_PX = 128
"""Network pixels of a window, 1.9 m each: nothing of 3 m imagery is lost, and training on a CPU
costs a third of what it would at 224 px."""
NET_GSD_M = WINDOW_M / WINDOW_PX
POSITIVE = 0.11
"""Offset of a ship's center, as a part of the window, up to which the window is positive: a
little more than half the diagonal of the grid of cells, so that every ship has one."""
IGNORED = 0.22
"""Offset up to which a window is neither positive nor negative."""
LONG_POSITIVE, LONG_IGNORED = 0.07, 0.25
"""The same as parts of a ship's length, where that is more: the middle of a long ship is vague."""
EDGE_PX = 2 * CELL_PX
"""Nearer to a canvas's edge nothing is asked: too little of the ground is seen there."""
RESOLVED_PX = 8.0
"""A ship of fewer imagery pixels than this along its keel is not asked for..."""
VISIBLE_PX = 5.0
"""...and one of fewer than this is no ship: nobody could tell it from a whitecap."""

SHIP, NO_SHIP, UNKNOWN = 1, 0, -1


@dataclass(frozen=True)
class Placed:
    """A ship on a canvas, in network pixels; `angle` is the keel's, radians from +x to +y."""

    x: float
    y: float
    length: float
    width: float
    angle: float


def asked_centers(canvas_px: int, edge_px: int = EDGE_PX) -> NDArray[np.float64]:
    """Return the centers of the labeled windows along one side, in network pixels."""
    return np.arange(edge_px, canvas_px - edge_px + 1, CELL_PX, dtype=np.float64)


def label_windows(
    ships: Sequence[Placed],
    canvas_px: int,
    gsd_m: float = NET_GSD_M,
    unknown: NDArray[np.bool_] | None = None,
    edge_px: int = EDGE_PX,
) -> NDArray[np.int64]:
    """Labels (rows, columns) of a square canvas: 1 ship, 0 none, -1 unknown.

    Args:
        ships: All ships on the canvas and near it.
        gsd_m: Meters per pixel of the imagery before it was enlarged to the canvas, which
            determines the visible ships.
        unknown: bool (canvas_px, canvas_px), True where it is unknown whether there are ships. A
            window is unknown if its middle (where the center of a positive's ship may be) touches
            such a region, or if half of it is unknown.
        edge_px: See `asked_centers`.
    """
    centers = asked_centers(canvas_px, edge_px)
    labels = np.full((len(centers), len(centers)), NO_SHIP, dtype=np.int64)
    if unknown is not None and unknown.any():
        share = cv2.boxFilter(unknown.astype(np.float32), -1, (WINDOW_PX - 1, WINDOW_PX - 1))
        side = int(2 * POSITIVE * WINDOW_PX) | 1
        middle = cv2.dilate(unknown.astype(np.uint8), np.ones((side, side), np.uint8))
        at = np.ix_(centers.astype(int), centers.astype(int))
        labels[(share[at] > 0.5) | (middle[at] > 0)] = UNKNOWN
    seen_px = [ship.length * NET_GSD_M / max(gsd_m, NET_GSD_M) for ship in ships]
    offsets = [np.hypot(centers[None, :] - s.x, centers[:, None] - s.y) for s in ships]
    for ship, offset, size in zip(ships, offsets, seen_px, strict=True):
        if size >= VISIBLE_PX:
            labels[offset < max(IGNORED * WINDOW_PX, LONG_IGNORED * ship.length)] = UNKNOWN
    for ship, offset, size in zip(ships, offsets, seen_px, strict=True):
        if size >= RESOLVED_PX:
            labels[offset < max(POSITIVE * WINDOW_PX, LONG_POSITIVE * ship.length)] = SHIP
    return labels


def label_window(
    ships: Sequence[Placed], gsd_m: float = NET_GSD_M, unknown: NDArray[np.bool_] | None = None
) -> int:
    """Return the label of a single window; ships are in its pixels."""
    return int(label_windows(ships, WINDOW_PX, gsd_m, unknown, WINDOW_PX // 2)[0, 0])
