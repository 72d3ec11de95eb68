"""The PyTorch runtime: its arithmetic against plain references, and its errors."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from shipdet.errors import BackendUnavailable, BadModel, BadOption, OutOfMemory, UnknownModel
from shipdet.models import load_classifier, load_upscaler, release_models, resolve
from shipdet.models.devices import available_backends, cpu_threads, cuda_available
from shipdet.models.networks import build, load_weights
from shipdet.models.onnx_runtime import pick_format
from shipdet.models.processors import cpu_prefers_bf16, pick_precision
from shipdet.models.runtime import calibrated
from shipdet.models.torch_runtime import TorchClassifier, TorchUpscaler


@pytest.fixture(autouse=True)
def forget_models():
    yield
    release_models()


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"backend": "torch"})


def network(settings, name):
    folder = resolve(name, settings)
    return load_weights(build(folder.config), folder.weights)


def normalized(config, pictures):
    mean, std = (torch.tensor(v) for v in (config.pretrained_cfg.mean, config.pretrained_cfg.std))
    return ((torch.from_numpy(pictures) / 255 - mean) / std).permute(0, 3, 1, 2)


def reference_scores(net, config, windows):
    """Normalize, run the whole network, apply the calibration: window by window."""
    with torch.inference_mode():
        logits = net(normalized(config, windows)).double().numpy()
    calibration = config.shipdet.calibration
    x = calibration.scale * (logits[:, 1] - logits[:, 0]) + calibration.bias
    return 1 / (1 + np.exp(-x))


def in_precision(settings, name, precision):
    folder = resolve(name, settings)
    kind = TorchClassifier if folder.task == "ship-classification" else TorchUpscaler
    return kind(folder.config, lambda: network(settings, name), "cpu", precision)


def test_scores_are_those_of_the_network(settings, picture):
    classifier = in_precision(settings, "tiny-atto", "fp32")
    windows = picture(35, 224, 224)  # more than one batch
    scores = classifier.scores(windows)
    expected = reference_scores(network(settings, "tiny-atto"), classifier.config, windows)
    assert scores.dtype == np.float32
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_no_windows_give_no_scores(settings):
    classifier = load_classifier(settings=settings)
    assert classifier.scores(np.zeros((0, 224, 224, 3), np.uint8)).shape == (0,)


def test_dense_is_features_then_window_means_then_head(settings, picture):
    classifier = in_precision(settings, "tiny-atto", "fp32")
    canvases = picture(2, 320, 288)
    dense = classifier.dense(canvases)
    assert dense.shape == (2, 4, 3)
    net, config = network(settings, "tiny-atto"), classifier.config
    with torch.inference_mode():
        features = net.forward_features(normalized(config, canvases))
        for row in range(4):
            for column in range(3):
                cells = features[:, :, row : row + 7, column : column + 7]
                logits = net.forward_head(cells).numpy()
                expected = calibrated(logits[:, 1] - logits[:, 0], config.shipdet.calibration)
                np.testing.assert_allclose(dense[:, row, column], expected, atol=1e-4)


def test_a_fine_dense_pass_pools_the_middle_cells_of_a_window(settings, picture):
    classifier = in_precision(settings, "tiny-fine", "fp32")
    canvases = picture(2, 160, 176)
    dense = classifier.dense(canvases)
    assert dense.shape == (2, 3, 4)
    net, config = network(settings, "tiny-fine"), classifier.config
    with torch.inference_mode():
        features = net.forward_features(normalized(config, canvases))
        assert features.shape[2:] == (10, 11)
        for row in range(3):
            for column in range(4):
                cells = features[:, :, row + 3 : row + 5, column + 3 : column + 5]
                logits = net.forward_head(cells).numpy()
                expected = calibrated(logits[:, 1] - logits[:, 0], config.shipdet.calibration)
                np.testing.assert_allclose(dense[:, row, column], expected, atol=1e-4)
    windows = picture(3, 128, 128)
    expected = reference_scores(net, config, windows)
    np.testing.assert_allclose(classifier.scores(windows), expected, atol=1e-4)


def test_dense_of_one_window_is_its_score(settings, picture):
    classifier = load_classifier(settings=settings)
    windows = picture(3, 224, 224)
    np.testing.assert_allclose(
        classifier.dense(windows).ravel(), classifier.scores(windows), atol=1e-6
    )


@pytest.mark.parametrize("name", ["tiny-rrdb", "tiny-compact"])
def test_upscaling_is_the_network_rounded_to_gray_levels(settings, picture, name):
    upscaler = load_upscaler(name, settings=settings)
    blocks = picture(2, 17, 23)
    result = upscaler.upscale(blocks)
    with torch.inference_mode():
        images = torch.from_numpy(blocks).permute(0, 3, 1, 2).float() / 255
        plain = network(settings, name)(images).permute(0, 2, 3, 1).numpy()
    expected = np.clip(np.rint(plain * 255), 0, 255)
    assert result.shape == (2, 68, 92, 3)
    assert result.dtype == np.uint8
    assert np.abs(result - expected).max() <= 1


@pytest.mark.parametrize("precision", ["bf16"])
def test_half_precision_stays_close(settings, picture, precision):
    windows, blocks = picture(4, 224, 224), picture(1, 24, 24)
    half = in_precision(settings, "tiny-atto", precision)
    full = in_precision(settings, "tiny-atto", "fp32")
    assert half.backend.precision == precision
    np.testing.assert_allclose(half.scores(windows), full.scores(windows), atol=1e-2)
    for name in ("tiny-rrdb", "tiny-compact"):
        half, full = (in_precision(settings, name, p) for p in (precision, "fp32"))
        difference = np.abs(half.upscale(blocks).astype(int) - full.upscale(blocks))
        assert (difference <= 1).mean() > 0.99


def test_float16_that_overflows_is_done_again_in_float32(settings, picture):
    full = in_precision(settings, "tiny-compact", "fp32")

    def hot():
        """The same function, but its activations pass 65504 on the way."""
        net = network(settings, "tiny-compact")
        with torch.no_grad():
            net.body[2].weight.mul_(1e8)
            net.body[2].bias.mul_(1e8)
            net.body[4].weight.div_(1e8)
        return net

    half = TorchUpscaler(full.config, hot, "cpu", "fp16")
    blocks = picture(1, 16, 16)
    assert np.abs(half.upscale(blocks).astype(int) - full.upscale(blocks)).max() <= 1
    assert half.backend.precision == "fp32"


@pytest.mark.parametrize(
    ("vendor", "flags", "faster"),
    [
        ("AuthenticAMD", {"avx512_bf16"}, True),  # Zen 4
        ("AuthenticAMD", {"avx512f"}, False),
        ("GenuineIntel", {"avx512_bf16"}, False),  # Cooper Lake
        ("GenuineIntel", {"avx512_bf16", "amx_bf16"}, True),  # Sapphire Rapids
        ("", {"avx512_bf16"}, False),
        ("", set(), False),
    ],
)
def test_bf16_is_chosen_by_what_the_cpu_can(vendor, flags, faster):
    assert cpu_prefers_bf16(flags, vendor) == faster


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("wanted", ["fp32", "bf16", "fp16"])
def test_the_setting_fixes_the_precision(device, wanted):
    assert pick_precision(device, wanted) == wanted


def test_the_choice_is_the_same_every_time():
    assert pick_precision("cuda") == "fp16"
    assert len({pick_precision("cpu") for _ in range(3)}) == 1


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_only_openvino_has_graphs_for_int8(settings, backend):
    for chosen in (settings, settings.model_copy(update={"precision": "int8"})):
        precision = None if chosen.precision == "int8" else "int8"
        with pytest.raises(BackendUnavailable, match="Only OpenVINO computes in int8"):
            load_classifier(None, backend, "cpu", chosen, precision=precision)
    upscaler = load_upscaler(None, backend, "cpu", settings, precision="int8")
    assert upscaler.backend.precision == pick_precision("cpu") or backend == "onnx"


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_a_loaded_model_runs_as_the_setting_says(settings, wanted):
    loaded = load_classifier(
        device="cpu", settings=settings.model_copy(update={"precision": wanted})
    )
    assert loaded.backend.precision == wanted


def test_onnx_runtime_says_that_it_has_no_bf16(settings):
    with pytest.raises(BackendUnavailable, match="the number format auto, fp32 or fp16"):
        pick_format("cpu", settings.model_copy(update={"precision": "bf16"}))
    assert pick_format("cpu", settings) == "fp32"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
    ],
)
def test_memory_that_is_too_small_has_its_own_error(settings, picture, monkeypatch, error):
    upscaler = load_upscaler(settings=settings)

    def fail(images, whole):
        raise error

    monkeypatch.setattr(upscaler, "_forward", fail)
    with pytest.raises(OutOfMemory, match="memory"):
        upscaler.upscale(picture(1, 8, 8))


def test_other_runtime_errors_are_not_taken_for_memory(settings, picture, monkeypatch):
    upscaler = load_upscaler(settings=settings)

    def fail(images, whole):
        raise RuntimeError("a bug")

    monkeypatch.setattr(upscaler, "_forward", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        upscaler.upscale(picture(1, 8, 8))


def test_arrays_of_another_shape_are_a_programming_error(settings):
    classifier, upscaler = load_classifier(settings=settings), load_upscaler(settings=settings)
    with pytest.raises(ValueError, match="windows"):
        classifier.scores(np.zeros((1, 224, 200, 3), np.uint8))
    with pytest.raises(ValueError, match="multiples of 32"):
        classifier.dense(np.zeros((1, 230, 224, 3), np.uint8))
    with pytest.raises(ValueError, match="at least 224"):
        classifier.dense(np.zeros((1, 192, 224, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        upscaler.upscale(np.zeros((1, 8, 8, 3), np.float32))


def test_a_model_is_loaded_once_and_shared(settings, caplog):
    caplog.set_level("INFO", logger="shipdet.models.loading")
    first = load_classifier(settings=settings)
    assert load_classifier("tiny-atto", "torch", "auto", settings) is first
    release_models()
    assert load_classifier(settings=settings) is first, "a run still holds it"
    release_models()
    loaded = [line for line in caplog.messages if line.startswith("loaded ")]
    released = [line for line in caplog.messages if line.startswith("released ")]
    assert (len(loaded), released) == (1, ["released 1 models"] * 2)


def test_a_model_for_another_task_is_refused(settings):
    with pytest.raises(BadModel, match="super-resolution, not a ship classifier"):
        load_classifier("tiny-rrdb", settings=settings)
    with pytest.raises(BadModel, match="not for super-resolution"):
        load_upscaler("tiny-atto", settings=settings)


def test_a_visitor_chooses_from_the_list_only(settings, weights):
    assert load_classifier("tiny-atto", settings=settings, public=True)
    with pytest.raises(UnknownModel):
        load_classifier(str(weights / "tiny-atto"), settings=settings, public=True)


def test_unknown_backends_and_devices_are_refused(settings):
    with pytest.raises(BadOption, match="choose one of auto, torch, onnx, openvino"):
        load_classifier(backend="jax", settings=settings)
    with pytest.raises(BadOption, match="auto, cpu or cuda"):
        load_classifier(device="tpu", settings=settings)


@pytest.mark.skipif(cuda_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu_says_what_to_choose(settings):
    with pytest.raises(BackendUnavailable, match="choose the device cpu or auto"):
        load_classifier(device="cuda", settings=settings)


def test_backends_are_listed_with_a_reason():
    states = {state.name: state for state in available_backends()}
    assert set(states) == {"torch", "onnx", "openvino"}
    assert states["torch"].available
    assert all(state.reason for state in states.values())


def test_the_backend_says_what_runs(settings):
    info = load_classifier(device="cpu", settings=settings).backend
    assert (info.name, info.device) == ("torch", "cpu")
    assert info.provider.startswith("CPU")


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cpu_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert cpu_threads() >= 1


def test_calibration_is_a_scaled_and_shifted_sigmoid(configs):
    from shipdet.models.config import Calibration

    scores = calibrated(np.array([-1e9, 0.5, 1e9]), Calibration(scale=2, bias=-1))
    np.testing.assert_allclose(scores, [0, 0.5, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "mean", "patch"),
    [
        ("realesr-general-x4v3", 166.46, [[231, 194, 89], [230, 194, 87], [230, 195, 86]]),
        ("realesrgan-x4plus", 165.63, [[230, 192, 90], [229, 194, 87], [230, 196, 85]]),
    ],
)
def test_bundled_upscalers_give_the_recorded_picture(picture, name, mean, patch):
    """Golden values, from fp32 on the first version; bf16 and other processors differ a little."""
    result = load_upscaler(name, "torch", "cpu").upscale(picture(1, 16, 16, seed=3))
    assert result.shape == (1, 64, 64, 3)
    assert result.mean() == pytest.approx(mean, abs=0.5)
    np.testing.assert_allclose(result[0, 20:23, 30], patch, atol=4)


@pytest.fixture
def compiling(settings, monkeypatch):
    """Settings that ask for torch.compile, and its calls; it returns ``made``."""
    asked = []

    def compile_(body, **options):
        asked.append(options)
        return lambda images: compiling_.made(body, images)

    compiling_ = SimpleNamespace(
        settings=settings.model_copy(update={"torch_compile": True}),
        asked=asked,
        made=lambda body, images: body(images),
    )
    monkeypatch.setattr(torch, "compile", compile_)
    return compiling_


def test_networks_are_compiled_only_on_request(settings, compiling, picture):
    expected = load_upscaler("tiny-compact", "torch", "cpu", settings).upscale(picture(1, 8, 8))
    assert compiling.asked == []
    release_models()
    ours = load_upscaler("tiny-compact", "torch", "cpu", compiling.settings)
    np.testing.assert_array_equal(ours.upscale(picture(1, 8, 8)), expected)
    load_classifier("tiny-fine", "torch", "cpu", compiling.settings).dense(picture(1, 128, 128))
    assert compiling.asked == [{"dynamic": True}] * 2


def test_a_failed_compilation_is_reported_once_and_done_without(compiling, picture, caplog):
    def broken(body, images):
        raise RuntimeError("no compiler\nfound")

    compiling.made = broken
    classifier = load_classifier("tiny-fine", "torch", "cpu", compiling.settings)
    for _ in range(2):
        assert classifier.scores(picture(1, 128, 128)).shape == (1,)
    warnings = [r.getMessage() for r in caplog.records if "torch.compile" in r.getMessage()]
    assert warnings == ["torch.compile failed (no compiler): continuing without it"]


def test_out_of_memory_in_compiled_code_is_no_failed_compilation(compiling, picture, caplog):
    def full(body, images):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")

    compiling.made = full
    upscaler = load_upscaler("tiny-compact", "torch", "cpu", compiling.settings)
    with pytest.raises(OutOfMemory):
        upscaler.upscale(picture(1, 8, 8))
    assert "torch.compile" not in caplog.text
