"""Blocks cover a picture exactly, are equally long, and fade into one another."""

from itertools import pairwise

import numpy as np
import pytest

from shipdet.upscale.plan import fade, spans


@pytest.mark.parametrize("length", [1, 7, 64, 65, 100, 127, 128, 129, 500, 1003])
@pytest.mark.parametrize(("block", "overlap", "ramp"), [(64, 16, 8), (64, 20, 20), (48, 9, 4)])
def test_every_pixel_is_used_once_outside_the_ramps(length, block, overlap, ramp):
    parts = spans(length, block, overlap, ramp)
    assert parts[0].first == parts[0].full == 0
    assert parts[-1].last == length
    assert len({p.stop - p.start for p in parts}) == 1
    for before, after in pairwise(parts):
        assert before.stop - after.start >= overlap
        assert before.last == after.full == after.first + ramp
        # What is thrown away on both sides of the ramp is as wide as the overlap allows.
        assert after.first - after.start >= (overlap - ramp) // 2
        assert before.stop - before.last >= (overlap - ramp) // 2
    for part in parts:
        assert part.start <= part.first <= part.full <= part.last <= part.stop
        assert part.stop - part.start <= block


def test_blocks_are_no_longer_than_needed():
    assert {p.stop - p.start for p in spans(130, 128, 16, 8)} == {80}


def test_blocks_that_are_all_overlap_are_refused():
    with pytest.raises(ValueError, match="overlap"):
        spans(100, 32, 32, 8)


def test_a_fade_and_its_mirror_make_one():
    weights = fade(16)
    np.testing.assert_allclose(weights + weights[::-1], 1, atol=1e-6)
    assert (np.diff(weights) > 0).all()
