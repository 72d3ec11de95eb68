"""Speed and memory of x4plus in our blocks, relative to RealESRGANer (realesrgan 0.3.0).

Both enlarge the same image on the CPU. RealESRGANer uses tiles of 256 px, its default padding and
float32. Each runs in a separate process, whose peak memory includes the model. Linux only.
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import resident_mb, start_counting
from benchmarks.timing import Effort

MODEL = "realesrgan-x4plus"
TILE_PX = 256


def upscale_vs_realesrganer(effort: Effort) -> dict[str, dict[str, float]]:
    """Return time and memory of RealESRGANer over ours, by backend: ``speed`` and ``memory``."""
    theirs = _in_process("theirs", effort.picture_px)
    ratios = {}
    for backend in ("torch", "onnx", "openvino"):
        ours = _in_process(backend, effort.picture_px)
        ratios[backend] = {
            "speed": theirs["seconds"] / ours["seconds"],
            "memory": theirs["peak_mb"] / ours["peak_mb"],
        }
    return ratios


def _in_process(which: str, side: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.upscaling", which, str(side)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
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
    return {"seconds": seconds, "peak_mb": resident_mb("VmHWM") - before}


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
    return {"seconds": time.perf_counter() - start, "peak_mb": resident_mb("VmHWM") - before}


if __name__ == "__main__":
    kind, length = sys.argv[1], int(sys.argv[2])
    print(json.dumps(_theirs(length) if kind == "theirs" else _ours(length, kind)))
