"""Dense scoring against separate windows: the ancestor's way, and our own exact mode."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from benchmarks.timing import Effort, seconds, shortest
from shipdet.detect import Scoring
from shipdet.detect.scoring import ScoreMap, score
from shipdet.detect.view import NetworkView
from shipdet.geometry import Grid
from shipdet.models import Classifier, ClassifierConfig, load_classifier, resolve
from shipdet.models.devices import cpu_threads
from shipdet.models.networks import build_classifier, load_weights
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from shipdet.settings import get_settings

GSD_M = 240 / 224  # the ancestor's crops of 224 px are then our window of 240 m
CROP_PX = 224
STRIDE_PX = 112


def dense_vs_naive(effort: Effort) -> dict[str, float]:
    """How many times faster a scene is scored than one crop at a time, for each backend.

    The baseline is the ancestor's way (224 px at stride 112: positions 120 m apart, ours lie one
    cell apart) with the same network, written as it was there, loaded once.
    """
    scene = _scene(effort.scene_px)
    image = Image.fromarray(scene.pixels)
    work = {"naive": one_crop_at_a_time(image)}
    for backend in ("torch", "onnx"):
        work[backend] = _scored(scene, load_classifier(backend=backend, device="cpu"), "dense")
    times = shortest(work, effort.rounds)
    return {backend: times["naive"] / times[backend] for backend in ("torch", "onnx")}


def dense_vs_exact(effort: Effort) -> dict[str, float]:
    """How many times faster the same positions, one cell apart, are scored; for each backend."""
    scene = _scene(effort.scene_px // 2)
    ratios = {}
    for backend in ("torch", "onnx"):
        classifier = load_classifier(backend=backend, device="cpu")
        dense = _scored(scene, classifier, "dense")
        dense()  # the exact mode is too slow to be done once for nothing
        times = shortest({"dense": dense}, effort.rounds)
        exact = seconds(_scored(scene, classifier, "exact"))
        ratios[backend] = exact / times["dense"]
    return ratios


def one_crop_at_a_time(image: Image.Image) -> Callable[[], list[float]]:
    """The baseline: scores of all crops, each cut, resized, made a tensor and scored alone."""
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


def _scored(scene: Mosaic, classifier: Classifier, scoring: Scoring) -> Callable[[], ScoreMap]:
    """A whole scoring: resampled to the network's scale, cut, scored at a stride of one cell."""
    net_gsd_m = classifier.config.shipdet.window_m / classifier.window_px

    def run() -> ScoreMap:
        view = NetworkView(scene, net_gsd_m)
        return finish(score(view, classifier, classifier.cell_px, scoring))

    return run


def _scene(side: int) -> Mosaic:
    """A generated picture: what a network takes does not depend on what it sees."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    covered = np.ones((side, side), np.bool_)
    return Mosaic(pixels, Grid(side, side, GSD_M, GSD_M), covered, Provenance("benchmark"))
