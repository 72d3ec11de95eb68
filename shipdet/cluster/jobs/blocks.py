"""Divide an area into blocks that workers search independently."""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import product

from shipdet.areas import Area
from shipdet.detections import LONGEST_SHIP_M
from shipdet.errors import AreaTooLarge
from shipdet.geometry import (
    TILE_PX,
    BBox,
    PixelBox,
    gsd_at,
    pixel_box,
    pixel_to_lonlat,
    tiles_of,
)

#: Largest side of a block, including its overlap.
BLOCK_PX = 2048
#: Overlap around the core of a block: half the longest ship, whose center may be on the border.
REACH_M = LONGEST_SHIP_M / 2

#: Pixels between possible starts of a window, in x and y.
WindowGrid = tuple[float, float]


@dataclass(frozen=True)
class Block:
    """A part of an area, in global pixels of the job's zoom.

    Attributes:
        number: Position in the order of blocks.
        box: The pixels that are downloaded and searched.
        core: The part whose ships belong to the block; cores do not overlap.
    """

    number: int
    box: PixelBox
    core: PixelBox

    @property
    def tiles(self) -> int:
        """Number of map tiles that cover the block."""
        return len(tiles_of(self.box))


def cut_area(
    area: Area, zoom: int, limit: int, side_px: int = BLOCK_PX, window_grid: WindowGrid = (1.0, 1.0)
) -> list[Block]:
    """Divide an area into blocks, row by row, without blocks outside its polygon.

    An area of at most ``side_px`` per side is one block, cropped to the pixel. Otherwise cores
    start and end at tile corners, and boxes lie on the window grid, which starts at the area's
    corner. So the windows of a block have the same positions as in the whole image.

    Args:
        area: The area.
        zoom: The map zoom of the pixels.
        limit: Largest number of blocks.
        side_px: Largest side of a block, see :func:`largest_side`.
        window_grid: Pixels from one window to the next.

    Returns:
        The blocks.

    Raises:
        AreaTooLarge: The area needs more than ``limit`` blocks.
    """
    whole = pixel_box(area.box, zoom)
    overlap = overlap_px(gsd_at(area.box.center[1], zoom), side_px)
    core_px = side_px - 2 * overlap
    whole_px = side_px if max(whole.width, whole.height) <= side_px else core_px
    columns = _edges(whole.x0, whole.x1, whole_px)
    rows = _edges(whole.y0, whole.y1, whole_px)
    reached = [_reached(part, zoom, columns, rows) for part in area.parts]
    count = max(len(down) * len(across) for down, across in reached)
    cells: list[tuple[int, int]] = []
    if count <= limit:  # otherwise the list could be huge
        cells = sorted({cell for down, across in reached for cell in product(down, across)})
        count = len(cells)
    if count > limit:
        raise AreaTooLarge(
            f"The area needs {count:,} blocks at zoom {zoom}, and a job may have {limit:,}: "
            "choose a lower zoom, or submit it in parts."
        )
    blocks: list[Block] = []
    for row, column in cells:
        core = PixelBox(columns[column], rows[row], columns[column + 1], rows[row + 1])
        if count == 1 or area.touches(box_degrees(core, zoom)):
            blocks.append(Block(len(blocks), _grown(core, overlap, whole, window_grid), core))
    return blocks


def largest_side(searched_px: float, passes: int) -> int:
    """Return the largest side of a block, a multiple of the tile size.

    After ``passes`` of super-resolution (x4 each), a block has at most ``searched_px`` pixels.
    """
    side = math.isqrt(int(searched_px / 16**passes)) // TILE_PX * TILE_PX
    return max(2 * TILE_PX, min(BLOCK_PX, side))


def overlap_px(gsd_m: float, side_px: int = BLOCK_PX) -> int:
    """Return the overlap: at least ``REACH_M`` in half tiles, at most a quarter of the side."""
    half = TILE_PX // 2
    wanted = max(1, math.ceil(REACH_M / gsd_m / half))
    return min(wanted, max(1, side_px // 4 // half)) * half


def box_degrees(box: PixelBox, zoom: int) -> BBox:
    """Convert a box of global pixels to degrees; :func:`pixel_box` is the inverse."""
    corners = pixel_to_lonlat([[box.x0, box.y0], [box.x1, box.y1]], zoom)
    (west, north), (east, south) = corners.tolist()
    return BBox(west, south, east, north)


def _reached(part: BBox, zoom: int, columns: list[int], rows: list[int]) -> tuple[range, range]:
    """Return the rows and columns of the cores that a part of an area overlaps."""
    box = pixel_box(part, zoom)
    return (
        range(max(0, bisect_right(rows, box.y0) - 1), bisect_left(rows, box.y1)),
        range(max(0, bisect_right(columns, box.x0) - 1), bisect_left(columns, box.x1)),
    )


def _edges(start: int, end: int, core_px: int) -> list[int]:
    """Return the edges of the cores along one axis: tile corners, and the ends of the area."""
    if end - start <= core_px:
        return [start, end]
    first = start // TILE_PX * TILE_PX
    inner = [edge for edge in range(first + core_px, end, core_px) if edge > start]
    # A last strip narrower than half a tile joins the previous block, whose overlap includes it.
    if end - inner[-1] < TILE_PX // 2:
        inner.pop()
    return [start, *inner, end]


def _grown(core: PixelBox, overlap: int, whole: PixelBox, window_grid: WindowGrid) -> PixelBox:
    """Return the core with its overlap, extended to the window grid within the area."""
    x0, x1 = _reach(core.x0 - overlap, core.x1 + overlap, whole.x0, whole.x1, window_grid[0])
    y0, y1 = _reach(core.y0 - overlap, core.y1 + overlap, whole.y0, whole.y1, window_grid[1])
    return PixelBox(x0, y0, x1, y1)


def _reach(start: int, end: int, first: int, last: int, step: float) -> tuple[int, int]:
    start = first + round(math.floor((start - first) / step) * step)
    end = first + round(math.ceil((end - first) / step) * step)
    return max(first, start), min(last, end)
