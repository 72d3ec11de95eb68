"""The map beside the windows' answer: one network, two files, every backend alike."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

from shipdet.errors import BadModel
from shipdet.models import load_classifier, release_models, resolve
from shipdet.models.map_channels import MAP_CHANNELS
from shipdet.models.map_head import MapHead, PhasedConv2d, use_phased_convolutions

NAMES = ("tiny-atto", "tiny-fine")


@pytest.fixture(autouse=True)
def forget_models():
    release_models()
    yield
    release_models()


@pytest.fixture
def copy(weights, tmp_path):
    """A model folder to be damaged."""
    return Path(shutil.copytree(weights / "tiny-atto", tmp_path / "copied"))


def loaded(name, settings, backend="torch"):
    return load_classifier(str(name), backend, "cpu", settings)


def canvases(picture, classifier):
    side, cell = classifier.window_px, classifier.cell_px
    return picture(2, side + cell, side + 3 * cell)


@pytest.mark.parametrize("name", NAMES)
def test_both_backends_give_the_same_two_answers(settings, picture, name):
    torch_side, onnx_side = (loaded(name, settings, backend) for backend in ("torch", "onnx"))
    pixels = canvases(picture, torch_side)
    margins, maps = torch_side.survey(pixels)
    assert maps.shape == (2, len(MAP_CHANNELS), pixels.shape[1] // 4, pixels.shape[2] // 4)
    assert maps.dtype == margins.dtype == np.float32
    assert maps.std(axis=(0, 2, 3)).min() > 0.01, "every channel follows the image"
    on_onnx = onnx_side.survey(pixels)
    np.testing.assert_allclose(on_onnx[0], margins, atol=2e-4)
    np.testing.assert_allclose(on_onnx[1], maps, atol=2e-3)


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_margins_are_those_of_the_dense_pass(settings, picture, backend):
    classifier = loaded("tiny-fine", settings, backend)
    pixels = canvases(picture, classifier)
    margins, _ = classifier.survey(pixels)
    tuned = classifier.config.shipdet.calibration
    scores = 1 / (1 + np.exp(-(margins * tuned.scale + tuned.bias)))
    np.testing.assert_allclose(scores, classifier.dense(pixels), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_timm_loads_the_classifier_of_a_folder_with_a_map(settings, weights, picture, name):
    classifier = loaded(name, settings)
    net = timm.create_model(f"local-dir:{weights / name}", pretrained=True).eval()
    block = classifier.config
    windows = picture(2, classifier.window_px, classifier.window_px)
    normal = torch.from_numpy(windows).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in (block.pretrained_cfg.mean, block.pretrained_cfg.std)
    )
    with torch.inference_mode():
        logits = net((normal - mean) / deviation)
    margins = (logits[:, 1] - logits[:, 0]).numpy()
    tuned = block.shipdet.calibration
    expected = 1 / (1 + np.exp(-(margins * tuned.scale + tuned.bias)))
    np.testing.assert_allclose(classifier.scores(windows), expected, atol=1e-4)


def test_a_folder_without_its_map_file_is_refused(settings, copy):
    (copy / "map_head.safetensors").unlink()
    with pytest.raises(BadModel, match="map_head"):
        resolve(str(copy), settings)


def test_a_map_file_that_is_not_the_configs_is_refused(settings, copy):
    file = copy / "map_head.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(BadModel):
        resolve(str(copy), settings)


def test_a_map_file_of_another_width_is_refused(settings, copy):
    config = json.loads((copy / "config.json").read_text())
    config["shipdet"]["map"]["width"] = 24
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadModel, match="does not match the network that its config.json describes"):
        loaded(copy, settings)


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_a_classifier_without_a_map_scores_but_cannot_search(
    settings, make_classifier, picture, tmp_path, backend
):
    folder = make_classifier(tmp_path / "windows-only", map=None)
    assert resolve(str(folder), settings).map_weights is None
    classifier = loaded(folder, settings, backend)
    pixels = canvases(picture, classifier)
    assert np.isfinite(classifier.dense(pixels)).all()
    with pytest.raises(BadModel, match="without a map head, so it cannot search an image"):
        classifier.survey(pixels)


def test_the_head_answers_for_every_four_pixels():
    head = MapHead((8, 16, 24, 32), width=16).eval()
    # The last stage is dilated, not reduced.
    sizes = ((8, 24, 20), (16, 12, 10), (24, 6, 5), (32, 6, 5))
    features = [torch.randn(1, *size) for size in sizes]
    with torch.inference_mode():
        assert head(features).shape == (1, len(MAP_CHANNELS), 24, 20)


@pytest.mark.parametrize("size", [(16, 16), (15, 16), (16, 9), (7, 5), (1, 1)])
@pytest.mark.parametrize("kernel", [3, 7])
def test_a_phased_convolution_is_the_dilated_one(size, kernel):
    torch.manual_seed(3)
    plain = nn.Conv2d(6, 6, kernel, padding=kernel - 1, dilation=2, groups=6)
    net = use_phased_convolutions(nn.Sequential(nn.Conv2d(3, 6, 1), plain))
    assert type(net[1]) is PhasedConv2d and type(net[0]) is nn.Conv2d
    assert set(net[1].state_dict()) == set(plain.state_dict())
    images = torch.randn(2, 6, *size, requires_grad=True)
    expected, found = plain(images), net[1](images)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    (theirs,) = torch.autograd.grad(expected.square().sum(), images)
    (ours,) = torch.autograd.grad(found.square().sum(), images)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_other_convolutions_are_left_alone():
    others = nn.Sequential(
        nn.Conv2d(6, 6, 7, padding=3, groups=6),
        nn.Conv2d(6, 6, 3, padding=2, dilation=2),
        nn.Conv2d(6, 6, 3, padding=3, dilation=3, groups=6),
    )
    assert all(type(layer) is nn.Conv2d for layer in use_phased_convolutions(others))
