"""Time of a whole search, including its files, relative to one bare pass of the network."""

import io
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.timing import Effort, shortest
from shipdet.detect.surveying import CANVAS_PX
from shipdet.geometry import gsd_at
from shipdet.imagery import sample
from shipdet.models import Classifier, load_classifier
from shipdet.mosaic import Pixels
from shipdet.pipeline import Run, iter_image
from shipdet.progress import Steps, finish
from shipdet.requests import ImageRequest, Search
from shipdet.settings import Settings

GSD_M = 3.0
SAMPLE_ZOOM, LEFT, TOP, COLUMNS, ROWS = 16, 32640, 32752, 8, 6  # tiles of the sample


def search_vs_pass(effort: Effort) -> float:
    """Return the time of a search of a harbor at 3 m over that of the pass, with loaded models."""
    pixels = harbor(effort.harbor_px, effort.harbor_px * 3 // 5)
    classifier = load_classifier()
    network = at_scale(pixels, GSD_M, classifier)
    with tempfile.TemporaryDirectory() as folder:
        times = shortest(
            {
                "search": lambda: searched(pixels, Path(folder)),
                "pass": lambda: bare_pass(network, classifier),
            },
            effort.rounds,
        )
    return times["search"] / times["pass"]


def first_ships(effort: Effort) -> float:
    """Return the fraction of a search after which the first ships are shown, with loaded models."""
    pixels = harbor(effort.harbor_px, effort.harbor_px * 3 // 5)
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        searched(pixels, Path(folder))
        for _ in range(effort.rounds):
            start = time.perf_counter()
            first = None
            for event in _steps(pixels, Path(folder)):
                if first is None and event.sighted is not None and event.sighted.ships:
                    first = time.perf_counter() - start
            total = time.perf_counter() - start
            shares.append((total if first is None else first) / total)
    return min(shares)


def searched(pixels: Pixels, folder: Path, backend: str = "") -> Run:
    """Search an image at 3 m per pixel."""
    return finish(_steps(pixels, folder, backend))


def _steps(pixels: Pixels, folder: Path, backend: str = "") -> Steps[Run]:
    request = ImageRequest(gsd_m=GSD_M, search=Search.check(backend=backend))
    return iter_image(pixels, request, settings=Settings(runs_dir=folder))


def bare_pass(network: Pixels, classifier: Classifier) -> None:
    """Pass an image at the network's scale through the network, canvas by canvas, no overlap."""
    height, width = network.shape[:2]
    for y in range(0, height, CANVAS_PX):
        for x in range(0, width, CANVAS_PX):
            classifier.survey(network[None, y : y + CANVAS_PX, x : x + CANVAS_PX])


def at_scale(pixels: Pixels, gsd_m: float, classifier: Classifier) -> Pixels:
    """Resample an image to the network's scale.

    Sides are rounded to whole cells, and cut where the last canvas would be smaller than a window.
    """
    factor = gsd_m / classifier.config.network_gsd_m(gsd_m)

    def side(length: int) -> int:
        cells = round(length * factor / classifier.cell_px) * classifier.cell_px
        rest = cells % CANVAS_PX
        return cells - rest if 0 < rest < classifier.window_px and cells > CANVAS_PX else cells

    size = (side(pixels.shape[1]), side(pixels.shape[0]))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def harbor(width: int, height: int) -> Pixels:
    """Return the sample harbor at 3 m per pixel, extended by mirroring or cut to the size."""
    rows = [np.hstack([_tile(LEFT + x, TOP + y) for x in range(COLUMNS)]) for y in range(ROWS)]
    pixels = np.vstack(rows)
    share = gsd_at(0.06, SAMPLE_ZOOM) / GSD_M
    small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    tall = max(0, height - small.shape[0]), max(0, width - small.shape[1])
    whole = cv2.copyMakeBorder(small, 0, tall[0], 0, tall[1], cv2.BORDER_REFLECT)
    return np.ascontiguousarray(whole[:height, :width], np.uint8)


def _tile(x: int, y: int) -> Pixels:
    data = sample.tile(SAMPLE_ZOOM, x, y)
    assert data is not None, "the tile is outside the sample"
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))
