"""An image reduced to the classifier's scale by averaging, block by block on demand."""

from collections import OrderedDict

import cv2
import numpy as np

from shipdet.mosaic import Mask, Picture, Pixels
from shipdet.progress import Steps

#: Blocks are reduced independently, so a crop of a large image has the same pixels as the whole.
#: The edges of a block are rounded to whole pixels of the image.
BLOCK_PX = 512
ROWS_KEPT = 4  # rows of blocks: a row of canvases, 1,280 px high, touches up to 4


class Shrunk:
    """An image reduced to ``width`` x ``height`` pixels, read by windows."""

    def __init__(self, picture: Picture, width: int, height: int) -> None:
        self._picture = picture
        self.width, self.height = width, height
        self._most = ROWS_KEPT * -(-width // BLOCK_PX)
        self._blocks: OrderedDict[tuple[int, int], tuple[Pixels, Mask]] = OrderedDict()

    def wait(self, bottom: int) -> Steps[None]:
        """Wait until the source pixels of all rows above ``bottom`` are downloaded."""
        last = min(self.height, -(-bottom // BLOCK_PX) * BLOCK_PX)
        yield from self._picture.wait(self._row(last))

    def read(self, x0: int, y0: int, x1: int, y1: int) -> tuple[Pixels, Mask]:
        """Read a window: uint8 (h, w, 3), and bool (h, w), True where a pixel is fully covered."""
        pixels = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
        mask = np.empty((y1 - y0, x1 - x0), np.bool_)
        for top in range(y0 // BLOCK_PX * BLOCK_PX, y1, BLOCK_PX):
            for left in range(x0 // BLOCK_PX * BLOCK_PX, x1, BLOCK_PX):
                block, covered = self._block(left, top)
                inner = (
                    slice(max(y0 - top, 0), y1 - top),
                    slice(max(x0 - left, 0), x1 - left),
                )
                part = block[inner]
                y, x = max(top, y0) - y0, max(left, x0) - x0
                place = slice(y, y + part.shape[0]), slice(x, x + part.shape[1])
                pixels[place], mask[place] = part, covered[inner]
        return pixels, mask

    def _row(self, row: int) -> int:
        return round(row * self._picture.grid.height / self.height)

    def _column(self, column: int) -> int:
        return round(column * self._picture.grid.width / self.width)

    def _block(self, left: int, top: int) -> tuple[Pixels, Mask]:
        if (left, top) not in self._blocks:
            self._blocks[left, top] = self._reduced(left, top)
            if len(self._blocks) > self._most:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end((left, top))
        return self._blocks[left, top]

    def _reduced(self, left: int, top: int) -> tuple[Pixels, Mask]:
        right, bottom = min(left + BLOCK_PX, self.width), min(top + BLOCK_PX, self.height)
        source, covered = self._picture.read(
            self._column(left), self._row(top), self._column(right), self._row(bottom)
        )
        size = (right - left, bottom - top)
        pixels = np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_AREA), np.uint8)
        if covered.all():
            return pixels, np.ones(pixels.shape[:2], np.bool_)
        share = cv2.resize(covered.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return pixels, share > 0.999
