"""What the page shows."""

from dataclasses import replace

import pytest

from shipdet.errors import BadArea
from shipdet.pipeline import Estimate
from shipdet.progress import Progress
from shipdet.ui import html


def test_an_error_is_one_sentence_and_cannot_inject_markup():
    box = html.error_box(BadArea("No <script> here."))
    assert 'role="alert"' in box and "No &lt;script&gt; here." in box


def test_an_unexpected_error_tells_no_internals():
    box = html.error_box(RuntimeError("/secret/path exploded"))
    assert "secret" not in box and "log" in box


def test_the_estimate_tells_its_numbers_and_notes():
    box = html.estimate_box(
        Estimate(15, 1234, 4096, 2048, 4.78, 1.195, 134_217_728, 12.34, 200.0, ("Mind <this>.",))
    )
    for part in ("1,234 tiles", "4,096 × 2,048 px", "4.8 m per pixel, 1.2 m after super-resolution",
                 "12.3 MB", "about 3 min", "Mind &lt;this&gt;."):  # fmt: skip
        assert part in box


def test_progress_shows_count_bar_and_finished_stages():
    panel = html.ProgressPanel()
    panel.show(Progress("fetch", 4, 4, "tiles"))
    shown = panel.show(Progress("detect", 5, 20, "canvases", "on the <CPU>"))
    assert "Searching for ships<em>5 of 20 canvases</em>" in shown
    assert 'aria-valuenow="25"' in shown and "width:25%" in shown
    assert "<li><span>Downloading imagery</span>" in shown
    assert "on the &lt;CPU&gt;" in shown


def test_progress_without_a_total_shows_a_moving_bar():
    assert "sd-busy" in html.ProgressPanel().show(Progress("wait", 0, 0))


def test_one_thing_is_not_counted():
    shown = html.ProgressPanel().show(Progress("read", 0, 1, "images"))
    assert "<h3>Reading the image<em></em></h3>" in shown


def test_a_finished_step_does_not_come_back():
    panel = html.ProgressPanel()
    for event in (Progress("fetch", 4, 9, "tiles"), Progress("detect", 20, 20, "canvases")):
        panel.show(event)
    assert "Searching for ships" in panel.show(Progress("fetch", 9, 9, "tiles"))
    again = panel.show(Progress("fetch", 5, 9, "tiles"))
    assert "Downloading imagery<em>5 of 9" in again
    assert "Searching for ships" not in again, "the search goes on"


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.5, "0.50"), (0.1, "0.10"), (0.995, "0.995"), (0.999, "0.999")]
)
def test_the_threshold_is_shown_as_it_was_set(a_run, threshold, expected):
    assert f"Esri World Imagery. Score {expected} or more" in html.finished_box(
        replace(a_run, threshold=threshold)
    )


def test_remaining_time_follows_from_the_pace(monkeypatch):
    now = iter([0.0, 0.0, 10.0])
    monkeypatch.setattr(html.time, "monotonic", lambda: next(now))
    panel = html.ProgressPanel(started=0.0)
    panel.show(Progress("detect", 0, 20))
    panel.show(Progress("detect", 0, 20))
    assert "about 30 s left in this step" in panel.show(Progress("detect", 5, 20))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.2, "under a second"), (12.4, "12 s"), (600, "10 min"), (9000, "2.5 h"), (216_000, "2.5 d")],
)
def test_durations(seconds, expected):
    assert html.duration(seconds) == expected


def test_a_finished_run_tells_its_ships_and_weaker_candidates(a_run):
    box = html.finished_box(a_run)
    assert "2 ships found" in box and "1 candidate scored lower" in box and "12 s" in box
    assert "A &lt;note&gt;." in box


def test_a_finished_run_tells_what_it_ran_on(a_run):
    def box(**roles):
        return html.finished_box(replace(a_run, record={**a_run.record, "models": roles}))

    onnx = {"name": "onnx", "provider": "CPUExecutionProvider", "precision": "fp32"}
    torch = {"name": "torch", "provider": "CPU <AVX2>", "precision": "bf16"}
    names = {"classifier": "a", "upscaler": None}
    assert "<p>Ran on ONNX Runtime, CPUExecutionProvider, fp32.</p>" in box(
        classifier=onnx, upscaler=onnx, names=names
    )
    assert "Ran on PyTorch, CPU &lt;AVX2&gt;, bf16; ONNX Runtime, CPU" in box(
        classifier=torch, upscaler=onnx, names=names
    )
    assert "Ran on" not in html.finished_box(a_run), "a run that computed nothing"
