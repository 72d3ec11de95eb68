"""Super-resolution in blocks: the same picture as in one piece, whatever the blocks."""

import tracemalloc

import cv2
import numpy as np
import pytest

from shipdet.errors import BadOption, OutOfMemory
from shipdet.geometry import Grid
from shipdet.models.config import UpscalerConfig
from shipdet.models.runtime import BackendInfo
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import Progress, finish
from shipdet.upscale import UpscaleOptions, upscale

SMALL = UpscaleOptions(block_px=48, overlap_px=16, ramp_px=8)


class Blur:
    """Enlarges four times after a 5x5 blur with black around, as a network with zero padding."""

    config = UpscalerConfig.model_validate(
        {
            "architecture": "RRDBNet",
            "shipdet": {"format": 1, "task": "super-resolution", "scale": 4, "sha256": "0" * 64},
        }
    )
    scale = 4
    backend = BackendInfo("torch", "cpu", "none", "fp32")

    def __init__(self, largest=10**9):
        self.largest = largest  # pixels that fit into memory
        self.calls = []

    def upscale(self, blocks):
        self.calls.append(blocks.shape)
        if blocks.shape[0] * blocks.shape[1] * blocks.shape[2] > self.largest:
            raise OutOfMemory("too large")
        return np.stack(
            [
                cv2.blur(b, (5, 5), borderType=cv2.BORDER_CONSTANT)
                .repeat(4, axis=0)
                .repeat(4, axis=1)
                for b in blocks
            ]
        )


def mosaic(height, width, seed=0, coverage=None):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    covered = np.ones((height, width), bool) if coverage is None else coverage
    grid = Grid(width, height, 2.0, 2.0, "EPSG:3857", (3.0, 0.0, 100.0, 0.0, -3.0, 200.0))
    return Mosaic(pixels, grid, covered, Provenance("test"))


def whole(picture):
    return Blur().upscale(picture.pixels[None])[0]


@pytest.mark.parametrize(
    "size", [(1, 1), (3, 5), (48, 48), (49, 48), (47, 131), (97, 160), (200, 33)]
)
@pytest.mark.parametrize("batch", [1, 3])
def test_blocks_give_the_same_picture_as_one_piece(size, batch):
    picture = mosaic(*size)
    options = UpscaleOptions(block_px=48, overlap_px=16, ramp_px=8, batch=batch)
    result = finish(upscale(picture, Blur(), 1, options))
    np.testing.assert_array_equal(result.pixels, whole(picture))


def test_grid_and_coverage_are_scaled_along():
    result = finish(upscale(mosaic(30, 50), Blur(), 1, SMALL))
    assert (result.grid.width, result.grid.height, result.grid.gsd_m) == (200, 120, 0.5)
    assert result.grid.transform == (0.75, 0.0, 100.0, 0.0, -0.75, 200.0)
    assert result.coverage.shape == (120, 200)
    assert result.provenance.source == "test"


def test_twice_is_sixteen_times():
    picture = mosaic(20, 24)
    once = finish(upscale(picture, Blur(), 1, SMALL))
    twice = finish(upscale(picture, Blur(), 2, SMALL))
    assert twice.pixels.shape == (320, 384, 3)
    np.testing.assert_array_equal(twice.pixels, finish(upscale(once, Blur(), 1, SMALL)).pixels)


def test_not_at_all_is_the_same_mosaic():
    picture, fake = mosaic(20, 20), Blur()
    assert finish(upscale(picture, fake, 0)) is picture
    assert fake.calls == []


@pytest.mark.parametrize("passes", [-1, 3])
def test_other_numbers_of_passes_are_refused(passes):
    with pytest.raises(BadOption, match="x16"):
        finish(upscale(mosaic(8, 8), Blur(), passes))


def test_blocks_smaller_than_their_overlap_are_refused():
    with pytest.raises(BadOption, match="overlap"):
        finish(upscale(mosaic(8, 8), Blur(), 1, UpscaleOptions(block_px=16, overlap_px=16)))


@pytest.mark.parametrize("passes", [1, 2])
def test_progress_counts_every_block_once(passes):
    events = []
    finish(upscale(mosaic(60, 100), Blur(), passes, SMALL), events.append)
    assert all(isinstance(e, Progress) and e.stage == "upscale" for e in events)
    assert [e.done for e in events] == list(range(len(events)))
    assert {e.total for e in events} == {len(events) - 1}


def test_closing_stops_at_the_next_block():
    fake = Blur()
    steps = upscale(mosaic(200, 200), fake, 1, SMALL)
    for _ in range(4):
        next(steps)
    steps.close()
    assert len(fake.calls) == 3


@pytest.mark.parametrize("batch", [1, 4])
def test_too_little_memory_makes_blocks_smaller_and_goes_on(batch):
    picture, events = mosaic(150, 150), []
    fake = Blur(largest=40 * 40)
    options = UpscaleOptions(block_px=64, overlap_px=12, ramp_px=4, batch=batch)
    result = finish(upscale(picture, fake, 1, options), events.append)
    np.testing.assert_array_equal(result.pixels, whole(picture))
    failed = [n * h * w > fake.largest for n, h, w, _ in fake.calls]
    assert sum(failed) == (1 if batch == 1 else 3)  # batch 4, 2, 1; then the block
    assert events[-1].done == events[-1].total
    assert [e.done for e in events] == sorted(e.done for e in events)
    assert any("memory" in e.note for e in events)


def test_memory_that_runs_short_midway_keeps_what_is_finished():
    picture = mosaic(150, 150)
    fake = Blur()
    events = upscale(picture, fake, 1, UpscaleOptions(block_px=64, overlap_px=12, ramp_px=4))
    for event in events:
        if event.done == 4:
            break
    before = len(fake.calls)
    fake.largest = 40 * 40
    result = finish(events)
    np.testing.assert_array_equal(result.pixels, whole(picture))
    large = [c for c in fake.calls[before:] if c[1] > 40]
    assert len(large) == 1  # the failed one; none of the first four is done again


def test_memory_that_is_too_small_for_any_block_is_an_error():
    with pytest.raises(OutOfMemory, match="smaller super-resolution model"):
        finish(upscale(mosaic(100, 100), Blur(largest=10), 1, SMALL))


def test_uncovered_pixels_are_black_without_ringing_outside():
    covered = np.ones((100, 120), bool)
    covered[:, 70:] = False
    covered[20:30, 10:30] = False
    picture = mosaic(100, 120, coverage=covered)
    flat = np.where(covered[..., None], 200, 0).astype(np.uint8).repeat(1, axis=2)
    picture = Mosaic(
        np.broadcast_to(flat, (100, 120, 3)).copy(), picture.grid, covered, picture.provenance
    )
    result = finish(upscale(picture, Blur(), 1, SMALL))
    large = covered.repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_array_equal(result.coverage, large)
    assert (result.pixels[~large] == 0).all()
    inner = large.copy()
    inner[:8] = inner[-8:] = False  # the blur's own dark border at the picture's edge
    inner[:, :8] = False
    assert (result.pixels[inner] == 200).all()


def test_blocks_without_coverage_are_not_computed():
    covered = np.zeros((200, 200), bool)
    covered[5:20, 5:20] = True
    fake = Blur()
    finish(upscale(mosaic(200, 200, coverage=covered), fake, 1, SMALL))
    assert len(fake.calls) == 1
    fake = Blur()
    result = finish(upscale(mosaic(50, 50, coverage=np.zeros((50, 50), bool)), fake, 1, SMALL))
    assert fake.calls == []
    assert not result.pixels.any()


def test_memory_beside_the_arrays_does_not_grow_with_the_picture():
    def extra(side):
        picture = mosaic(side, side)
        tracemalloc.start()
        result = finish(upscale(picture, Blur(), 1, SMALL))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - result.pixels.nbytes - result.coverage.nbytes

    assert extra(400) < 2.5 * extra(200)  # a strip is twice as wide, an area four times as large
