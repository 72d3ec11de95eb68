"""The step of the pipeline: a mosaic, enlarged once or twice."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from shipdet.errors import BadOption
from shipdet.models.runtime import Upscaler
from shipdet.mosaic import Mask, Mosaic
from shipdet.progress import Progress, Steps
from shipdet.upscale.focus import Focus
from shipdet.upscale.tiling import Blocks, count_blocks, tiled

# Measured on a harbor photograph and an Esri mosaic in blocks of 128 px, a ramp of 8 px: the
# share of pixels that are within one gray level of the picture upscaled in one piece.
#
#   overlap             16      24      32      48      64 px
#   SRVGGNetCompact   98.4    99.7    99.96  100     100 %    (largest difference at 48 px: 1)
#   RRDBNet           80.2    86.0    90.1    93.8    96.9 %
#
# RRDBNet sees hundreds of pixels (345 convolutions in a row), so no overlap makes its blocks equal
# to one piece; at 48 px 97.8 % are within two gray levels, for 1.8 times the work of no overlap.
OVERLAP_PX = {"RRDBNet": 48, "SRVGGNetCompact": 48}
RAMP_PX = 8

# Large enough that overlaps do not cost too much, small enough for the memory of a small machine:
# beside its weights x4plus takes 440 MB for a block of 192 px in float32, general-x4v3 80 MB for
# one of 256 px.
BLOCK_PX = {
    "RRDBNet": {"cpu": 192, "cuda": 512},
    "SRVGGNetCompact": {"cpu": 256, "cuda": 512},
}
BATCH = {"cpu": 1, "cuda": 4}


@dataclass(frozen=True, slots=True)
class UpscaleOptions:
    """How a picture is divided; None means what suits the network and the device."""

    block_px: int | None = None
    overlap_px: int | None = None
    ramp_px: int | None = None
    batch: int | None = None

    def blocks(self, upscaler: Upscaler) -> Blocks:
        """The division for an upscaler.

        Raises:
            BadOption: blocks that are all overlap.
        """
        network, device = upscaler.config.architecture, upscaler.backend.device
        overlap = OVERLAP_PX[network] if self.overlap_px is None else self.overlap_px
        ramp = min(overlap, RAMP_PX) if self.ramp_px is None else self.ramp_px
        block = self.block_px or BLOCK_PX[network][device]
        if not 0 <= ramp <= overlap < block:
            raise BadOption(
                f"Blocks of {block} px cannot overlap by {overlap} px with a ramp of {ramp} px."
            )
        return Blocks(block, overlap, ramp, self.batch or BATCH[device])


def upscale(
    mosaic: Mosaic,
    upscaler: Upscaler,
    passes: Literal[0, 1, 2] = 1,
    options: UpscaleOptions | None = None,
    focus: Focus | None = None,
) -> Steps[Mosaic]:
    """Enlarge a mosaic by the upscaler's scale, ``passes`` times.

    Yields after every block, so that closing the generator cancels the step there. Coverage and
    grid are scaled along; pixels without data stay black and uncovered, and blocks that have
    nothing else are not computed. Rows that are still arriving are waited for as they are needed.
    With a ``focus``, in pixels of the mosaic, only blocks that it meets go through the network:
    the others are interpolated, and blended with their neighbors like all blocks.

    Raises:
        BadOption: passes is not 0, 1 or 2, or the blocks are too small for their overlap.
        OutOfMemory: even the smallest block is too large for the device.
    """
    if passes not in (0, 1, 2):
        raise BadOption("Super-resolution runs once (x4), twice (x16) or not at all.")
    blocks = (options or UpscaleOptions()).blocks(upscaler)
    if focus is not None:
        yield from mosaic.wait(mosaic.grid.height)
    arriving = mosaic.arrival is not None and focus is None
    known = np.ones_like(mosaic.coverage) if arriving else mosaic.coverage
    counts = _counts(known, blocks, upscaler.scale, passes, focus)
    del known
    total, done = sum(counts), 0
    if passes:
        yield Progress("upscale", 0, total, "blocks")
    for count in counts:
        pixels = yield from tiled(
            mosaic.pixels,
            mosaic.coverage,
            upscaler,
            replace(blocks),
            done,
            total,
            "all" if arriving else "computed",  # which are empty is not known before
            mosaic.wait,
            focus,
        )
        covered = _enlarged(mosaic.coverage, upscaler.scale)
        height, width = covered.shape
        grid = mosaic.grid.scaled(width, height)
        mosaic = Mosaic(pixels, grid, covered, mosaic.provenance)
        done += count
        focus = focus and focus.scaled(upscaler.scale)
    return mosaic


def count_sharpened(
    mosaic: Mosaic,
    upscaler: Upscaler,
    passes: Literal[0, 1, 2] = 1,
    options: UpscaleOptions | None = None,
    focus: Focus | None = None,
) -> tuple[int, int]:
    """Count the blocks that :func:`upscale` computes with the network, with and without a focus.

    The mosaic must be downloaded. Blocks that are divided for lack of memory count as one.
    """
    blocks = (options or UpscaleOptions()).blocks(upscaler)
    some, whole = (
        sum(_counts(mosaic.coverage, blocks, upscaler.scale, passes, chosen))
        for chosen in (focus, None)
    )
    return some, whole


def _counts(
    coverage: Mask, blocks: Blocks, scale: int, passes: int, focus: Focus | None
) -> list[int]:
    """Blocks for the network, for each pass."""
    counts = []
    for number in range(passes):
        if number:
            coverage = _enlarged(coverage, scale)
            focus = focus and focus.scaled(scale)
        counts.append(count_blocks(coverage, blocks, focus))
    return counts


def _enlarged(coverage: Mask, scale: int) -> Mask:
    return coverage.repeat(scale, axis=0).repeat(scale, axis=1)
