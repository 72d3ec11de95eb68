"""Speed of OpenVINO and ONNX Runtime relative to PyTorch, on the CPU, for both networks.

OpenVINO and ONNX Runtime use their default number format on this machine; PyTorch uses float32,
which every CPU supports.
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
    """Return the speedup over PyTorch of a pass over one canvas, by backend."""
    settings = get_settings()
    classifiers = _opened(settings.classifier, "classifier")
    canvas = _noise(effort.canvas_px)
    times = shortest(
        {name: partial(each.survey, canvas) for name, each in classifiers.items()},
        3 * effort.rounds,
    )
    return _ratios(times)


def vs_torch_upscaler(effort: Effort) -> dict[str, float]:
    """Return the speedup over PyTorch of enlarging one block, by backend."""
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
