"""Labels of the windows of a canvas, for dense training.

Window centers are one cell apart. A window is positive if a ship's center is near its own center.
Each ship thus has one peak in the map of scores, and half a ship at the border of a window does
not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shipdet.models.config import search_gsd_m

CELL_PX = 16
"""Network pixels per cell of the classifier's last feature map (timm's output_stride)."""
WINDOW_M = 240.0
"""Side of a window on the ground: that of a shipsnet chip, 80 px at 3 m."""
WINDOW_PX = 128
"""Side of a window in network pixels."""
NET_GSD_M = WINDOW_M / WINDOW_PX
"""Coarsest scale of the network, 1.9 m per pixel: it preserves the detail of 3 m imagery."""
FINEST_NET_GSD_M = 1.2
"""Finest scale of the network: finer imagery is reduced to it. In between, the network sees an
image at the image's own scale. A window is then smaller on the ground."""
POSITIVE = 0.11
"""Largest offset of a ship's center from that of a positive window, as a fraction of the window.
It slightly exceeds half the diagonal of a cell, so that every ship has a positive window."""
IGNORED = 0.22
"""Offset up to which a window is neither positive nor negative."""
LONG_POSITIVE, LONG_IGNORED = 0.07, 0.25
"""The same two offsets as fractions of the ship's length, used where they are larger: the center
of a long ship is hard to locate."""
EDGE_PX = 2 * CELL_PX
"""Windows centered nearer to the canvas's edge are unlabeled: too much of them lies outside."""
RESOLVED_PX = 8.0
"""Windows around a ship shorter than this, in imagery pixels, are unknown instead of positive."""
VISIBLE_PX = 5.0
"""Windows around a ship shorter than this, in imagery pixels, are negative: it cannot be
distinguished from a whitecap."""

SHIP, NO_SHIP, UNKNOWN = 1, 0, -1


@dataclass(frozen=True)
class Placed:
    """A ship on a canvas, in network pixels; ``angle`` of the keel in radians from +x to +y."""

    x: float
    y: float
    length: float
    width: float
    angle: float


def network_gsd_m(image_gsd_m: float) -> float:
    """Return the meters per pixel of a canvas of an image, the same as in a search."""
    return search_gsd_m(image_gsd_m, FINEST_NET_GSD_M, NET_GSD_M)


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
    """Label the windows of a square canvas.

    Args:
        ships: All ships on the canvas and near it.
        canvas_px: Side of the canvas in network pixels.
        gsd_m: Meters per pixel of the imagery before it is enlarged to the canvas; determines
            which ships are visible.
        unknown: bool (canvas_px, canvas_px), True where unlabeled ships are possible. A window is
            unknown if its center region, in which a ship would make it positive, touches such a
            region, or if more than half of the window is unknown.
        edge_px: See `asked_centers`.

    Returns:
        Labels (rows, columns): 1 ship, 0 no ship, -1 unknown.
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
    """Return the label of a single window; positions of ships are relative to it."""
    return int(label_windows(ships, WINDOW_PX, gsd_m, unknown, WINDOW_PX // 2)[0, 0])
