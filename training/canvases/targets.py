"""Training targets of both network outputs on a canvas, and masks of where they apply.

The targets of the map follow CenterNet (Zhou et al. 2019): a Gaussian around each center, here
aligned with the hull, and regressed values in the cells around it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shipdet.models.map_channels import MAP_STRIDE_PX
from training.canvases.canvas import Canvas, CanvasShip
from training.canvases.windows import NET_GSD_M, Placed, label_windows
from training.data.labeled import LAND, WATER

Target = dict[str, NDArray]

#: Standard deviation of a center's Gaussian as a fraction of length and width; its minima in cells.
SPREAD, LEAST_ALONG, LEAST_ACROSS = 0.09, 0.8, 0.7
#: Ships shorter than this many sensor pixels look like whitecaps and are masked.
SEEN_PX = 4.0
#: Shorter craft, in meters, are masked.
SHORTEST_M = 9.0


def size_of(ship: CanvasShip) -> tuple[float, float, float]:
    """Return (length, width, angle) in network pixels and radians.

    Width and angle are 0 if only an upright box is known.
    """
    along = ship.corners[1] - ship.corners[0]
    across = ship.corners[2] - ship.corners[1]
    first, second = float(np.hypot(*along)), float(np.hypot(*across))
    if ship.axis:
        return first, second, float(np.arctan2(along[1], along[0]))
    return float(0.96 * np.hypot(first, second)), 0.0, 0.0


def targets(canvas: Canvas) -> Target:
    """Compute the arrays for the loss; a cell has :data:`MAP_STRIDE_PX` network pixels per side.

    Returns:
        A dict with these arrays, in which masks are 1 where the loss applies:

        heat: float32 (rows, columns), 1 in the cell of a center.
        asked: float32 (rows, columns), mask of ``heat``; 0 where an unlabeled ship is possible.
        hull, hull_asked: float32 (rows, columns), the hulls and their mask.
        water, water_asked: float32 (rows, columns), the water and its mask.
        size: float32 (6, rows, columns): dx, dy, log length, log width, cos 2a, sin 2a.
        size_weight: float32 (6, rows, columns), weights of ``size``.
        smallest: float32 (rows, columns), log of the shortest labeled length in network pixels.
        windows: int64, labels of windows centered on the corners between cells of 16 px.
    """
    side = canvas.pixels.shape[0]
    cells = side // MAP_STRIDE_PX
    heat = np.zeros((cells, cells), np.float32)
    size = np.zeros((6, cells, cells), np.float32)
    weight = np.zeros((6, cells, cells), np.float32)
    known = canvas.known.astype(np.uint8)  # 0 or 1
    hull = np.zeros((side, side), np.uint8)
    hull_known = known.copy()
    water = canvas.water.copy()
    placed = []
    for ship in sorted(canvas.ships, key=lambda s: -np.abs(np.ptp(s.corners, axis=0)).max()):
        outline = ship.outline if ship.outline is not None else ship.corners
        polygon = [np.round(outline * 16 - 8).astype(np.int32)]
        if ship.outline is None:  # an upright box does not define the hull's outline
            cv2.fillPoly(hull_known, polygon, 0, shift=4)
            if ship.seen_px >= SEEN_PX:
                _paint_core(hull, hull_known, ship)
        else:
            cv2.fillPoly(hull, polygon, 1, shift=4)
            cv2.fillPoly(hull_known, polygon, 1, shift=4)
            cv2.fillPoly(water, polygon, WATER, shift=4)
        small = 0 < ship.length_m < SHORTEST_M
        if ship.seen_px < SEEN_PX or small:
            cv2.fillPoly(known, polygon, 0, shift=4)
            continue
        length, width, angle = size_of(ship)
        x, y = ship.corners.mean(axis=0)
        placed.append(Placed(float(x), float(y), length, max(width, length / 7), angle))
        _paint_center(heat, size, weight, ship)
    asked = _cells(known, cells)
    hull_asked = _cells(hull_known, cells)
    grid = cv2.resize(hull.astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA)
    wet = cv2.resize(
        (water == WATER).astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA
    )
    dry = cv2.resize(
        (water == LAND).astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA
    )
    labels = label_windows(placed, side, NET_GSD_M, ~canvas.known)
    asked = np.where(heat >= 1.0, 1.0, asked).astype(np.float32)
    smallest = canvas.smallest[::MAP_STRIDE_PX, ::MAP_STRIDE_PX]
    return {
        "heat": heat,
        "asked": asked,
        "hull": (grid >= 0.5).astype(np.float32),
        "hull_asked": hull_asked * (np.abs(grid - 0.5) > 0.15),
        "water": (wet > dry).astype(np.float32),
        "water_asked": (np.maximum(wet, dry) > 0.8).astype(np.float32),
        "size": size,
        "size_weight": weight,
        "smallest": np.log(np.maximum(smallest, 1.0)).astype(np.float32),
        "windows": labels,
    }


def _cells(known: NDArray[np.uint8], cells: int) -> NDArray[np.float32]:
    """Return 1 for each cell whose pixels are all known, else 0."""
    share = cv2.resize(known.astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA)
    return (share > 0.99).astype(np.float32)


def _paint_core(hull: NDArray[np.uint8], known: NDArray[np.uint8], ship: CanvasShip) -> None:
    """Mark the center of an upright box as hull, which is correct for any heading."""
    x, y = ship.corners.mean(axis=0)
    sides = np.linalg.norm(np.diff(ship.corners, axis=0, append=ship.corners[:1]), axis=1)
    radius = max(1, round(0.12 * float(min(sides))))
    for mask in (hull, known):
        cv2.circle(mask, (round(x), round(y)), radius, 1, -1)


def _paint_center(
    heat: NDArray[np.float32],
    size: NDArray[np.float32],
    weight: NDArray[np.float32],
    ship: CanvasShip,
) -> None:
    """Add the Gaussian of a ship, and its size where known."""
    cells = heat.shape[0]
    x, y = ship.corners.mean(axis=0) / MAP_STRIDE_PX
    column, row = int(np.floor(x)), int(np.floor(y))
    if not (0 <= column < cells and 0 <= row < cells):
        return
    length, width, angle = size_of(ship)
    along = max(SPREAD * length / MAP_STRIDE_PX, LEAST_ALONG)
    across = max(SPREAD * (width or length / 5) / MAP_STRIDE_PX, LEAST_ACROSS)
    if not ship.axis:
        along = across = max(0.5 * (along + across) * 0.8, LEAST_ALONG)
    reach = int(np.ceil(3 * along))
    rows = np.arange(max(0, row - reach), min(cells, row + reach + 1))
    columns = np.arange(max(0, column - reach), min(cells, column + reach + 1))
    away_x, away_y = columns[None, :] + 0.5 - x, rows[:, None] + 0.5 - y
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = cos * away_x + sin * away_y, -sin * away_x + cos * away_y
    bump = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2)).astype(np.float32)
    part = np.ix_(rows, columns)
    heat[part] = np.maximum(heat[part], np.minimum(bump, 0.95))
    heat[row, column] = 1.0
    doubled = 2 * angle
    values = np.array(
        [0, 0, np.log(max(length, 2.0)), np.log(max(width, 1.0)), np.cos(doubled), np.sin(doubled)]
    )
    certain = 1.0 if ship.sized else 0.0
    trust = [
        1.0,
        1.0,
        certain * (1.0 if ship.axis else 0.4),
        certain * bool(width),
        ship.axis,
        ship.axis,
    ]
    for dr in (-1, 0, 1):
        for dc in (-1, 0, 1):
            r, c = row + dr, column + dc
            if not (0 <= r < cells and 0 <= c < cells):
                continue
            if heat[r, c] >= 1.0 and (dr or dc):
                continue  # the center of another ship
            near = 1.0 if not (dr or dc) else 0.4
            size[:, r, c] = values
            size[0, r, c], size[1, r, c] = x - (c + 0.5), y - (r + 0.5)
            weight[:, r, c] = near * np.array(trust, np.float32)
