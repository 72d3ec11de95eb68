"""The ONNX runtime gives what PyTorch gives, for every model, and says what runs."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from timm.layers.norm import LayerNorm2d
from torch import nn

from shipdet.errors import BadModel, OutOfMemory, StorageFull
from shipdet.models import (
    load_classifier,
    load_upscaler,
    onnx_runtime,
    release_models,
    resolve,
)
from shipdet.models.devices import cuda_available
from shipdet.models.graph_format import GRAPH, OPSET
from shipdet.models.graphs import graph_file
from shipdet.models.onnx_graph import ChannelNorm, write_graph
from shipdet.models.onnx_runtime import open_session
from shipdet.models.torch_runtime import open_classifier, open_upscaler
from tests.helpers.own_process import GIVEN_BACK, last_said

GPU = pytest.mark.skipif(not cuda_available(), reason="this machine has no GPU")
STATUS = Path("/proc/self/status")
DEVICES = ["cpu", pytest.param("cuda", marks=[GPU, pytest.mark.gpu])]


@pytest.fixture(autouse=True)
def forget_models():
    yield
    release_models()


def on_pytorch(name, settings):
    """The reference: PyTorch in float32 on the CPU."""
    folder = resolve(name or settings.classifier, settings)
    opener = open_upscaler if folder.task == "super-resolution" else open_classifier
    return opener(folder, folder.config, "cpu", settings, "fp32")


@pytest.mark.parametrize("device", DEVICES)
def test_scores_agree_with_pytorch(ready, picture, device):
    theirs = on_pytorch(None, ready)
    ours = load_classifier(None, "onnx", device, ready)
    tolerance = 1e-3 if device == "cpu" else 1e-2
    for count in (0, 1, 17):
        windows = picture(count, 224, 224) if count else np.zeros((0, 224, 224, 3), np.uint8)
        scores = ours.scores(windows)
        assert (scores.shape, scores.dtype) == ((count,), np.float32)
        np.testing.assert_allclose(scores, theirs.scores(windows), atol=tolerance)
    for size in ((224, 224), (256, 352)):
        canvases = picture(2, *size)
        np.testing.assert_allclose(ours.dense(canvases), theirs.dense(canvases), atol=tolerance)


def test_a_fine_dense_pass_agrees_with_pytorch(ready, picture):
    theirs = on_pytorch("tiny-fine", ready)
    ours = load_classifier("tiny-fine", "onnx", "cpu", ready)
    windows, canvases = picture(3, 128, 128), picture(2, 144, 192)
    np.testing.assert_allclose(ours.scores(windows), theirs.scores(windows), atol=1e-3)
    np.testing.assert_allclose(ours.dense(canvases), theirs.dense(canvases), atol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["tiny-rrdb", "tiny-compact", "realesr-general-x4v3"])
def test_pixels_agree_with_pytorch(settings, picture, device, name):
    if name.startswith("realesr"):
        settings = settings.model_copy(update={"weights_dir": type(settings)().weights_dir})
    theirs = on_pytorch(name, settings)
    ours = load_upscaler(name, "onnx", device, settings)
    for blocks in (picture(1, 1, 1), picture(3, 17, 24)):
        enlarged, expected = ours.upscale(blocks), theirs.upscale(blocks)
        assert enlarged.dtype == np.uint8
        assert (np.abs(enlarged.astype(int) - expected) <= 1).mean() >= 0.999


def test_norms_of_a_graph_move_no_channels(ready):
    norm = LayerNorm2d(5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    images = 1e3 * torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(ChannelNorm(norm)(images), norm(images))
    graph = onnx.load(graph_file(resolve("tiny-atto", ready), "fp32", ready)).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("LayerNormalization") == 2  # of the head, for windows and whole images


def test_the_file_is_made_once_in_the_cache(settings, weights):
    load_classifier(backend="onnx", settings=settings)
    made = list(settings.cache_dir.glob("onnx/*/*"))
    assert [f.name for f in made] == ["model.onnx"]
    assert not (weights / "tiny-atto" / "onnx").exists()
    before = made[0].stat().st_ino
    release_models()
    load_classifier(backend="onnx", settings=settings)
    assert made[0].stat().st_ino == before


def test_a_bundled_file_is_used_if_the_config_has_its_checksum(settings, weights, tmp_path):
    root = Path(shutil.copytree(weights, tmp_path / "weights"))
    settings = settings.model_copy(update={"weights_dir": root})
    folder = resolve("tiny-compact", settings)
    shipped = folder.path / "onnx" / "model.onnx"
    write_graph(folder.config, folder.weights, shipped, "fp32")
    assert graph_file(folder, "fp32", settings) != shipped
    from shipdet.models.hub import file_sha256

    raw = json.loads((folder.path / "config.json").read_text())
    entry = {"sha256": file_sha256(shipped), "weights_sha256": folder.sha256, "graph": GRAPH,
             "opset": OPSET}  # fmt: skip
    other = "0" * 64
    for changes, used in (
        ({}, True),
        ({"weights_sha256": other}, False),
        ({"map_sha256": other}, False),
        ({"graph": GRAPH - 1}, False),
    ):
        raw["shipdet"]["onnx"] = {"onnx/model.onnx": entry | changes}
        (folder.path / "config.json").write_text(json.dumps(raw))
        found = graph_file(resolve("tiny-compact", settings), "fp32", settings)
        assert (found == shipped) == used


def test_graphs_that_nobody_uses_are_dropped(settings):
    first = graph_file(resolve("tiny-atto", settings), "fp32", settings)
    used = graph_file(resolve("tiny-rrdb", settings), "fp32", settings)
    long_ago = time.time() - (settings.cache_days + 1) * 86400
    for file in (first, used):
        os.utime(file, (long_ago, long_ago))
    graph_file(resolve("tiny-rrdb", settings), "fp32", settings)
    graph_file(resolve("tiny-compact", settings), "fp32", settings)
    assert used.exists() and not first.exists()


def test_a_cache_that_cannot_be_written_is_reported(settings, tmp_path):
    (tmp_path / "file").write_text("")
    blocked = settings.model_copy(update={"cache_dir": tmp_path / "file"})
    with pytest.raises(StorageFull, match="SHIPDET_CACHE_DIR"):
        graph_file(resolve("tiny-atto", blocked), "fp32", blocked)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(BadModel, match="my-model cannot be loaded"):
        open_session(tmp_path / "model.onnx", "cpu", "my-model")


def test_memory_that_is_too_small_has_its_own_error(settings, picture, monkeypatch):
    class Full:
        def run(self, names, inputs, options):
            raise RuntimeException("BFCArena::AllocateRawInternal Failed to allocate memory for 9")

    monkeypatch.setattr(onnx_runtime, "open_session", lambda *_: Full())
    upscaler = load_upscaler(backend="onnx", device="cpu", settings=settings)
    with pytest.raises(OutOfMemory):
        upscaler.upscale(picture(1, 8, 8))


# What a large picture leaves behind, once a small one has followed it.
KEPT = """
import sys
import numpy as np
from benchmarks.memory import resident_mb
from shipdet.models import load_upscaler, onnx_runtime
if sys.argv[1] == "keeping":
    onnx_runtime._shrinking = onnx_runtime.ort.RunOptions
upscaler = load_upscaler("realesr-general-x4v3", "onnx", "cpu")
def after(side):
    upscaler.upscale(np.zeros((1, side, side, 3), np.uint8))
    return resident_mb("VmRSS")
small, _, small_again = (after(side) for side in (32, 256, 32))
print(small_again - small)
"""


@pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell its memory")
def test_memory_of_a_large_picture_is_given_back():
    shrunk, kept = (last_said(("-c", KEPT), how, **GIVEN_BACK) for how in ("shrinking", "keeping"))
    assert shrunk < kept / 2, "without it the arena stays as large as it was"


@pytest.mark.parametrize("device", DEVICES)
def test_the_provider_that_runs_is_reported(ready, device):
    info = load_classifier(None, "onnx", device, ready).backend
    provider = "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"
    assert (info.name, info.device, info.provider) == ("onnx", device, provider)
    assert info.precision == ("fp32" if device == "cpu" else "fp16")


@pytest.mark.skipif(cuda_available(), reason="this machine has a GPU")
def test_nothing_is_printed_on_a_machine_without_a_gpu(settings):
    code = (
        "import sys; from pathlib import Path; from shipdet.settings import Settings\n"
        "from shipdet.models import load_classifier\n"
        "s = Settings(weights_dir=Path(sys.argv[1]), cache_dir=Path(sys.argv[2]))\n"
        "load_classifier('tiny-atto', 'onnx', 'auto', s)"
    )
    command = [sys.executable, "-c", code, str(settings.weights_dir), str(settings.cache_dir)]
    out = subprocess.run(command, capture_output=True, text=True)
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")
