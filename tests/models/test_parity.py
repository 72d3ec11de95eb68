"""Every shipped model, on every backend and in every precision that a CPU can run, alike.

The reference is PyTorch in float32. Half precision is slow on most CPUs, so pictures are tiny.
"""

import numpy as np
import pytest

from shipdet.models import list_models, onnx_runtime, openvino_runtime, resolve, torch_runtime
from shipdet.settings import get_settings

RUNS = [
    (torch_runtime, "bf16"),
    (torch_runtime, "fp16"),
    (onnx_runtime, "fp32"),
    (onnx_runtime, "fp16"),
    (openvino_runtime, "fp32"),
    (openvino_runtime, "bf16"),
    (openvino_runtime, "fp16"),
]
NAMES = [model.name for model in list_models(get_settings())]
#: of log odds: generated pictures score near 0, where scores themselves differ little
ODDS_TOLERANCE = {"fp32": 1e-4, "fp16": 0.02, "bf16": 0.2}
#: least share of values within one gray level
PIXELS_WITHIN_ONE = {"fp32": 0.999, "fp16": 0.99, "bf16": 0.9}


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """Settings whose cache keeps the graphs that are made."""
    return get_settings().model_copy(update={"cache_dir": tmp_path_factory.mktemp("cache")})


def opened(runtime, name, precision, settings):
    folder = resolve(name, settings)
    task = "upscaler" if folder.task == "super-resolution" else "classifier"
    return getattr(runtime, f"open_{task}")(folder, folder.config, "cpu", settings, precision)


def log_odds(scores):
    precise = scores.astype(np.float64)
    return np.log(precise / (1 - precise))


@pytest.fixture(scope="module", params=NAMES)
def reference(request, cached):
    return request.param, opened(torch_runtime, request.param, "fp32", cached)


@pytest.mark.parametrize(("runtime", "precision"), RUNS)
def test_all_ways_to_run_a_shipped_model_agree(reference, cached, picture, runtime, precision):
    name, theirs = reference
    ours = opened(runtime, name, precision, cached)
    if runtime is openvino_runtime and ours.backend.precision != precision:
        # OpenVINO replaces a number format that the processor lacks, and reports the one it uses.
        assert precision != "fp32" and ours.backend.precision in ODDS_TOLERANCE
        precision = ours.backend.precision
    assert (ours.backend.device, ours.backend.precision) == ("cpu", precision)
    if hasattr(ours, "upscale"):
        blocks = picture(2, 13, 18)
        apart = np.abs(ours.upscale(blocks).astype(int) - theirs.upscale(blocks))
        assert (apart <= 1).mean() >= PIXELS_WITHIN_ONE[precision]
        return
    side, cell = ours.window_px, ours.cell_px
    windows, canvases = picture(3, side, side), picture(1, side + cell, side + 2 * cell)
    for found, expected in (
        (ours.scores(windows), theirs.scores(windows)),
        (ours.dense(canvases), theirs.dense(canvases)),
    ):
        atol = ODDS_TOLERANCE[precision]
        np.testing.assert_allclose(log_odds(found), log_odds(expected), rtol=0, atol=atol)
    if ours.config.shipdet.map is not None:
        for found, expected in zip(ours.survey(canvases), theirs.survey(canvases), strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=ODDS_TOLERANCE[precision])
    assert ours.backend.precision == precision, "it did not have to go on in float32"
