"""Which windows of a canvas hold a ship: the labels that dense training learns from.

A canvas of s network pixels has (s - 128) / 32 + 1 windows along a side, at stride 32. A window is
positive when a ship's centre lies near its own centre, so that a ship has one peak in the map of
scores and half a ship at the border of a window is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.models import STRIDE_PX

WINDOW_M = 240.0
"""Ground under a window: the 80 px at 3 m of a shipsnet chip."""
WINDOW_PX = 128
"""Network pixels of a window, 1.9 m each: nothing of 3 m imagery is lost, and training on a CPU
costs a third of what it would at 224 px."""
NET_GSD_M = WINDOW_M / WINDOW_PX
POSITIVE = 0.18
"""Offset of a ship's centre, as a part of the window, up to which the window is positive: a
little more than half the diagonal of the grid of windows, so that every ship has one."""
IGNORED = 0.36
"""Offset up to which a window is neither positive nor negative."""
RESOLVED_PX = 8.0
"""A ship of fewer imagery pixels than this along its keel is not asked for..."""
VISIBLE_PX = 5.0
"""...and one of fewer than this is no ship: nobody could tell it from a whitecap."""

SHIP, NO_SHIP, UNKNOWN = 1, 0, -1

REACHES = (1.0, 2.0, 3.0, 3.7, 4.5, 6.0)
"""Distances, in cells, of the auxiliary question: is the nearest ship within so many cells?"""


@dataclass(frozen=True)
class Placed:
    """A ship on a canvas, in network pixels; `angle` is the keel's, radians from +x to +y."""

    x: float
    y: float
    length: float
    width: float
    angle: float

    def corners(self) -> NDArray[np.float64]:
        """(4, 2) corners of the rotated box."""
        along = np.array([np.cos(self.angle), np.sin(self.angle)]) * self.length / 2
        across = np.array([-np.sin(self.angle), np.cos(self.angle)]) * self.width / 2
        signs = [(1, 1), (1, -1), (-1, -1), (-1, 1)]
        return np.array([(self.x, self.y) + a * along + b * across for a, b in signs])


def window_centres(canvas_px: int) -> NDArray[np.float64]:
    """Centres of the windows along one side, in network pixels."""
    count = (canvas_px - WINDOW_PX) // STRIDE_PX + 1
    return WINDOW_PX / 2 + STRIDE_PX * np.arange(count, dtype=np.float64)


def label_windows(
    ships: Sequence[Placed],
    canvas_px: int,
    gsd_m: float = NET_GSD_M,
    unknown: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Labels (rows, columns) of a square canvas: 1 ship, 0 none, -1 unknown.

    Args:
        ships: all the ships on the canvas and near it.
        gsd_m: resolution of the imagery before it was enlarged to the canvas; decides which
            ships can be seen at all.
        unknown: (canvas_px, canvas_px), True where nobody has said whether there are ships. A
            window is unknown when its middle (the part a positive's centre may lie in) touches
            such a region, or when a third of it is unknown.
    """
    centres = window_centres(canvas_px)
    labels = np.full((len(centres), len(centres)), NO_SHIP, dtype=np.int64)
    near, far = POSITIVE * WINDOW_PX, IGNORED * WINDOW_PX
    if unknown is not None and unknown.any():
        share = cv2.boxFilter(unknown.astype(np.float32), -1, (WINDOW_PX - 1, WINDOW_PX - 1))
        side = int(2 * near) | 1
        middle = cv2.dilate(unknown.astype(np.uint8), np.ones((side, side), np.uint8))
        at = np.ix_(centres.astype(int), centres.astype(int))
        labels[(share[at] > 1 / 3) | (middle[at] > 0)] = UNKNOWN
    seen_px = [ship.length * NET_GSD_M / max(gsd_m, NET_GSD_M) for ship in ships]
    offsets = [np.hypot(centres[None, :] - s.x, centres[:, None] - s.y) for s in ships]
    for offset, size in zip(offsets, seen_px, strict=True):
        if size >= VISIBLE_PX:
            labels[offset < far] = UNKNOWN
    for offset, size in zip(offsets, seen_px, strict=True):
        if size >= RESOLVED_PX:
            labels[offset < near] = SHIP
    return labels


def label_cells(ships: Sequence[Placed], canvas_px: int, gsd_m: float) -> NDArray[np.float32]:
    """For every cell of the last feature map: is the nearest ship within each of `REACHES`?

    Pooling forgets where in a window a cell lies, so "in the middle" must be told by what the
    cells say: in a window with a ship in its middle no cell is further than three cells
    from a ship. The distance is the larger of both axes', as windows are square.

    Returns:
        (len(REACHES), cells, cells) of 0 and 1.
    """
    centres = STRIDE_PX * (np.arange(canvas_px // STRIDE_PX) + 0.5)
    nearest = np.full((len(centres), len(centres)), np.inf)
    for ship in ships:
        if ship.length * NET_GSD_M / max(gsd_m, NET_GSD_M) >= VISIBLE_PX:
            across = np.abs(centres - ship.x)[None, :]
            down = np.abs(centres - ship.y)[:, None]
            nearest = np.minimum(nearest, np.maximum(across, down))
    reaches = STRIDE_PX * np.array(REACHES)
    return (nearest[None] < reaches[:, None, None]).astype(np.float32)
