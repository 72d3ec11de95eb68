"""Estimates of a process that has not searched yet."""

import pytest

from shipdet import pace


@pytest.mark.parametrize(
    "work", ["fetch", "detect", "upscale:realesrgan-x4plus", "upscale:unknown", "report"]
)
def test_work_that_was_never_done_has_an_estimate(work):
    assert pace.seconds(work, 1e6) > 0
    assert pace.seconds(work, 2e6) == pytest.approx(2 * pace.seconds(work, 1e6))
