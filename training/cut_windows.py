"""Single windows cut from labelled scenes as shipsnet's chips were.

Those chips show whole ships in the middle, parts of ships, things that are bright, and anything
else. Cut from scenes that the classifier has not seen (training.folds), windows of the same four
kinds say how often a window on its own is classified rightly, scored as the network's own forward
pass scores it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shipdet.detect.scoring import WindowScorer, score_windows
from shipdet.detect.view import NetworkView
from training.datasets import Scene, Ship
from training.metrics import SHORTEST_M, length_m
from training.outlines import keel_and_beam
from training.scenes import NO_DATA, as_mosaic
from training.windows import IGNORED, NET_GSD_M, WINDOW_M

KINDS = ("ship", "partial", "bright", "other")
Centres = dict[str, NDArray[np.float64]]
"""Of windows of each kind, (n, 2) image pixels."""

EMPTY = 150
"""Windows without a ship that are cut from a scene, bright ones and others each."""
CHOICE = 6
"""Of so many places for each of them, the brightest are the bright ones."""
HALF_M = WINDOW_M / 2


def keel(ship: Ship) -> NDArray[np.float64]:
    """Unit vector along a ship; along its box's diagonal when the box is upright."""
    corners = ship.corners
    along = corners[2] - corners[0] if ship.upright else keel_and_beam(corners)[0]
    return np.asarray(along / np.linalg.norm(along), np.float64)


def cut_windows(scene: Scene, seed: int = 42) -> Centres:
    """Where to cut a scene.

    ship: ships that fit into a window. partial: windows whose border runs through a ship's middle,
    one ahead and one astern, unless another ship is in their middle. bright and other: windows
    with no ship in them; no window holds unknown ground, no data or anything beyond the picture.

    Raises:
        ValueError: the scene's scale is not known.
    """
    if scene.gsd_m is None:
        raise ValueError(f"{scene.name} has no known scale")
    gsd, picture = scene.gsd_m, scene.read()
    height, width = picture.shape[:2]
    half = HALF_M / gsd
    barred = scene.unknown_mask(height, width) | (picture.min(axis=2) >= NO_DATA)
    ships = [s for s in scene.ships if SHORTEST_M <= length_m(s, gsd) <= WINDOW_M]
    middles = np.array([s.centre for s in scene.ships]).reshape(-1, 2)

    def window(place: NDArray[np.float64]) -> tuple[slice, slice] | None:
        (x0, y0), (x1, y1) = np.floor(place - half).astype(int), np.ceil(place + half).astype(int)
        inside = x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height
        part = np.s_[y0:y1, x0:x1]
        return part if inside and not barred[part].any() else None

    def free(place: NDArray[np.float64], reach_m: float) -> bool:
        return not (np.linalg.norm(middles - place, axis=1) * gsd < reach_m).any()

    parts = [s.centre + side * half * keel(s) for s in ships for side in (1, -1)]
    rng = np.random.default_rng(seed)
    longest = max((length_m(s, gsd) for s in scene.ships), default=0.0)
    clear_m = np.sqrt(2) * HALF_M + longest / 2
    empty: list[NDArray[np.float64]] = []
    light: list[float] = []
    for place in rng.uniform(half, (width - half, height - half), (40 * CHOICE * EMPTY, 2)):
        cut = window(place) if free(place, clear_m) else None
        if cut is not None:
            empty.append(place)
            light.append(float(np.quantile(picture[cut][::2, ::2], 0.98)))
        if len(empty) == CHOICE * EMPTY:
            break
    brightest = np.argsort(light)[::-1]
    bright = brightest[: min(EMPTY, len(empty) // CHOICE)]
    other = rng.permutation(brightest[len(bright) :])[: len(bright)]
    places = {
        "ship": [s.centre for s in ships if window(s.centre) is not None],
        "partial": [p for p in parts if window(p) is not None and free(p, IGNORED * WINDOW_M)],
        "bright": [empty[i] for i in bright],
        "other": [empty[i] for i in other],
    }
    return {kind: np.array(places[kind]).reshape(-1, 2) for kind in KINDS}


def score_cuts(scene: Scene, classifier: WindowScorer) -> dict[str, NDArray[np.float32]]:
    """Scores (n,) of the windows of each kind."""
    view = NetworkView(as_mosaic(scene), NET_GSD_M)
    return {
        kind: score_windows(view, classifier, view.from_mosaic(centres))
        for kind, centres in cut_windows(scene).items()
    }


def accuracy(scored: Sequence[dict[str, NDArray[np.float32]]]) -> dict[str, dict[str, float]]:
    """How many windows of each kind there are, and the share that a threshold of 0.5 puts right."""
    result: dict[str, dict[str, float]] = {}
    all_right: list[NDArray[np.bool_]] = []
    for kind in KINDS:
        scores = np.concatenate([one[kind] for one in scored])
        right = (scores >= 0.5) == (kind == "ship")
        all_right.append(right)
        result[kind] = told(right)
    return {**result, "all": told(np.concatenate(all_right))}


def told(right: NDArray[np.bool_]) -> dict[str, float]:
    """A count and a share."""
    return {"windows": len(right), "right": float(right.mean()) if len(right) else 0.0}
