"""Estimates from the throughput of this machine."""

import time

import pytest

from shipdet import pace
from shipdet.progress import Progress, finish, mapped


@pytest.mark.parametrize(
    "work", ["fetch", "detect", "upscale:realesrgan-x4plus", "upscale:unknown", "report"]
)
def test_work_that_was_never_done_has_an_estimate(work):
    assert pace.seconds(work, 1e6) > 0
    assert pace.seconds(work, 2e6) == pytest.approx(2 * pace.seconds(work, 1e6))


def test_waiting_is_the_time_before_events_of_the_download(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def search():
        for stage, took_s in (("detect", 1), ("fetch", 10), ("fetch", 20), ("detect", 2)):
            now[0] += took_s
            yield Progress(stage, 0, 0)

    waiting = pace.Waiting()
    finish(mapped(search(), waiting))
    assert waiting.seconds == 30
