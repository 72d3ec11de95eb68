"""Enlarge an image block by block.

In addition to the image and the result, only one batch of blocks and the strip where a row of
blocks fades into the row above are in memory.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from shipdet.errors import OutOfMemory
from shipdet.models.runtime import Upscaler
from shipdet.mosaic import Mask, Pixels, fill_uncovered
from shipdet.progress import Progress, Steps
from shipdet.upscale.focus import Focus
from shipdet.upscale.plan import Span, fade, spans

Counting = Literal["computed", "all", "none"]


@dataclass
class Blocks:
    """Size of blocks and of batches; both shrink when the device's memory is too small.

    Attributes:
        block_px: Longest side of a block.
        overlap_px: Smallest overlap of neighbors.
        ramp_px: Length of the fade in the middle of an overlap.
        batch: Blocks per call of the network.
    """

    block_px: int
    overlap_px: int
    ramp_px: int
    batch: int = 1

    def spans(self, length: int) -> list[Span]:
        """Return the blocks along one axis."""
        return spans(length, self.block_px, self.overlap_px, self.ramp_px)

    def shrink(self) -> None:
        """Halve the batch, or the block size if the batch is a single block.

        Raises:
            OutOfMemory: A smaller block would consist of overlap only.
        """
        if self.batch > 1:
            self.batch //= 2
            return
        half = self.block_px // 2
        if half < 2 * self.overlap_px:
            raise OutOfMemory(
                f"The device's memory is too small even for blocks of {self.block_px} px: close "
                "other programs, or choose the smaller super-resolution model or none."
            )
        self.block_px = half


def count_blocks(coverage: Mask, blocks: Blocks, focus: Focus | None = None) -> int:
    """Count the blocks with data that overlap the focus, if there is one."""
    height, width = coverage.shape
    across = blocks.spans(width)
    return sum(
        bool(coverage[y.start : y.stop, x.start : x.stop].any())
        and (focus is None or focus.meets(y, x))
        for y in blocks.spans(height)
        for x in across
    )


def tiled(
    pixels: Pixels,
    coverage: Mask,
    upscaler: Upscaler,
    blocks: Blocks,
    done: int,
    total: int,
    counting: Counting = "computed",
    wait: Callable[[int], Steps[None]] | None = None,
    focus: Focus | None = None,
) -> Steps[Pixels]:
    """Enlarge an image; pixels without data become black.

    Args:
        pixels: uint8 (h, w, 3).
        coverage: bool (h, w); a block without data is not computed.
        upscaler: The network.
        blocks: The division; shrunk in place when the device's memory is too small.
        done: Number of blocks that are already done, for progress events.
        total: Total number of blocks.
        counting: The blocks that increase ``done``: "computed" by the network, "all", or "none"
            for the parts of a divided block.
        wait: Waits for the rows above a given one while the image downloads.
        focus: Blocks that do not overlap it are interpolated and not counted; None for no focus.

    Returns:
        uint8 (scale * h, scale * w, 3).

    Raises:
        OutOfMemory: Even the smallest block is too large for the device.
    """
    scale = upscaler.scale
    height, width = coverage.shape
    result = np.zeros((height * scale, width * scale, 3), np.uint8)
    across = blocks.spans(width)
    for y in blocks.spans(height):
        if wait is not None:
            yield from wait(y.stop)
        rows = _Row(result, y, scale)
        waiting = [x for x in across if coverage[y.start : y.stop, x.start : x.stop].any()]
        done += len(across) - len(waiting) if counting == "all" else 0
        while waiting:
            selected = [focus is None or focus.meets(y, x) for x in waiting]
            size = bisect_right(list(accumulate(selected)), blocks.batch)
            group, waiting = waiting[:size], waiting[size:]
            sources = [_block(pixels, coverage, y, x) for x in group]
            chosen = [source for source, wanted in zip(sources, selected, strict=False) if wanted]
            enlarged: Iterator[Pixels] = iter(())
            if chosen:
                batch = np.stack(chosen)
                enlarged = iter((yield from _enlarge(batch, upscaler, blocks, done, total)))
            for x, source, wanted in zip(group, sources, selected, strict=False):
                rows.put(x, next(enlarged) if wanted else _interpolated(source, scale))
            done += len(chosen) if counting != "none" else 0
            yield Progress("upscale", done, total, "blocks")
        rows.finish()
        _blacken(result[y.first * scale : y.last * scale], coverage[y.first : y.last], scale)
    return result


def _enlarge(
    sources: Pixels, upscaler: Upscaler, blocks: Blocks, done: int, total: int
) -> Steps[Pixels]:
    """Enlarge a batch of blocks of equal size; divide it if the memory is too small.

    After an error only the failed batch is repeated, in smaller parts.
    """
    height, width = sources.shape[1:3]
    while max(height, width) <= blocks.block_px and len(sources) <= blocks.batch:
        try:
            return upscaler.upscale(sources)
        except OutOfMemory:
            blocks.shrink()
        yield Progress("upscale", done, total, "blocks", "smaller blocks: memory is short")
    if max(height, width) > blocks.block_px:
        everywhere = np.ones((height, width), np.bool_)
        parts = []
        for source in sources:
            part = yield from tiled(source, everywhere, upscaler, blocks, done, total, "none")
            parts.append(part)
        return np.stack(parts)
    parts = []
    for start in range(0, len(sources), blocks.batch):
        batch = sources[start : start + blocks.batch]
        parts.append((yield from _enlarge(batch, upscaler, blocks, done, total)))
    return np.concatenate(parts)


def _interpolated(source: Pixels, scale: int) -> Pixels:
    """Enlarge a block by bicubic interpolation."""
    size = (source.shape[1] * scale, source.shape[0] * scale)
    return np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_CUBIC), np.uint8)


class _Row:
    """Writes a row of blocks into the result.

    Its upper pixels, which fade in over the row above, are buffered until the row is complete. All
    others are written immediately.
    """

    def __init__(self, result: Pixels, y: Span, scale: int) -> None:
        self._y, self._scale = y, scale
        self._upper = result[y.first * scale : y.full * scale]
        self._rest = result[y.full * scale : y.last * scale]
        self._buffer = np.zeros_like(self._upper)

    def put(self, x: Span, block: Pixels) -> None:
        """Write an enlarged block, faded in over the block to its left."""
        scale, y = self._scale, self._y
        ramp = (y.full - y.first) * scale
        top = (y.first - y.start) * scale
        used = block[top : top + ramp + len(self._rest)]
        left = (x.first - x.start) * scale
        used = used[:, left : left + (x.last - x.first) * scale]
        columns = slice(x.first * scale, x.last * scale)
        weight = fade((x.full - x.first) * scale)[None, :, None]
        for target, source in ((self._buffer, used[:ramp]), (self._rest, used[ramp:])):
            _blend(target[:, columns], source, weight)

    def finish(self) -> None:
        """Fade the row in over the row above."""
        weight = fade(len(self._upper))[:, None, None]
        for start in range(0, self._upper.shape[1], 4096):  # limits the size of float copies
            columns = slice(start, start + 4096)
            _mix(self._upper[:, columns], self._buffer[:, columns], weight)


def _blend(target: Pixels, source: Pixels, weight: npt.NDArray[np.float32]) -> None:
    """Write ``source`` to ``target``; blend its first columns by ``weight`` (1, ramp, 1)."""
    ramp = weight.shape[1]
    _mix(target[:, :ramp], source[:, :ramp], weight)
    target[:, ramp:] = source[:, ramp:]


def _mix(target: Pixels, source: Pixels, weight: npt.NDArray[np.float32]) -> None:
    """Set ``target`` to target + weight * (source - target), rounded."""
    old = target.astype(np.float32)
    target[...] = np.rint(old + weight * (source - old))


def _block(pixels: Pixels, coverage: Mask, y: Span, x: Span) -> Pixels:
    """Return the pixels of a block, filled where they have no data."""
    cut = slice(y.start, y.stop), slice(x.start, x.stop)
    return fill_uncovered(pixels[cut], coverage[cut])


def _blacken(result: Pixels, coverage: Mask, scale: int) -> None:
    """Set enlarged pixels without coverage to black, in place, row by row."""
    for row in np.flatnonzero(~coverage.all(axis=1)):
        result[row * scale : (row + 1) * scale, np.repeat(~coverage[row], scale)] = 0
