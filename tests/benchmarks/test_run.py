"""The benchmarks run and give every figure; what the figures are is not asserted."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks import before
from benchmarks.table import ROWS, table
from benchmarks.timing import EFFORTS
from benchmarks.upscaling import MODEL
from tests.helpers import PROJECT
from tests.helpers.tiny_models import needs_upscalers

RATIOS = {
    "dense_vs_naive",
    "dense_vs_exact",
    "upscale_vs_realesrganer",
    "openvino_vs_torch_classifier",
    "openvino_vs_torch_upscaler",
    "search_vs_pass",
    "fetch_parallel",
}
#: of an older checkout, and of benchmarks.cluster
ON_REQUEST = {"sample_vs_before", "large_vs_before", "cluster_two"}
MACHINE = {
    "cpu": "A processor", "cores": 4, "threads": 2, "memory_gb": 16.0, "load": 0.1,
    "torch": "2.14.1", "openvino": "2026.4.1", "precision": "fp32",
}  # fmt: skip


@pytest.fixture
def small_weights(tmp_path, make_upscaler):
    """The weights of the repository, but with a small network as the large upscaler."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for model in (PROJECT / "weights").iterdir():
        (folder / model.name).symlink_to(model)
    (folder / MODEL).unlink()
    make_upscaler(folder / MODEL)
    return folder


@needs_upscalers
@pytest.mark.timeout(1200)
def test_the_tiny_form_gives_every_figure(tmp_path, small_weights):
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks.run", "--tiny", "--json", str(out)]
    environment = os.environ | {"SHIPDET_WEIGHTS_DIR": str(small_weights)}
    printed = subprocess.run(
        command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
    )
    figures = json.loads(out.read_text())
    assert set(figures["ratios"]) == RATIOS
    assert all(value > 0 for value in figures["ratios"].values())
    assert figures["machine"]["cpu"] and figures["machine"]["threads"] >= 1
    assert figures["further"]["fetch_again_requests"] == 0
    known = {**figures["ratios"], **figures["further"]}
    assert {row.name for row in ROWS} - ON_REQUEST <= set(known)
    assert table(figures).splitlines()[0] in printed.stdout
    sys.stdout.write(table(figures))


def test_a_missed_target_is_reported_with_its_reason():
    figures = {
        "ratios": {"dense_vs_naive": 4.0, "fetch_parallel": 3.5},
        "further": {"dense_vs_naive_backend": "onnx", "import_s": 0.4},
        "machine": MACHINE,
        "effort": "quick",
    }
    text = table(figures)
    naive, fetch, started = (line for line in text.splitlines() if "x |" in line or " s |" in line)
    assert "(ONNX Runtime)" in naive and "missed: windows at stride 112" in naive
    assert fetch.endswith("| at least 3x | met |")
    assert "missed" in started
    assert "A processor, 2 of 4 cores used" in text


def test_the_target_of_super_resolution_depends_on_the_machine():
    figures = {"ratios": {"upscale_vs_realesrganer": 4.0}, "further": {}, "effort": "quick"}
    plain, half = (
        table(figures | {"machine": MACHINE | {"precision": precision}})
        for precision in ("fp32", "bf16")
    )
    assert "| at least 2x | met |" in plain
    assert "| at least 8x | missed" in half


def test_an_older_checkout_is_measured_beside_this_one():
    effort = EFFORTS["tiny"]
    assert before.sample_vs_before(effort, PROJECT) > 0
    assert before.large_vs_before(effort, PROJECT) > 0
