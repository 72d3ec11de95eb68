"""OpenVINO and ONNX Runtime against PyTorch in float32, all on the CPU, for both networks.

Each computes in the number format that it chooses on this machine; PyTorch in the one that every
CPU has.
"""

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.timing import Effort, shortest
from shipdet.models import onnx_runtime, openvino_runtime, resolve, torch_runtime
from shipdet.settings import get_settings

RUNTIMES = {"openvino": openvino_runtime, "onnx": onnx_runtime}


def vs_torch_classifier(effort: Effort) -> dict[str, float]:
    """How many times faster each surveys a canvas: both answers of the network."""
    settings = get_settings()
    classifiers = _opened(settings.classifier, "classifier")
    canvas = _noise(effort.canvas_px)
    times = shortest(
        {name: partial(each.survey, canvas) for name, each in classifiers.items()},
        3 * effort.rounds,
    )
    return _ratios(times)


def vs_torch_upscaler(effort: Effort) -> dict[str, float]:
    """How many times faster each enlarges one block with the configured upscaler."""
    upscalers = _opened(get_settings().upscaler, "upscaler")
    block = _noise(effort.block_px)
    times = shortest(
        {name: partial(each.upscale, block) for name, each in upscalers.items()}, effort.rounds
    )
    return _ratios(times)


def _opened(name: str, kind: str) -> dict[str, Any]:
    settings = get_settings()
    folder = resolve(name, settings)

    def opened(runtime: ModuleType, *precision: str) -> Any:
        return getattr(runtime, f"open_{kind}")(folder, folder.config, "cpu", settings, *precision)

    models = {backend: opened(runtime) for backend, runtime in RUNTIMES.items()}
    return {"torch": opened(torch_runtime, "fp32")} | models


def _ratios(times: dict[str, float]) -> dict[str, float]:
    return {backend: times["torch"] / times[backend] for backend in RUNTIMES}


def _noise(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
