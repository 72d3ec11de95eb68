"""Small models with random weights, in hub layout."""

import hashlib
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shipdet.settings import Settings

Make = Callable[..., Path]

#: Whether PyTorch can run upscalers here; basicsr does not build on Python 3.13.
CAN_UPSCALE = importlib.util.find_spec("basicsr") is not None
needs_upscalers = pytest.mark.skipif(not CAN_UPSCALE, reason="basicsr is not installed")


def _write(folder: Path, config: dict[str, Any], net: Any) -> Path:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), folder / "model.safetensors")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    config["shipdet"]["sha256"] = digest
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def classifier_config(**block: Any) -> dict[str, Any]:
    return {
        "architecture": "convnext_atto",
        "num_classes": 2,
        "num_features": 320,
        "global_pool": "avg",
        "pretrained_cfg": {
            "input_size": [3, 224, 224],
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "tag": "tiny",
        },
        "shipdet": {
            "format": 1,
            "task": "ship-classification",
            "labels": ["no_ship", "ship"],
            "window_m": 240.0,
            "window_px": 224,
            "gsd_max_m": 6.0,
            "threshold": 0.5,
            "calibration": {"scale": 2.0, "bias": -0.25},
            "sha256": "0" * 64,
            "map": {
                "sha256": "0" * 64,
                "width": 16,
                "least_center": -3.9,  # few candidates: most of a picture is at about -3.92
                "judge": {"weights": [0.4, 0, 0, 0.1, 0, 0, 0, 0, 0], "bias": 0.0},
            },
            **block,
        },
    }


def fine_config(**block: Any) -> dict[str, Any]:
    """One whose cells are 16 px and whose dense pass pools four of them in the middle."""
    raw = classifier_config(window_px=128, pool_cells=2, **block)
    raw["pretrained_cfg"]["input_size"] = [3, 128, 128]
    return raw | {"model_args": {"output_stride": 16}}


def upscaler_config(architecture: str = "RRDBNet", **params: Any) -> dict[str, Any]:
    small = {"num_feat": 8, "num_block": 1, "num_grow_ch": 4}
    if architecture == "SRVGGNetCompact":
        small = {"num_feat": 8, "num_conv": 2, "act_type": "prelu"}
    return {
        "architecture": architecture,
        "shipdet": {
            "format": 1,
            "task": "super-resolution",
            "scale": 4,
            "params": small | params,
            "sha256": "0" * 64,
        },
    }


@pytest.fixture
def configs() -> dict[str, Callable[..., dict[str, Any]]]:
    """Raw configs of both tasks."""
    return {"classifier": classifier_config, "upscaler": upscaler_config}


@pytest.fixture(scope="session")
def make_classifier() -> Make:
    """Writes a random convnext_atto whose scores vary with the picture."""

    def make(folder: Path, *, fine: bool = False, **block: Any) -> Path:
        import torch

        from shipdet.models.config import ClassifierConfig
        from shipdet.models.networks import build_classifier

        raw = fine_config(**block) if fine else classifier_config(**block)
        torch.manual_seed(7)
        net = build_classifier(ClassifierConfig.model_validate(raw))
        for name, parameter in net.named_parameters():
            # timm starts layer scale at 1e-6 and the head near 0, so that all pictures look alike.
            if name.endswith("gamma"):
                torch.nn.init.constant_(parameter, 0.3)
            if name == "head.fc.weight":
                torch.nn.init.normal_(parameter, std=0.03)
        if raw["shipdet"].get("map"):
            _write_map_head(folder, raw, net)
        return _write(folder, raw, net)

    return make


def _write_map_head(folder: Path, raw: dict[str, Any], net: Any) -> None:
    """A random map head whose answers vary with the picture."""
    import torch
    from safetensors.torch import save_file

    from shipdet.models.config import ClassifierConfig
    from shipdet.models.networks import build_map_head

    torch.manual_seed(8)
    head = build_map_head(ClassifierConfig.model_validate(raw), net)
    torch.nn.init.normal_(head.answer[-1].weight, std=0.5)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "map_head.safetensors"
    save_file(head.state_dict(), file)
    raw["shipdet"]["map"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def make_upscaler() -> Make:
    """Writes a small random Real-ESRGAN network of either architecture."""

    def make(folder: Path, architecture: str = "RRDBNet") -> Path:
        import torch

        from shipdet.models.config import UpscalerConfig
        from shipdet.models.networks import build_upscaler

        raw = upscaler_config(architecture)
        torch.manual_seed(7)
        if not CAN_UPSCALE:  # listed by its name; a test that runs it is skipped
            return _write(folder, raw, torch.nn.Conv2d(1, 1, 1))
        return _write(folder, raw, build_upscaler(UpscalerConfig.model_validate(raw)))

    return make


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, make_classifier: Make, make_upscaler: Make):
    """A weights folder with small models of each kind."""
    root = tmp_path_factory.mktemp("weights")
    make_classifier(root / "tiny-atto")
    make_classifier(root / "tiny-fine", fine=True)
    make_upscaler(root / "tiny-rrdb", "RRDBNet")
    make_upscaler(root / "tiny-compact", "SRVGGNetCompact")
    return root


@pytest.fixture(scope="session")
def graph_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that keeps the graphs of models for other tests."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture
def settings(weights: Path, tmp_path: Path) -> Settings:
    return Settings(
        weights_dir=weights,
        cache_dir=tmp_path / "cache",
        classifier="tiny-atto",
        upscaler="tiny-rrdb",
        precision="fp32",  # so that numbers are compared, on whatever processor the tests run
        timeout_s=2.0,
    )


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    """Smooth colored waves with some noise: uint8 (n, h, w, 3), the same for the same seed."""

    def make(n: int, height: int, width: int, seed: int = 0) -> np.ndarray:
        random = np.random.default_rng(seed)
        y, x = np.mgrid[0:height, 0:width]
        phase = random.uniform(0, 6, (n, 1, 1, 3))
        wave = np.sin(x[None, :, :, None] / 9 + phase) + np.cos(y[None, :, :, None] / 13 - phase)
        noisy = 128 + 50 * wave + random.normal(0, 8, (n, height, width, 3))
        return np.clip(noisy, 0, 255).astype(np.uint8)

    return make
