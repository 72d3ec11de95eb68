"""ONNX Runtime against PyTorch in float32, both on the CPU, for both networks."""

import numpy as np

from benchmarks.timing import Effort, shortest
from shipdet.models import onnx_runtime, resolve, torch_runtime
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.settings import get_settings


def onnx_vs_torch_classifier(effort: Effort) -> float:
    """How many times faster the dense pass over a canvas is."""
    settings = get_settings()
    folder = resolve(settings.classifier, settings)
    config = folder.config
    assert isinstance(config, ClassifierConfig)
    torch = torch_runtime.open_classifier(folder, config, "cpu", settings, "fp32")
    onnx = onnx_runtime.open_classifier(folder, config, "cpu", settings)
    side = effort.canvas_px
    canvas = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    times = shortest(
        {"torch": lambda: torch.dense(canvas), "onnx": lambda: onnx.dense(canvas)},
        3 * effort.rounds,
    )
    return times["torch"] / times["onnx"]


def onnx_vs_torch_upscaler(effort: Effort) -> float:
    """How many times faster one block is enlarged by the configured upscaler."""
    settings = get_settings()
    folder = resolve(settings.upscaler, settings)
    config = folder.config
    assert isinstance(config, UpscalerConfig)
    torch = torch_runtime.open_upscaler(folder, config, "cpu", settings, "fp32")
    onnx = onnx_runtime.open_upscaler(folder, config, "cpu", settings)
    side = effort.block_px
    block = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    times = shortest(
        {"torch": lambda: torch.upscale(block), "onnx": lambda: onnx.upscale(block)},
        effort.rounds,
    )
    return times["torch"] / times["onnx"]
