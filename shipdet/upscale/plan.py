"""How a picture is divided into overlapping blocks, and how neighbors are blended.

Along each axis all blocks are equally long and evenly spread. Where two overlap, the outer parts
of the overlap lack surroundings for one of the two and are taken from the other alone; between
them, over a ramp, one fades into the other.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

ALIGN_PX = 8
"""Block lengths are multiples of this, so that pictures of many sizes share few block sizes."""


@dataclass(frozen=True, slots=True)
class Span:
    """A block along one axis, in pixels of the picture.

    The block covers ``start`` to ``stop``; it is used from ``first`` to ``last``. From ``first``
    to ``full`` it fades in over its predecessor.
    """

    start: int
    stop: int
    first: int
    full: int
    last: int


def spans(length: int, block_px: int, overlap_px: int, ramp_px: int) -> list[Span]:
    """Blocks along one axis.

    Args:
        length: of the picture.
        block_px: longest block; longer than ``overlap_px``.
        overlap_px: least number of pixels that neighbors share; at least ``ramp_px``.
        ramp_px: length of the fade in the middle of an overlap.
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
        (before + size + start - ramp_px) // 2  # the middle of what the two share
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
    """Weights of the new block over a ramp of this many pixels: a half cosine between 0 and 1.

    ``fade(n) + fade(n)[::-1]`` is 1, so that two equal blocks blend into the same picture.
    """
    middle = (np.arange(length) + 0.5) / length
    return (0.5 - 0.5 * np.cos(np.pi * middle)).astype(np.float32)
