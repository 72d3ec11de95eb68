"""Networks are built by name from a list, and loaded strictly."""

import json
import subprocess
import sys
from functools import partial
from importlib.metadata import version

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from shipdet.errors import BadModel
from shipdet.models.config import ClassifierConfig, UpscalerConfig, read_config
from shipdet.models.networks import build, build_classifier, build_upscaler, load_weights
from tests.helpers.tiny_models import needs_upscalers


@pytest.mark.parametrize(("name", "side"), [("tiny-atto", 224), ("tiny-fine", 128)])
def test_timm_loads_a_classifier_folder_by_itself(weights, name, side):
    net = timm.create_model(f"local-dir:{weights / name}", pretrained=True)
    ours = build(read_config(weights / name))
    load_weights(ours, weights / name / "model.safetensors")
    images = torch.rand(1, 3, side, side)
    with torch.inference_mode():
        assert torch.allclose(net.eval()(images), ours(images), atol=1e-6)


@pytest.mark.parametrize("name", ["tiny-atto", "tiny-rrdb", "tiny-compact"])
def test_every_tensor_is_loaded(weights, name):
    net = load_weights(build(read_config(weights / name)), weights / name / "model.safetensors")
    stored = load_file(weights / name / "model.safetensors")
    assert all(torch.equal(value, stored[key]) for key, value in net.state_dict().items())
    assert not net.training


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (lambda s: s.pop("head.fc.bias"), "'head.fc.bias' is missing"),
        (lambda s: s.update(extra=torch.zeros(1)), "'extra' does not belong"),
        (lambda s: s.update({"head.fc.bias": torch.zeros(3)}), r"\[3\] instead of \[2\]"),
        (lambda s: s["head.fc.bias"].fill_(float("nan")), "not finite"),
    ],
)
def test_weights_of_another_network_are_refused(weights, tmp_path, alter, words):
    state = load_file(weights / "tiny-atto" / "model.safetensors")
    alter(state)
    save_file(state, tmp_path / "model.safetensors")
    net = build(read_config(weights / "tiny-atto"))
    with pytest.raises(BadModel, match=words):
        load_weights(net, tmp_path / "model.safetensors")


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x10" + b"\0" * 30])
def test_a_corrupt_file_is_refused(weights, tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    net = build(read_config(weights / "tiny-compact"))
    with pytest.raises(BadModel, match="corrupt"):
        load_weights(net, tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "convnext_unheard_of"},
        {"num_features": 321},
    ],
)
def test_an_architecture_that_does_not_fit_is_refused(configs, change):
    config = ClassifierConfig.model_validate(configs["classifier"]() | change)
    with pytest.raises(BadModel):
        build_classifier(config)


def test_a_head_with_a_hidden_layer_is_refused(configs, monkeypatch):
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, head_hidden_size=8))
    config = ClassifierConfig.model_validate(configs["classifier"]())
    with pytest.raises(BadModel, match="head"):
        build_classifier(config)


def test_upscalers_come_from_the_packages_everyone_uses(configs):
    for architecture, package in (("RRDBNet", "basicsr"), ("SRVGGNetCompact", "realesrgan")):
        net = build_upscaler(UpscalerConfig.model_validate(configs["upscaler"](architecture)))
        assert type(net).__module__.startswith(f"{package}.archs")
        assert version(package)


def test_bundled_upscalers_match_their_published_size():
    from tests.helpers import PROJECT

    sizes = {"realesrgan-x4plus": 16_697_987, "realesr-general-x4v3": 1_213_296}
    for name, count in sizes.items():
        folder = PROJECT / "weights" / name
        net = load_weights(build(read_config(folder)), folder / "model.safetensors")
        assert sum(p.numel() for p in net.parameters()) == count


def test_importing_models_and_upscale_is_light():
    heavy = ["torch", "timm", "torchvision", "gradio", "onnxruntime", "huggingface_hub", "basicsr"]
    code = (
        "import sys, json, shipdet.models, shipdet.upscale\n"
        f"print(json.dumps([n for n in {heavy} if n in sys.modules]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == []
    assert out.stderr == ""


@needs_upscalers
def test_building_an_upscaler_prints_and_warns_nothing():
    code = "from shipdet.models.compat import RRDBNet, SRVGGNetCompact"
    out = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True
    )
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")
