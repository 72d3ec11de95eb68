"""Assemble a downloaded image in memory or, if it is large, in a file."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from shipdet.geometry import TILE_PX, Grid
from shipdet.imagery.sources import Tile
from shipdet.imagery.tile_plan import Plan
from shipdet.mosaic import Mask, Mosaic, Picture, Pixels, Provenance
from shipdet.progress import Steps

Wait = Callable[[int], Steps[None]]
_TILE_BYTES = TILE_PX * TILE_PX * 4  # red, green, blue, coverage


class MosaicBuilder(Protocol):
    """Assembles tiles, in any order, into an image that is cropped to the plan."""

    any_covered: bool

    def put(self, x: int, y: int, tile: Tile) -> None:
        """Add a tile."""

    def picture(self, provenance: Provenance, wait: Wait | None) -> Picture:
        """Return the image; ``wait`` waits for rows while tiles are missing."""


class MemoryBuilder:
    """An image in memory."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.any_covered = False
        self._pixels: Pixels = np.zeros((plan.height_px, plan.width_px, 3), np.uint8)
        self._covered: Mask = np.zeros((plan.height_px, plan.width_px), np.bool_)

    def put(self, x: int, y: int, tile: Tile) -> None:
        """See :class:`MosaicBuilder`."""
        left, top = x * TILE_PX - self._plan.box.x0, y * TILE_PX - self._plan.box.y0
        height, width = self._covered.shape
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + TILE_PX, width), min(top + TILE_PX, height)
        cut = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        # The color of a transparent pixel is arbitrary, so it is set to black.
        self._pixels[y0:y1, x0:x1] = np.where(tile.covered[cut][..., None], tile.pixels[cut], 0)
        self._covered[y0:y1, x0:x1] = tile.covered[cut]
        self.any_covered |= bool(tile.covered[cut].any())

    def picture(self, provenance: Provenance, wait: Wait | None) -> Mosaic:
        """See :class:`MosaicBuilder`."""
        grid = Grid.from_tiles(self._plan.box, self._plan.zoom)
        return Mosaic(self._pixels, grid, self._covered, provenance, wait)


class FileBuilder:
    """An image in an unlinked file of uncompressed tiles, which is deleted when closed.

    Reads and writes are positional, so the downloading and the reading thread can share the file.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self.any_covered = False
        box = plan.box
        self._left, self._top = box.x0 // TILE_PX, box.y0 // TILE_PX
        self._columns = (box.x1 - 1) // TILE_PX - self._left + 1
        path = folder / "tiles.tmp"
        self._file = path.open("w+b", buffering=0)
        path.unlink()
        rows = (box.y1 - 1) // TILE_PX - self._top + 1
        os.ftruncate(self._file.fileno(), rows * self._columns * _TILE_BYTES)  # zeros: not covered

    def put(self, x: int, y: int, tile: Tile) -> None:
        """See :class:`MosaicBuilder`."""
        packed = np.dstack([tile.pixels, tile.covered.astype(np.uint8)])
        packed[~tile.covered] = 0
        data, offset = memoryview(packed.tobytes()), self._offset(x, y)
        while data:  # a write to an almost full disk may be partial
            written = os.pwrite(self._file.fileno(), data, offset)
            data, offset = data[written:], offset + written
        self.any_covered |= bool(tile.covered.any())

    def tile(self, x: int, y: int) -> Pixels:
        """Read a tile: uint8 (256, 256, 4), the last channel 1 where there is data."""
        data = os.pread(self._file.fileno(), _TILE_BYTES, self._offset(x, y))
        return np.frombuffer(data, np.uint8).reshape(TILE_PX, TILE_PX, 4)

    def picture(self, provenance: Provenance, wait: Wait | None) -> "FilePicture":
        """See :class:`MosaicBuilder`."""
        box = self._plan.box
        corner = (box.x0, box.y0)
        return FilePicture(self, corner, Grid.from_tiles(box, self._plan.zoom), provenance, wait)

    def _offset(self, x: int, y: int) -> int:
        return ((y - self._top) * self._columns + x - self._left) * _TILE_BYTES


@dataclass(frozen=True)
class FilePicture:
    """A downloaded image too large for memory; ``corner`` is its first global pixel."""

    builder: FileBuilder
    corner: tuple[int, int]
    grid: Grid
    provenance: Provenance
    arrival: Wait | None = None

    def wait(self, bottom: int) -> Steps[None]:
        """See :class:`~shipdet.mosaic.Picture`."""
        if self.arrival is not None:
            yield from self.arrival(bottom)

    def read(self, x0: int, y0: int, x1: int, y1: int) -> tuple[Pixels, Mask]:
        """See :class:`~shipdet.mosaic.Picture`."""
        left, top = x0 + self.corner[0], y0 + self.corner[1]
        packed = np.empty((y1 - y0, x1 - x0, 4), np.uint8)
        for y in range(top // TILE_PX, (top + y1 - y0 - 1) // TILE_PX + 1):
            for x in range(left // TILE_PX, (left + x1 - x0 - 1) // TILE_PX + 1):
                row, column = y * TILE_PX - top, x * TILE_PX - left
                part = self.builder.tile(x, y)[max(0, -row) :, max(0, -column) :]
                row, column = max(0, row), max(0, column)
                target = packed[row : row + part.shape[0], column : column + part.shape[1]]
                target[...] = part[: target.shape[0], : target.shape[1]]
        return packed[..., :3], packed[..., 3].astype(np.bool_)
