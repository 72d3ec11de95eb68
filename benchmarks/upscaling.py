"""Speed and memory of x4plus in our blocks, relative to RealESRGANer (realesrgan 0.3.0).

Both enlarge the same image on the CPU. RealESRGANer uses tiles of 256 px, its default padding and
float32. Each runs in a separate process, whose peak memory includes the model, except where figures
mean nothing (`Effort.apart`). Linux only.
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import resident_mb, start_counting
from benchmarks.timing import Effort

MODEL = "realesrgan-x4plus"
TILE_PX = 256
BACKENDS = ("torch", "onnx", "openvino")


def upscale_vs_realesrganer(effort: Effort) -> dict[str, dict[str, float]]:
    """Return time and memory of RealESRGANer over ours, by backend: ``speed`` and ``memory``."""
    kinds = ("theirs", *BACKENDS)
    found: dict[str, dict[str, float]] = {}
    for together in [(kind,) for kind in kinds] if effort.apart else [kinds]:
        found |= _in_process(effort.picture_px, together)
    theirs = found["theirs"]
    return {
        backend: {
            "speed": theirs["seconds"] / found[backend]["seconds"],
            "memory": theirs["peak_mb"] / found[backend]["peak_mb"],
        }
        for backend in BACKENDS
    }


def _in_process(side: int, kinds: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the figures by kind of enlarging, all measured in one new process."""
    command = [sys.executable, "-m", "benchmarks.upscaling", str(side), *kinds]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, dict[str, float]] = json.loads(output.splitlines()[-1])
    return figures


def _picture(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def _theirs(side: int) -> dict[str, float]:
    import torch
    from safetensors.torch import load_file

    from shipdet.models import UpscalerConfig, resolve
    from shipdet.models.compat import RRDBNet  # also makes realesrgan importable
    from shipdet.settings import get_settings

    with contextlib.redirect_stdout(io.StringIO()):
        from realesrgan import RealESRGANer

    before = start_counting()
    folder = resolve(MODEL, get_settings())
    assert isinstance(folder.config, UpscalerConfig)
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        path = Path(place) / "x4plus.pth"
        torch.save({"params_ema": load_file(folder.weights)}, path)
        net = RRDBNet(scale=4, **folder.config.params.model_dump())
        upsampler = RealESRGANer(scale=4, model_path=str(path), model=net, tile=TILE_PX)
        upsampler.enhance(_picture(16))
        start = time.perf_counter()
        upsampler.enhance(_picture(side))
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": _peak_mb(before)}


def _ours(side: int, backend: str) -> dict[str, float]:
    import torch  # noqa: F401  # excluded from the memory of both

    from shipdet.geometry import Grid
    from shipdet.models import compat, load_upscaler  # noqa: F401  # likewise
    from shipdet.mosaic import Mosaic, Provenance
    from shipdet.progress import finish
    from shipdet.upscale import upscale

    before = start_counting()
    upscaler = load_upscaler(MODEL, backend, "cpu")
    upscaler.upscale(_picture(16)[None])
    picture, covered = _picture(side), np.ones((side, side), np.bool_)
    mosaic = Mosaic(picture, Grid(side, side, 1.0, 1.0), covered, Provenance("benchmark"))
    start = time.perf_counter()
    finish(upscale(mosaic, upscaler))
    return {"seconds": time.perf_counter() - start, "peak_mb": _peak_mb(before)}


def _peak_mb(before: float) -> float:
    """Return the peak above ``before``; at least 1, as memory of others may be used again."""
    return max(1.0, resident_mb("VmHWM") - before)


def child(side: int, kinds: Sequence[str]) -> None:
    """Print the figures by kind as JSON."""
    figures = {kind: _theirs(side) if kind == "theirs" else _ours(side, kind) for kind in kinds}
    print(json.dumps(figures))


if __name__ == "__main__":
    child(int(sys.argv[1]), sys.argv[2:])
