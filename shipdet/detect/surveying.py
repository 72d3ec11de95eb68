"""Run the network over an image: candidates, and the map of water, land and hulls."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from shipdet.detect.candidates import Candidates, decode, fitted, joined, shares_in, suppressed
from shipdet.detect.judging import features_of, score_of
from shipdet.detect.view import NetworkView
from shipdet.detections import Sighted
from shipdet.geometry import Floats
from shipdet.models.config import FEATURES, MapBlock
from shipdet.models.map_channels import MAP_CHANNELS, MAP_STRIDE_PX, no_map_head
from shipdet.models.runtime import Classifier
from shipdet.mosaic import Picture
from shipdet.progress import Progress, Steps

#: Largest side of a canvas in network pixels, halo included.
CANVAS_PX = 1280
#: Border of a canvas with too little context for the network; the next canvas covers it.
HALO_PX = 64
#: Largest distance of the same ship between two surveys, in network pixels.
NEAR_PX = 16.0
#: Cells of the network's map per pixel of the stored map, along each side.
MAP_POOL = 2
#: Network pixels per pixel of the stored map, along each side.
LAYER_PX = MAP_STRIDE_PX * MAP_POOL

_HULL, _WATER = (MAP_CHANNELS.index(name) for name in ("hull", "water"))

#: Receives the candidates of a canvas, in network pixels, and returns all ships found so far.
Sight = Callable[[NetworkView, Candidates], Sighted]


@dataclass(frozen=True)
class Survey:
    """The result of running the network over an image.

    Attributes:
        view: The image at the network's scale.
        candidates: In descending order of score, without duplicates, in network pixels.
        layers: uint8 (rows, columns, 3), probability of water, land and hull from 0 to 255. A pixel
            covers 8 x 8 network pixels; all 0 where there is no data.
    """

    view: NetworkView
    candidates: Candidates
    layers: npt.NDArray[np.uint8]

    def centers(self, floor: float) -> Floats:
        """Return centers (n, 2), in image pixels, of candidates that score at least ``floor``."""
        kept = self.candidates.scores >= floor
        return self.view.to_mosaic(self.candidates.boxes[kept, :2])

    @property
    def cells(self) -> tuple[float, float]:
        """Width and height of the image in pixels of ``layers``, which may extend beyond it."""
        return self.view.width / LAYER_PX, self.view.height / LAYER_PX

    def best_near(self, center: Floats) -> float:
        """Return the best score near a point (2,) in network pixels; 0 without candidates."""
        away = np.hypot(*(self.candidates.boxes[:, :2] - center).T)
        return float(self.candidates.scores[away <= NEAR_PX].max(initial=0.0))


@dataclass(frozen=True)
class _Part:
    """A canvas without its halo: network pixels of the image, multiples of 16."""

    x0: int
    y0: int
    x1: int
    y1: int


def survey(
    picture: Picture,
    classifier: Classifier,
    *,
    sensor_gsd_m: float | None = None,
    floor: float = 0.0,
    sight: Sight | None = None,
) -> Steps[Survey]:
    """Run the network over a whole image.

    Args:
        picture: The image, which may still be downloading.
        classifier: A model with a map head.
        sensor_gsd_m: Meters per pixel before super-resolution, which adds no detail; None for those
            of ``picture``. Determines the scale of the search.
        floor: Lowest score that is kept.
        sight: Called after each canvas with its candidates; returns ``Progress.sighted``.

    Yields:
        Progress, one event per canvas.

    Returns:
        The survey.

    Raises:
        BadModel: The model has no map head.
    """
    block = classifier.config.shipdet
    if block.map is None:
        raise no_map_head()
    gsd_m = sensor_gsd_m or picture.grid.gsd_m
    view = NetworkView(picture, classifier.config.network_gsd_m(gsd_m))
    layers = np.zeros((-(-view.height // LAYER_PX), -(-view.width // LAYER_PX), 3), np.uint8)
    found: list[Candidates] = []
    sighted: Sighted | None = None
    parts = list(_parts(view, classifier.window_px, classifier.cell_px))
    yield Progress("detect", 0, len(parts), "canvases")
    for number, part in enumerate(parts, start=1):
        top, left = part.y0 - HALO_PX, part.x0 - HALO_PX
        height, width = part.y1 - part.y0 + 2 * HALO_PX, part.x1 - part.x0 + 2 * HALO_PX
        yield from view.wait(top, height)
        canvas, mask = view.cut(left, top, width, height)
        if mask[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX].any():
            margins, maps = classifier.survey(canvas[None])
            some = _candidates(view, classifier, block.map, part, margins[0], maps[0])
            found.append(some.take(some.scores >= floor))
            _keep_layers(layers, part, maps[0], mask)
            sighted = sight(view, found[-1]) if sight else None
        yield Progress("detect", number, len(parts), "canvases", sighted=sighted)
    return Survey(view, suppressed(joined(found, len(FEATURES))), layers)


def _parts(view: NetworkView, window_px: int, cell_px: int) -> Iterator[_Part]:
    most, least = CANVAS_PX - 2 * HALO_PX, window_px - 2 * HALO_PX
    for y0, y1 in _spans(max(view.height, least), most, cell_px):
        for x0, x1 in _spans(max(view.width, least), most, cell_px):
            yield _Part(x0, y0, x1, y1)


def _spans(length: int, most: int, step: int) -> list[tuple[int, int]]:
    """Divide a length into nearly equal spans that are multiples of ``step`` and cover it."""
    steps = math.ceil(length / step)
    parts = math.ceil(steps * step / most)
    edges = [round(steps * part / parts) * step for part in range(parts + 1)]
    return list(pairwise(edges))


def _candidates(
    view: NetworkView,
    classifier: Classifier,
    block: MapBlock,
    part: _Part,
    margins: npt.NDArray[np.float32],
    answers: npt.NDArray[np.float32],
) -> Candidates:
    """Return the candidates of a canvas outside its halo, in network pixels of the image.

    Those of up to a cell within the halo are included: two canvases place the center of a ship on
    their border slightly differently, so each could leave it to the other.
    """
    boxes, centers = decode(answers, block.least_center)
    size = np.array([part.x1 - part.x0, part.y1 - part.y0])
    inside = boxes[:, :2] - HALO_PX
    inner = ((inside >= -MAP_STRIDE_PX) & (inside < size + MAP_STRIDE_PX)).all(axis=1)
    boxes, centers = boxes[inner], centers[inner]
    shares = shares_in(answers, boxes)
    windows = _margins_near(margins, boxes, classifier.window_px, classifier.cell_px)
    features = features_of(centers, shares, windows, boxes)
    left, top = part.x0 - HALO_PX, part.y0 - HALO_PX
    boxes = fitted(answers, boxes, (-left, -top, view.width - left, view.height - top))
    boxes = boxes + np.array([left, top, 0, 0, 0])
    covered = view.covered(boxes[:, :2]) if len(boxes) else np.zeros(0, np.bool_)
    scores = score_of(block.judge, features)
    return Candidates(boxes, features, scores).take(np.flatnonzero(covered))


def _margins_near(
    margins: npt.NDArray[np.float32], boxes: Floats, window_px: int, cell_px: int
) -> Floats:
    """Return, for each box, the best margin (n,) of the four windows nearest to its center."""
    place = (boxes[:, 1::-1] - window_px / 2) / cell_px
    low = np.floor(place).astype(int)
    last = np.array(margins.shape) - 1
    best = np.full(len(boxes), -np.inf)
    for row in (0, 1):
        for column in (0, 1):
            at = np.clip(low + np.array([row, column]), 0, last)
            best = np.maximum(best, margins[at[:, 0], at[:, 1]])
    return best


def _keep_layers(
    layers: npt.NDArray[np.uint8],
    part: _Part,
    answers: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_],
) -> None:
    """Write water, land and hull of a canvas into the map of the image."""
    inner = slice(HALO_PX // MAP_STRIDE_PX, -(HALO_PX // MAP_STRIDE_PX))
    rows, columns = (part.y1 - part.y0) // LAYER_PX, (part.x1 - part.x0) // LAYER_PX
    pooled = answers[[_WATER, _HULL], inner, inner].reshape(2, rows, MAP_POOL, columns, MAP_POOL)
    water = expit(pooled[0].mean(axis=(1, 3)))
    hull = expit(pooled[1].max(axis=(1, 3)))
    values = np.stack([water * (1 - hull), (1 - water) * (1 - hull), hull], axis=-1)
    known = mask[HALO_PX:-HALO_PX:LAYER_PX, HALO_PX:-HALO_PX:LAYER_PX]
    values[~known] = 0
    y, x = part.y0 // LAYER_PX, part.x0 // LAYER_PX
    target = layers[y : y + rows, x : x + columns]
    target[:] = np.round(255 * values[: target.shape[0], : target.shape[1]]).astype(np.uint8)
