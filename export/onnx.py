"""``python -m export.onnx weights/MODEL``: ONNX files, compared with PyTorch before they stay.

Writes onnx/model.onnx and onnx/model_fp16.onnx (shipdet.models.onnx_graph describes the graphs) and
enters their checksums and differences into config.json, without which the runtime does not use
them. Fails, and leaves nothing, when a difference is above its tolerance.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnxruntime as ort
from PIL import Image

from export.command import run, sha256, write_config
from shipdet.errors import BadModel
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.hub import ModelFolder, resolve
from shipdet.models.onnx_graph import OPSET, write_graph
from shipdet.models.onnx_runtime import FILES, open_session
from shipdet.models.runtime import Pixels, calibrated
from shipdet.models.torch_runtime import open_classifier, open_upscaler
from shipdet.settings import PROJECT, get_settings

Format = Literal["fp32", "fp16"]
SCORE_TOLERANCE: dict[Format, float] = {"fp32": 1e-3, "fp16": 1e-2}
PIXELS_WITHIN_ONE = 0.999
SCENES = PROJECT.parent / "shared" / "data" / "harbours"


def export(
    folder: ModelFolder, pictures: Sequence[Path], formats: Sequence[Format]
) -> dict[str, dict[str, Any]]:
    """Write, compare and enter a model's ONNX files.

    Args:
        folder: the model; its folder is written to.
        pictures: real images that are compared beside generated ones.
        formats: which files to write.

    Returns:
        For each file its sha256, opset and differences.

    Raises:
        BadModel: a difference above the tolerance.
    """
    entries = {}
    for precision in formats:
        file = folder.path / FILES[precision]
        write_graph(folder.config, folder.weights, file, precision)
        session = open_session(file, "cpu", folder.name)
        if isinstance(folder.config, ClassifierConfig):
            difference = _score_difference(folder, session, pictures)
            bad = difference["score_max"] > SCORE_TOLERANCE[precision]
        else:
            difference = _pixel_difference(folder, session, pictures)
            bad = difference["pixels_within_1"] < PIXELS_WITHIN_ONE
        figures = ", ".join(f"{name} {value:.3g}" for name, value in difference.items())
        print(f"{FILES[precision]}: {figures}")
        if bad:
            file.unlink()
            raise BadModel(f"{FILES[precision]} differs too much from PyTorch ({figures}).")
        entries[FILES[precision]] = {
            "sha256": sha256(file),
            "weights_sha256": folder.sha256,
            "opset": OPSET,
            "difference": difference,
        }
    raw = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    raw["shipdet"].setdefault("onnx", {}).update(entries)
    write_config(folder.path, raw)
    return entries


def _score_difference(
    folder: ModelFolder, session: ort.InferenceSession, pictures: Sequence[Path]
) -> dict[str, float]:
    """Largest difference of any score and logit, over single windows and larger canvases."""
    config = folder.config
    assert isinstance(config, ClassifierConfig)
    reference = open_classifier(folder, config, "cpu", get_settings(), "fp32")
    calibration = config.shipdet.calibration
    worst = {"score_max": 0.0, "logit_max": 0.0}
    for canvases in _canvases(pictures, config.shipdet.window_px, 224):
        margins = session.run(["margins"], {"pixels": canvases})[0]
        expected = reference.margins(canvases)
        scores = calibrated(margins, calibration) - calibrated(expected, calibration)
        worst["score_max"] = max(worst["score_max"], float(np.abs(scores).max()))
        worst["logit_max"] = max(worst["logit_max"], float(np.abs(margins - expected).max()))
    return worst


def _pixel_difference(
    folder: ModelFolder, session: ort.InferenceSession, pictures: Sequence[Path]
) -> dict[str, float]:
    """Largest difference in grey levels, and the share of values within one."""
    config = folder.config
    assert isinstance(config, UpscalerConfig)
    reference = open_upscaler(folder, config, "cpu", get_settings(), "fp32")
    apart = []
    for blocks in _canvases(pictures, 48, 16):
        enlarged = session.run(["enlarged"], {"pixels": blocks})[0].astype(np.int16)
        apart.append(np.abs(enlarged - reference.upscale(blocks)).ravel())
    values = np.concatenate(apart)
    return {"pixel_max": float(values.max()), "pixels_within_1": float((values <= 1).mean())}


def _canvases(pictures: Sequence[Path], side: int, more: int) -> list[Pixels]:
    """Batches of two sizes: noise, waves, and the middle of real images."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[0 : side + more, 0:side]
    waves = 128 + 60 * np.sin(x / 7) + 60 * np.cos(y / 11)
    batches = [
        random.integers(0, 256, (2, side, side, 3), dtype=np.uint8),
        np.repeat(waves[None, :, :, None], 3, axis=3).astype(np.uint8),
    ]
    for path in pictures:
        with Image.open(path) as image:
            left, top = (image.width - side) // 2, (image.height - side - more) // 2
            box = (left, top, left + side, top + side + more)
            batches.append(np.asarray(image.convert("RGB").crop(box))[None])
    return batches


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(prog="python -m export.onnx", description=__doc__)
    parser.add_argument("model", help="a model folder, e.g. weights/shipdet-atto")
    parser.add_argument("--image", type=Path, action="append", help="a real image to compare")
    parser.add_argument("--format", choices=get_args(Format), action="append")
    arguments = parser.parse_args()
    pictures = arguments.image or sorted(SCENES.glob("*.jpg"))[:4]
    folder = resolve(arguments.model, get_settings())
    export(folder, pictures, arguments.format or get_args(Format))


if __name__ == "__main__":
    run(main)
