"""Division of an image into overlapping blocks, and the blending of neighbors.

Along each axis, all blocks have the same length and are evenly spaced. In the middle of an overlap,
one block fades into the next over a ramp. On either side of the ramp, pixels come from the block
whose edge is farther away, because a block is less accurate near its edges.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

ALIGN_PX = 8
"""Block lengths are multiples of this, so that images of many sizes share few block sizes."""


@dataclass(frozen=True, slots=True)
class Span:
    """A block along one axis, in pixels of the image.

    Attributes:
        start: First pixel of the block.
        stop: Its end, exclusive.
        first: First used pixel, where the block starts to fade in over its predecessor.
        full: End of the fade.
        last: End of the used part, exclusive.
    """

    start: int
    stop: int
    first: int
    full: int
    last: int


def spans(length: int, block_px: int, overlap_px: int, ramp_px: int) -> list[Span]:
    """Divide one axis into blocks.

    Args:
        length: Length of the image.
        block_px: Longest block; longer than ``overlap_px``.
        overlap_px: Smallest number of pixels that neighbors share; at least ``ramp_px``.
        ramp_px: Length of the fade in the middle of an overlap.

    Raises:
        ValueError: The lengths contradict each other.
    """
    if not 0 <= ramp_px <= overlap_px < block_px:
        raise ValueError(f"a block of {block_px} px cannot overlap by {overlap_px} px")
    if length <= block_px:
        return [Span(0, length, 0, 0, length)]
    count = math.ceil((length - overlap_px) / (block_px - overlap_px))
    needed = math.ceil((length + (count - 1) * overlap_px) / count)
    size = min(block_px, length, ALIGN_PX * math.ceil(needed / ALIGN_PX))
    starts = [i * (length - size) // (count - 1) for i in range(count)]
    ramps = [
        (before + size + start - ramp_px) // 2  # the middle of the overlap
        for before, start in pairwise(starts)
    ]
    firsts = [0, *ramps]
    fulls = [0, *(ramp + ramp_px for ramp in ramps)]
    lasts = [*fulls[1:], length]
    return [
        Span(start, start + size, first, full, last)
        for start, first, full, last in zip(starts, firsts, fulls, lasts, strict=True)
    ]


def fade(length: int) -> npt.NDArray[np.float32]:
    """Return the weights of the next block over a ramp: float32 (length,), a half cosine.

    ``fade(n) + fade(n)[::-1]`` is 1, so blending two equal blocks does not change them.
    """
    middle = (np.arange(length) + 0.5) / length
    return (0.5 - 0.5 * np.cos(np.pi * middle)).astype(np.float32)
