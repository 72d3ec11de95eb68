"""Super-resolution only where a focus lies: which blocks, and how they meet the others."""

import cv2
import numpy as np
import pytest

from shipdet.progress import finish
from shipdet.upscale import Focus, UpscaleOptions, count_enlarged, upscale
from shipdet.upscale.plan import Span
from tests.upscale.test_upscale import SMALL, Blur, mosaic

NOWHERE = Focus(np.empty((0, 2)), (10.0, 10.0))


def at(x, y, reach=4.0):
    return Focus(np.array([[x, y]], np.float64), (reach, reach))


class Bicubic(Blur):
    """What the other blocks get, some gray levels brighter."""

    def __init__(self, brighter=0, **options):
        super().__init__(**options)
        self.brighter = brighter

    def upscale(self, blocks):
        height, width = super().upscale(blocks).shape[1:3]
        return np.stack(
            [
                cv2.add(cv2.resize(b, (width, height), interpolation=cv2.INTER_CUBIC),
                        np.full((height, width, 3), self.brighter, np.uint8))
                for b in blocks
            ]
        )  # fmt: skip


@pytest.mark.parametrize(
    ("x", "y", "meets"),
    [(30, 30, True), (7, 30, True), (5.9, 30, False), (54.1, 30, False), (30, 5, False),
     (30, 53, True), (5, 5, False)],
)  # fmt: skip
def test_a_rectangle_meets_the_part_of_a_block_that_is_used(x, y, meets):
    used = Span(start=2, stop=60, first=10, full=14, last=50)
    assert at(x, y).meets(used, used) is meets


def test_on_an_enlarged_picture_a_focus_lies_where_it_lay():
    focus = at(10, 20, 3.0).scaled(4)
    assert (focus.points.tolist(), focus.reach) == ([[40.0, 80.0]], (12.0, 12.0))


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("focus", [at(10, 10), at(75, 40), at(24, 24, 60.0), NOWHERE])
def test_the_network_gets_the_blocks_of_the_focus_and_no_other(focus, passes):
    picture, fake, events = mosaic(80, 150), Blur(), []
    finish(upscale(picture, fake, passes, SMALL, focus), events.append)
    some, whole = count_enlarged(picture, fake, passes, SMALL, focus)
    assert len(fake.calls) == some < whole
    assert events[-1].done == events[-1].total == some
    assert (some == 0) == (focus is NOWHERE)
    assert [e.done for e in events] == sorted(e.done for e in events)


def test_a_picture_without_focus_is_interpolated_as_in_one_piece():
    picture, fake = mosaic(90, 130), Blur()
    result = finish(upscale(picture, fake, 1, SMALL, NOWHERE)).pixels
    assert fake.calls == []
    whole = cv2.resize(picture.pixels, (520, 360), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(result, whole)


def test_an_interpolating_network_leaves_no_trace_of_blocks():
    picture = mosaic(90, 130)
    some = finish(upscale(picture, Bicubic(), 1, SMALL, at(60, 40))).pixels
    none = finish(upscale(picture, Bicubic(), 1, SMALL, NOWHERE)).pixels
    np.testing.assert_array_equal(some, none)


def test_enlarged_blocks_fade_into_the_others_without_a_seam():
    picture = mosaic(150, 150)
    picture.pixels[:] = 100
    result = finish(upscale(picture, Bicubic(60), 1, SMALL, at(75, 75))).pixels.astype(int)
    assert result.min() == 100 and result.max() == 160
    # A fade of 8 px, enlarged to 32, that is steepest in its middle: 60 * pi / 2 / 32 levels a px.
    for axis in (0, 1):
        assert np.abs(np.diff(result, axis=axis)).max() <= 4


@pytest.mark.parametrize("batch", [1, 3])
def test_enlarged_pixels_are_those_of_the_whole_way(batch):
    picture, focus = mosaic(150, 200), at(100, 75)
    options = UpscaleOptions(block_px=48, overlap_px=16, ramp_px=8, batch=batch)
    some = finish(upscale(picture, Blur(), 1, options, focus)).pixels
    whole = finish(upscale(picture, Blur(), 1, options)).pixels
    around = slice(71 * 4, 79 * 4), slice(96 * 4, 104 * 4)
    np.testing.assert_array_equal(some[around], whole[around])
    assert (some[:40, :40] != whole[:40, :40]).any()


def test_too_little_memory_shrinks_only_the_blocks_of_the_focus():
    picture, events = mosaic(150, 150), []
    options = UpscaleOptions(block_px=64, overlap_px=12, ramp_px=4)
    fake = Blur(largest=40 * 40)
    result = finish(upscale(picture, fake, 1, options, at(75, 75)), events.append)
    expected = finish(upscale(picture, Blur(), 1, options, at(75, 75)))
    np.testing.assert_array_equal(result.pixels, expected.pixels)
    assert any("memory" in event.note for event in events)
    assert events[-1].done == events[-1].total == count_enlarged(
        picture, fake, 1, options, at(75, 75)
    )[0]  # fmt: skip


def test_closing_stops_at_the_next_block_or_row_of_others():
    fake = Blur()
    steps = upscale(mosaic(200, 200), fake, 1, SMALL, at(100, 190, 60.0))
    for event in steps:
        if event.done == 1:
            break
    steps.close()
    assert len(fake.calls) == 1


def test_uncovered_blocks_of_the_focus_are_not_counted():
    covered = np.ones((150, 150), bool)
    covered[:, 80:] = False
    picture, fake = mosaic(150, 150, coverage=covered), Blur()
    focus = at(80, 75, 60.0)
    result = finish(upscale(picture, fake, 1, SMALL, focus))
    assert len(fake.calls) == count_enlarged(picture, fake, 1, SMALL, focus)[0]
    assert not result.pixels[:, 80 * 4 :].any() and result.pixels[:, : 80 * 4].any()
