"""Differences between an exported graph and PyTorch in float32, and their tolerances."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.special import expit

from shipdet.detect import detect
from shipdet.detections import Detections
from shipdet.models import onnx_runtime
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.graph_format import Format
from shipdet.models.graphs import graph_file
from shipdet.models.hub import ModelFolder
from shipdet.models.map_channels import MAP_CHANNELS
from shipdet.models.onnx_runtime import open_session
from shipdet.models.runtime import Classifier, Maps, calibrated
from shipdet.models.torch_runtime import open_classifier, open_upscaler
from shipdet.mosaic import Mosaic, Pixels
from shipdet.progress import finish
from shipdet.settings import get_settings

Difference = dict[str, float]

SCORE_TOLERANCE: dict[Format, float] = {"fp32": 1e-3, "fp16": 1e-2}
#: Of the map's channels; logits are compared as probabilities.
MAP_TOLERANCE: dict[Format, float] = {"fp32": 1e-3, "fp16": 5e-2}
PIXELS_WITHIN_ONE = 0.999
CENTER_TOLERANCE_PX = 1.0


def compare(
    folder: ModelFolder,
    precision: Format,
    pictures: Sequence[Path] = (),
    scenes: Sequence[Mosaic] = (),
) -> Difference:
    """Compare a folder's graph with PyTorch.

    Args:
        folder: The model.
        precision: Number format of the graph.
        pictures: Real images, whose centers are compared in addition to generated images.
        scenes: Images in which to compare the detected ships; for classifiers only.

    Returns:
        Differences by name; :func:`excess` checks them.
    """
    if isinstance(folder.config, UpscalerConfig):
        return _pixel_difference(folder, folder.config, precision, pictures)
    difference = _score_difference(folder, folder.config, precision, pictures)
    return difference | ship_difference(folder, folder.config, precision, scenes)


def excess(difference: Difference, precision: Format) -> list[str]:
    """Return the names of the differences that exceed their tolerance."""
    limits = {
        "score_max": SCORE_TOLERANCE[precision],
        "map_max": MAP_TOLERANCE[precision],
        "whole_score_max": SCORE_TOLERANCE[precision],
        "pixels_apart": 1 - PIXELS_WITHIN_ONE,
        "ships_apart": 0,
        "center_px_max": CENTER_TOLERANCE_PX,
    }
    found = difference | {"pixels_apart": 1 - difference.get("pixels_within_1", 1.0)}
    # "not <=" instead of ">" so that NaN exceeds its limit.
    return [name for name, limit in limits.items() if not found.get(name, 0.0) <= limit]


def _score_difference(
    folder: ModelFolder, config: ClassifierConfig, precision: Format, pictures: Sequence[Path]
) -> Difference:
    """Return the largest differences in dense scores, scores of single windows, and the map."""
    settings = get_settings()
    session = open_session(graph_file(folder, precision, settings), "cpu", folder.name)
    reference = open_classifier(folder, config, "cpu", settings, "fp32")
    calibration, side = config.shipdet.calibration, config.shipdet.window_px
    worst = {"score_max": 0.0, "whole_score_max": 0.0}
    for canvases in _canvases(pictures, side, 224):
        windows = np.ascontiguousarray(canvases[:, :side, :side])
        margins = session.run(["margins"], {"pixels": canvases})[0]
        whole = session.run(["whole"], {"pixels": windows})[0]
        apart = {
            "score_max": calibrated(margins, calibration) - reference.dense(canvases),
            "whole_score_max": calibrated(whole, calibration) - reference.scores(windows),
        }
        if config.shipdet.map is not None:
            found = session.run(["map"], {"pixels": canvases})[0]
            apart["map_max"] = _comparable(found) - _comparable(reference.survey(canvases)[1])
        for name, values in apart.items():
            worst[name] = float(np.maximum(worst.get(name, 0.0), np.abs(values).max()))
    return worst


def _comparable(maps: Maps) -> Maps:
    """Return the map with its logits converted to probabilities."""
    values = maps.copy()
    logits = [MAP_CHANNELS.index(name) for name in ("center", "hull", "water")]
    values[:, logits] = expit(values[:, logits])
    return values


def ship_difference(
    folder: ModelFolder, config: ClassifierConfig, precision: Format, scenes: Sequence[Mosaic]
) -> Difference:
    """Return the difference in number of ships, and the largest distance to the nearest match.

    Args:
        folder: The model.
        config: Its configuration.
        precision: Number format of the graph.
        scenes: Images to search with both backends.

    Returns:
        ``ships``, ``ships_apart`` and ``center_px_max`` (in pixels); {} without scenes.
    """
    if not scenes:
        return {}
    settings = get_settings()
    reference = open_classifier(folder, config, "cpu", settings, "fp32")
    exported = onnx_runtime.open_classifier(folder, config, "cpu", settings, precision)
    ships, apart, center_px = 0, 0, 0.0
    for scene in scenes:
        expected = ships_in(scene, reference, config).centers
        found = ships_in(scene, exported, config).centers
        ships += len(expected)
        apart += abs(len(found) - len(expected))
        if len(found) and len(expected):
            gaps = np.linalg.norm(expected[:, None] - found[None], axis=2)
            center_px = max(center_px, float(gaps.min(axis=1).max()), float(gaps.min(axis=0).max()))
    return {"ships": float(ships), "ships_apart": float(apart), "center_px_max": center_px}


def ships_in(scene: Mosaic, classifier: Classifier, config: ClassifierConfig) -> Detections:
    """Return the detections in an image at the model's threshold."""
    return finish(detect(scene, classifier, floor=config.shipdet.threshold)).detections


def _pixel_difference(
    folder: ModelFolder, config: UpscalerConfig, precision: Format, pictures: Sequence[Path]
) -> Difference:
    """Return the largest difference in gray levels, and the fraction of values within one."""
    settings = get_settings()
    session = open_session(graph_file(folder, precision, settings), "cpu", folder.name)
    reference = open_upscaler(folder, config, "cpu", settings, "fp32")
    apart = []
    for blocks in _canvases(pictures, 48, 16):
        enlarged = session.run(["enlarged"], {"pixels": blocks})[0].astype(np.int16)
        apart.append(np.abs(enlarged - reference.upscale(blocks)).ravel())
    values = np.concatenate(apart)
    return {"pixel_max": float(values.max()), "pixels_within_1": float((values <= 1).mean())}


def _canvases(pictures: Sequence[Path], side: int, more: int) -> list[Pixels]:
    """Return batches of two sizes: noise, waves, and the centers of real images."""
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
