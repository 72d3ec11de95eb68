"""Merge the ships of overlapping blocks into one list."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely

from shipdet.areas import Area
from shipdet.cluster.jobs.blocks import Block
from shipdet.detections import Detection, Detections
from shipdet.geometry import Floats, PixelBox, pixel_box

#: Two boxes are the same ship if this share of the smaller box lies in the other. The smaller one
#: may show only a part of the ship, cut by the edge of its block.
SAME_SHARE = 0.5


def owned(block: Block, candidates: Detections) -> Detections:
    """Select the candidates that a block keeps.

    Two blocks measure a ship on their border slightly differently, and each may place its center in
    the other's core. So a block also keeps ships whose center is up to half their length outside
    its core, and :func:`merge_blocks` removes duplicates.

    Args:
        block: The block.
        candidates: Ships in pixels of the block's image.

    Returns:
        The candidates to keep.
    """
    core, left, top = block.core, block.box.x0, block.box.y0
    kept = []
    for d in candidates:
        slack = _sides(d.corners[None])[0].max() / 2
        x, y = d.x + left, d.y + top
        if core.x0 - slack <= x < core.x1 + slack and core.y0 - slack <= y < core.y1 + slack:
            kept.append(d)
    return Detections(tuple(kept), candidates.floor)


def merge_blocks(
    found: Sequence[tuple[Block, Detections]], area: Area, zoom: int, floor: float
) -> Detections:
    """Merge the candidates of all blocks.

    Args:
        found: Each block with its candidates, in pixels of the block's image.
        area: The job's area; ships outside its polygon are left out.
        zoom: The zoom of the pixels.
        floor: The lowest score of a candidate.

    Returns:
        Ships in pixels of the whole area, in descending order of score, without duplicates. An
        uncut box takes precedence, then the box of the block whose core contains its center.
    """
    whole = pixel_box(area.box, zoom)
    ships, numbers, ranks = [], [], []
    for block, candidates in found:
        for d in candidates:
            ships.append(_moved(d, block, whole))
            numbers.append(block.number)
            ranks.append((d.cut, not _is_home(d, block), -d.score, block.number))
    twins = _same_ships(ships, numbers)
    kept: set[int] = set()
    for n in sorted(range(len(ships)), key=ranks.__getitem__):
        if kept.isdisjoint(twins[n]):
            kept.add(n)
    merged = [ships[n] for n in sorted(kept, key=lambda n: -ships[n].score)]
    if area.polygon is not None:
        inside = area.contains(np.array([(d.lon, d.lat) for d in merged], np.float64))
        merged = [d for d, here in zip(merged, inside, strict=True) if here]
    return Detections(tuple(replace(d, id=n) for n, d in enumerate(merged, start=1)), floor)


def _is_home(d: Detection, block: Block) -> bool:
    core, x, y = block.core, d.x + block.box.x0, d.y + block.box.y0
    return core.x0 <= x < core.x1 and core.y0 <= y < core.y1


def _moved(d: Detection, block: Block, whole: PixelBox) -> Detection:
    shift = np.array([block.box.x0 - whole.x0, block.box.y0 - whole.y0], np.float64)
    return replace(d, x=d.x + shift[0], y=d.y + shift[1], corners=d.corners + shift)


def _same_ships(ships: Sequence[Detection], numbers: Sequence[int]) -> list[set[int]]:
    """Return for each ship the indices of its duplicates in other blocks.

    Two boxes are the same ship if their centers are within half the length along and the width
    across the smaller box, or if ``SAME_SHARE`` of the smaller box lies in the other.
    """
    twins: list[set[int]] = [set() for _ in ships]
    if not ships:
        return twins
    corners = np.stack([d.corners for d in ships])
    boxes = shapely.polygons(corners)
    areas = shapely.area(boxes)
    zones = shapely.polygons(_twice_as_wide(corners))
    centers = shapely.points([(d.x, d.y) for d in ships])
    a, b = shapely.STRtree(centers).query(zones, predicate="intersects")
    near = areas[a] <= areas[b]
    c, d = shapely.STRtree(boxes).query(boxes, predicate="intersects")
    common = shapely.area(shapely.intersection(boxes[c], boxes[d]))
    inside = common >= SAME_SHARE * np.minimum(areas[c], areas[d])
    for n, m in [*zip(a[near], b[near], strict=True), *zip(c[inside], d[inside], strict=True)]:
        if numbers[n] != numbers[m]:  # ships of one block are distinct
            twins[n].add(int(m))
            twins[m].add(int(n))
    return twins


def _sides(corners: Floats) -> Floats:
    """Return the lengths of the two sides of rectangles (n, 4, 2): (n, 2)."""
    sides: Floats = np.linalg.norm(corners[:, 1:3] - corners[:, 0:2], axis=2)
    return sides


def _twice_as_wide(corners: Floats) -> Floats:
    """Return rectangles (n, 4, 2) with twice the width."""
    center = corners.mean(axis=1, keepdims=True)
    sides = corners[:, 1:3] - corners[:, 0:2]
    across = sides[np.arange(len(corners)), np.argmin(_sides(corners), axis=1)]
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    offset = corners - center
    wide: Floats = corners + (offset @ across[..., None]) * across[:, None]
    return wide
