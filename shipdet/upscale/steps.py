"""The super-resolution step of the pipeline: enlarge a mosaic once or twice."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from shipdet.errors import BadOption
from shipdet.models.runtime import Upscaler
from shipdet.mosaic import Mask, Mosaic
from shipdet.progress import Progress, Steps
from shipdet.upscale.focus import Focus
from shipdet.upscale.tiling import Blocks, count_blocks, tiled

# Share of pixels within one gray level of the same image upscaled in one piece. Measured on a
# harbor photograph and an Esri mosaic with blocks of 128 px and a ramp of 8 px.
#
#   overlap             16      24      32      48      64 px
#   SRVGGNetCompact   98.4    99.7    99.96  100     100 %    (largest difference at 48 px: 1)
#   RRDBNet           80.2    86.0    90.1    93.8    96.9 %
#
# The receptive field of RRDBNet spans hundreds of pixels (345 consecutive convolutions), so its
# blocks differ from one piece at any overlap. At 48 px, 97.8 % are within two gray levels, for 1.8
# times the computation without overlap.
OVERLAP_PX = {"RRDBNet": 48, "SRVGGNetCompact": 48}
RAMP_PX = 8

# Larger blocks have less overlap, smaller blocks fit on small machines. In float32, in addition to
# the weights, x4plus needs 440 MB for a block of 192 px, general-x4v3 80 MB for one of 256 px.
BLOCK_PX = {
    "RRDBNet": {"cpu": 192, "cuda": 512},
    "SRVGGNetCompact": {"cpu": 256, "cuda": 512},
}
BATCH = {"cpu": 1, "cuda": 4}


@dataclass(frozen=True, slots=True)
class UpscaleOptions:
    """Options of the division into blocks; None for the default of the network and the device.

    Attributes:
        block_px: Longest side of a block.
        overlap_px: Smallest overlap of neighbors.
        ramp_px: Length of the fade in the middle of an overlap.
        batch: Blocks per call of the network.
    """

    block_px: int | None = None
    overlap_px: int | None = None
    ramp_px: int | None = None
    batch: int | None = None

    def blocks(self, upscaler: Upscaler) -> Blocks:
        """Return the division for an upscaler.

        Raises:
            BadOption: A block is not longer than its overlap, or the overlap is shorter than its
                ramp.
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

    Closing the generator cancels the step after the current batch of blocks.

    Args:
        mosaic: The image. Rows that are still downloading are awaited when they are needed.
        upscaler: The network.
        passes: 0, 1 or 2.
        options: The division into blocks; None for the defaults.
        focus: In pixels of the mosaic; the network processes only blocks that overlap it, other
            blocks are interpolated. None for the whole image.

    Returns:
        The enlarged mosaic, with scaled grid and coverage. Pixels without data are black.

    Raises:
        BadOption: ``passes`` is not 0, 1 or 2, or the blocks are too small for their overlap.
        OutOfMemory: Even the smallest block is too large for the device.
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
            "all" if arriving else "computed",  # empty blocks are not known in advance
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


def count_enlarged(
    mosaic: Mosaic,
    upscaler: Upscaler,
    passes: Literal[0, 1, 2] = 1,
    options: UpscaleOptions | None = None,
    focus: Focus | None = None,
) -> tuple[int, int]:
    """Count the blocks that :func:`upscale` passes through the network.

    The download of the mosaic must be complete. A block that is divided for lack of memory counts
    once. The arguments are those of :func:`upscale`.

    Returns:
        The numbers of blocks with the focus and without it.
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
    """Count the blocks for the network in each pass."""
    counts = []
    for number in range(passes):
        if number:
            coverage = _enlarged(coverage, scale)
            focus = focus and focus.scaled(scale)
        counts.append(count_blocks(coverage, blocks, focus))
    return counts


def _enlarged(coverage: Mask, scale: int) -> Mask:
    return coverage.repeat(scale, axis=0).repeat(scale, axis=1)
