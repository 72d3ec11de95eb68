"""ONNX Runtime against PyTorch in float32, both on the CPU, for both networks."""

import numpy as np

from benchmarks.timing import shortest
from shipdet.models import onnx_runtime, resolve, torch_runtime
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.settings import get_settings


def onnx_vs_torch_classifier(quick: bool = True) -> float:
    """How many times faster the dense pass over a canvas is."""
    settings = get_settings()
    folder = resolve(settings.classifier, settings)
    config = folder.config
    assert isinstance(config, ClassifierConfig)
    torch = torch_runtime.open_classifier(folder, config, "cpu", settings, "fp32")
    onnx = onnx_runtime.open_classifier(folder, config, "cpu", settings)
    side = 768 if quick else 1024
    canvas = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    times = shortest(
        {"torch": lambda: torch.dense(canvas), "onnx": lambda: onnx.dense(canvas)},
        5 if quick else 15,
    )
    return times["torch"] / times["onnx"]


def onnx_vs_torch_upscaler(quick: bool = True, name: str = "realesrgan-x4plus") -> float:
    """How many times faster one block is enlarged."""
    settings = get_settings()
    folder = resolve(name, settings)
    config = folder.config
    assert isinstance(config, UpscalerConfig)
    torch = torch_runtime.open_upscaler(folder, config, "cpu", settings, "fp32")
    onnx = onnx_runtime.open_upscaler(folder, config, "cpu", settings)
    side = 96 if quick else 192
    block = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    times = shortest(
        {"torch": lambda: torch.upscale(block), "onnx": lambda: onnx.upscale(block)},
        3 if quick else 5,
    )
    return times["torch"] / times["onnx"]
