"""OpenVINO gives what PyTorch gives, says what runs, and keeps little."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from shipdet.errors import BackendUnavailable, BadModel, BadOption, OutOfMemory
from shipdet.models import devices as machine
from shipdet.models import load_classifier, load_upscaler, openvino_runtime, release_models, resolve
from shipdet.models.devices import pick_backend
from shipdet.models.graph_format import INT8_FILES
from shipdet.models.graphs import graph_file, int8_file
from shipdet.models.hub import file_sha256
from shipdet.models.processors import cpu_precision
from shipdet.models.torch_runtime import open_classifier, open_upscaler
from shipdet.settings import Settings
from tests.helpers import PROJECT
from tests.helpers.own_process import GIVEN_BACK


@pytest.fixture(autouse=True)
def forget_models():
    yield
    release_models()


def on_pytorch(name, settings):
    folder = resolve(name, settings)
    opener = open_upscaler if folder.task == "super-resolution" else open_classifier
    return opener(folder, folder.config, "cpu", settings, "fp32")


def test_scores_agree_with_pytorch(ready, picture):
    theirs = on_pytorch(ready.classifier, ready)
    ours = load_classifier(None, "openvino", "auto", ready)
    for count in (0, 1, 17):
        windows = picture(count, 224, 224) if count else np.zeros((0, 224, 224, 3), np.uint8)
        scores = ours.scores(windows)
        assert (scores.shape, scores.dtype) == ((count,), np.float32)
        np.testing.assert_allclose(scores, theirs.scores(windows), atol=1e-3)
    for size in ((224, 224), (256, 352)):  # the second with the first one's memory
        canvases = picture(2, *size)
        np.testing.assert_allclose(ours.dense(canvases), theirs.dense(canvases), atol=1e-3)


@pytest.mark.parametrize("name", ["tiny-rrdb", "tiny-compact"])
def test_pixels_agree_with_pytorch(ready, picture, name):
    theirs, ours = on_pytorch(name, ready), load_upscaler(name, "openvino", "cpu", ready)
    for blocks in (picture(1, 1, 1), picture(3, 17, 24)):
        enlarged, expected = ours.upscale(blocks), theirs.upscale(blocks)
        assert enlarged.dtype == np.uint8
        assert (np.abs(enlarged.astype(int) - expected) <= 1).mean() >= 0.999


def test_results_are_not_changed_by_the_next_ones(ready, picture):
    ours = load_classifier(None, "openvino", "cpu", ready)
    first = ours.dense(picture(1, 224, 224))
    before = first.copy()
    ours.dense(255 - picture(1, 224, 224))
    np.testing.assert_array_equal(first, before)


def test_requests_at_once_take_turns(ready, picture):
    ours = load_classifier(None, "openvino", "cpu", ready)
    pictures = [picture(1, 224, 224 + 32 * number) for number in range(4)]
    expected = [ours.dense(each) for each in pictures]
    found = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: ours.dense(pictures[n])}))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, scores in enumerate(expected):
        np.testing.assert_allclose(found[number], scores, atol=1e-6)


def test_loading_reports_nothing_to_anyone(settings):
    code = (
        "import sys; from shipdet.models import openvino_runtime\n"
        "print(sorted(name for name in sys.modules if name.startswith('openvino_telemetry.')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert ran.stdout == "[]\n", ran.stderr


def test_searching_needs_no_pytorch_once_the_graph_is_made(ready):
    load_classifier(backend="openvino", settings=ready)
    code = (
        "import sys; from pathlib import Path; from shipdet.settings import Settings\n"
        "from shipdet.detect import detect; from shipdet.models import load_classifier\n"
        "s = Settings(weights_dir=Path(sys.argv[1]), cache_dir=Path(sys.argv[2]))\n"
        "load_classifier('tiny-atto', 'openvino', 'cpu', s)\n"
        "print('openvino' in sys.modules, 'torch' in sys.modules)"
    )
    folders = str(ready.weights_dir), str(ready.cache_dir)
    ran = subprocess.run(
        [sys.executable, "-c", code, *folders], cwd=PROJECT, capture_output=True, text=True
    )
    assert ran.stdout == "True False\n", ran.stderr


def test_what_runs_is_reported(ready):
    info = load_classifier(None, "openvino", "cpu", ready).backend
    assert (info.name, info.device, info.precision) == ("openvino", "cpu", "fp32")
    assert info.provider


@pytest.fixture(scope="module")
def vouched(weights, graph_cache, tmp_path_factory):
    """A folder with a classifier that has a graph that passes for one of 8 bits."""
    place = tmp_path_factory.mktemp("vouched")
    folder = Path(shutil.copytree(weights / "tiny-fine", place / "tiny"))
    settings = Settings(weights_dir=weights, cache_dir=graph_cache)
    known = resolve(str(folder), settings)
    graph = openvino_runtime.ov.Core().read_model(graph_file(known, "fp32", settings))
    (folder / "openvino").mkdir()
    openvino_runtime.ov.save_model(graph, folder / INT8_FILES[0], compress_to_fp16=False)
    config = json.loads((folder / "config.json").read_text())
    config["shipdet"]["int8"] = {
        "sha256": {name: file_sha256(folder / name) for name in INT8_FILES},
        "weights_sha256": [known.sha256, known.config.shipdet.map.sha256],
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def short(ready, vouched, tmp_path):
    """Settings whose classifier is a copy of that one."""
    folder = shutil.copytree(vouched, tmp_path / "models" / "tiny")
    return ready.model_copy(update={"classifier": str(folder), "precision": "auto"})


@pytest.mark.parametrize(
    ("wanted", "runs"), [(None, "int8"), ("auto", "int8"), ("int8", "int8"), ("fp32", "fp32")]
)
def test_a_vouched_graph_of_8_bits_is_used(short, picture, wanted, runs):
    classifier = load_classifier(None, "openvino", "cpu", short, precision=wanted)
    assert classifier.backend.precision == runs
    _, maps = classifier.survey(picture(1, 128, 128))
    assert maps.shape == (1, 9, 32, 32)


def test_a_graph_of_8_bits_of_other_weights_is_not_used(short):
    folder = Path(short.classifier)
    config = json.loads((folder / "config.json").read_text())
    config["shipdet"]["int8"]["weights_sha256"][1] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))
    assert int8_file(resolve(short.classifier, short)) is None
    assert load_classifier(None, "openvino", "cpu", short).backend.precision != "int8"
    with pytest.raises(BadOption, match="has no int8 graph: choose another"):
        load_classifier(None, "openvino", "cpu", short, precision="int8")


def test_a_damaged_graph_of_8_bits_is_not_used(short):
    Path(short.classifier, INT8_FILES[1]).write_bytes(b"nothing")
    assert int8_file(resolve(short.classifier, short)) is None


def test_super_resolution_has_no_8_bits_and_runs_all_the_same(ready):
    upscaler = load_upscaler(None, "openvino", "cpu", ready, precision="int8")
    assert upscaler.backend.precision == cpu_precision()


def test_both_runtimes_read_one_file(settings):
    load_classifier(backend="onnx", device="cpu", settings=settings)
    load_classifier(backend="openvino", settings=settings)
    assert [f.name for f in settings.cache_dir.glob("onnx/*/*")] == ["model.onnx"]


def test_a_damaged_file_is_refused(settings, weights, tmp_path):
    folder = resolve("tiny-atto", settings)
    graph_file(folder, "fp32", settings).write_bytes(b"nothing")
    with pytest.raises(BadModel, match="The ONNX file of tiny-atto cannot be loaded"):
        load_classifier("tiny-atto", "openvino", "cpu", settings)
    shutil.rmtree(settings.cache_dir)


def test_memory_that_is_too_small_has_its_own_error(ready, picture, monkeypatch):
    class Full:
        output_tensors = ()

        def infer(self, inputs):
            raise RuntimeError("Exception from src/inference/...: std::bad_alloc")

    monkeypatch.setattr(
        openvino_runtime.ov.CompiledModel, "create_infer_request", lambda self: Full()
    )
    upscaler = load_upscaler(backend="openvino", device="cpu", settings=ready)
    with pytest.raises(OutOfMemory):
        upscaler.upscale(picture(1, 8, 8))


# What stays in memory once pictures of many sizes were enlarged, and the most that was there.
KEPT = """
import numpy as np
from benchmarks.memory import resident_mb, start_counting
from shipdet.models import load_upscaler
upscaler = load_upscaler("realesr-general-x4v3", "openvino", "cpu")
def enlarge(side):
    upscaler.upscale(np.zeros((1, side, side, 3), np.uint8))
enlarge(32)
before = start_counting()
for side in (256, *range(40, 96, 8), 256):
    enlarge(side)
print(resident_mb("VmHWM") - before, resident_mb("VmRSS") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="this system does not tell its memory")
def test_memory_of_large_pictures_is_given_back():
    code = [sys.executable, "-c", KEPT]
    ran = subprocess.run(
        code, cwd=PROJECT, env=os.environ | GIVEN_BACK, capture_output=True, text=True, check=True
    )
    most, kept = map(float, ran.stdout.split())
    assert kept < most / 2, "neither shapes nor pictures pile up"


def test_openvino_runs_on_the_processor_only(settings):
    with pytest.raises(BackendUnavailable, match="choose the device cpu or auto"):
        pick_backend("openvino", "cuda")
    assert pick_backend("openvino", "auto") == ("openvino", "cpu")


@pytest.mark.parametrize(
    ("gpu", "x86", "installed", "expected"),
    [
        (True, True, True, ("torch", "cuda")),
        (False, True, True, ("openvino", "cpu")),
        (False, True, False, ("torch", "cpu")),
        (False, False, True, ("torch", "cpu")),
    ],
)
def test_what_runs_follows_from_the_machine(monkeypatch, gpu, x86, installed, expected):
    real = machine.importlib.util.find_spec
    monkeypatch.setattr(machine, "cuda_available", lambda: gpu)
    monkeypatch.setattr(machine, "is_x86", lambda: x86)
    monkeypatch.setattr(
        machine.importlib.util,
        "find_spec",
        lambda name: None if name == "openvino" and not installed else real(name),
    )
    assert pick_backend("auto", "auto") == expected
    assert pick_backend("auto", "cpu") == (("openvino" if x86 and installed else "torch"), "cpu")
    assert pick_backend("torch", "auto") == ("torch", expected[1])
