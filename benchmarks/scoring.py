"""Speed of one dense pass relative to separate windows, one by one and in batches."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from benchmarks.timing import Effort, seconds, shortest
from shipdet.detect import survey
from shipdet.geometry import Grid
from shipdet.models import Classifier, ClassifierConfig, load_classifier, resolve
from shipdet.models.devices import cpu_threads
from shipdet.models.networks import build_classifier, load_weights
from shipdet.mosaic import Mosaic, Pixels, Provenance
from shipdet.progress import finish
from shipdet.settings import get_settings

BACKENDS = ("torch", "onnx", "openvino")
GSD_M = 240 / 224  # a crop of the baseline, 224 px, is then a window of 240 m
CROP_PX = 224
STRIDE_PX = 112


def dense_vs_naive(effort: Effort) -> dict[str, float]:
    """Return the speedup of a search over scoring one crop at a time, by backend.

    The search computes both outputs: windows one cell apart, and the map. The baseline is the usual
    loop over crops (224 px at stride 112, which is 120 m) with the same classifier, loaded once.
    """
    scene = _scene(effort.scene_px)
    image = Image.fromarray(scene.pixels)
    work: dict[str, Callable[[], object]] = {"naive": one_crop_at_a_time(image)}
    for backend in BACKENDS:
        classifier = load_classifier(backend=backend, device="cpu")
        work[backend] = partial(_searched, scene, classifier)
    times = shortest(work, effort.rounds)
    return {backend: times["naive"] / times[backend] for backend in BACKENDS}


def dense_vs_exact(effort: Effort) -> dict[str, float]:
    """Return the speedup of a dense pass over scoring the same windows in batches, by backend.

    The time to cut the windows is not included.
    """
    canvas = _scene(effort.canvas_px).pixels
    ratios = {}
    for backend in BACKENDS:
        classifier = load_classifier(backend=backend, device="cpu")
        windows = _windows(canvas, classifier)
        dense = partial(classifier.dense, canvas[None])
        dense()  # warms up; a warm-up of the windows would take too long
        times = shortest({"dense": dense}, effort.rounds)
        ratios[backend] = seconds(partial(_scored, windows, classifier)) / times["dense"]
    return ratios


def one_crop_at_a_time(image: Image.Image) -> Callable[[], list[float]]:
    """Return the baseline: a function that cuts, resizes and scores each crop separately."""
    settings = get_settings()
    folder = resolve(settings.classifier, settings)
    config = folder.config
    assert isinstance(config, ClassifierConfig)
    torch.set_num_threads(cpu_threads())
    net = load_weights(build_classifier(config), folder.weights)
    side, normal = config.shipdet.window_px, config.pretrained_cfg
    prepare = transforms.Compose(
        [
            transforms.Resize((side, side)),
            transforms.ToTensor(),
            transforms.Normalize(normal.mean, normal.std),
        ]
    )

    def run() -> list[float]:
        scores = []
        for top in range(0, image.height - CROP_PX + 1, STRIDE_PX):
            for left in range(0, image.width - CROP_PX + 1, STRIDE_PX):
                crop = image.crop((left, top, left + CROP_PX, top + CROP_PX))
                tensor = prepare(crop).unsqueeze(0)
                with torch.no_grad():
                    scores.append(torch.softmax(net(tensor), 1)[0, 1].item())
        return scores

    return run


def _searched(scene: Mosaic, classifier: Classifier) -> object:
    return finish(survey(scene, classifier))


def _windows(canvas: Pixels, classifier: Classifier) -> Pixels:
    """Return a view of all windows one cell apart, (rows, columns, side, side, 3)."""
    side, cell = classifier.window_px, classifier.cell_px
    shown = np.lib.stride_tricks.sliding_window_view(canvas, (side, side), axis=(0, 1))
    return np.moveaxis(shown[::cell, ::cell], 2, -1)


def _scored(windows: Pixels, classifier: Classifier) -> None:
    for row in windows:
        classifier.scores(np.ascontiguousarray(row))


def _scene(side: int) -> Mosaic:
    """Return an image of noise: the time of a network does not depend on the content."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    covered = np.ones((side, side), np.bool_)
    return Mosaic(pixels, Grid(side, side, GSD_M, GSD_M), covered, Provenance("benchmark"))
