"""Fit the weights that shipdet.detect.outlines ranks a moored ship's boxes by.

    python -m training.outlines --config training/configs/shipdet_pico.yaml

prints them, and the errors of length and overlap before every round. A linear model of a softmax
over candidates is fitted to pick the overlap with the labelled box; every round adds the box that
the weights so far would have chosen. Ships: harbours with our own labels, and composed canvases.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shipdet.detect.measuring import MEASURE_GSD_M, REACH_M, cut_piece, look_around
from shipdet.detect.outlines import (
    WEIGHTS,
    Outline,
    Surroundings,
    best_outline,
    coarse_boxes,
    describe,
)
from shipdet.detect.view import NetworkView
from shipdet.geometry import Floats, Grid, rectangle
from shipdet.mosaic import Mosaic, Provenance
from training.canvases import CanvasMaker
from training.config import Recipe, read_recipe
from training.datasets import load_set
from training.metrics import SHORTEST_M, length_m
from training.scenes import as_mosaic
from training.windows import NET_GSD_M

OFF_ALONG, OFF_ACROSS_M = 0.16, 10.0
"""Standard deviations of where a detector's peak lies from a ship's centre: along it, as a share of
its length, and across it."""
COMPOSED_SHORTEST_M = 40.0
MOST_PER_SCENE = 40
ROUNDS = 2
STEPS = 250
SHARPNESS = 12.0
"""Of the softmax over overlaps that the candidates' softmax is pulled towards."""
DECAY = 2e-4
NEARNESS = -1.0
"""Largest weight of the two squared distances between a box and the peak."""


@dataclass(frozen=True)
class Labelled:
    """A ship: what lies around a peak on it, and its corners (4, 2) in the same pixels."""

    around: Surroundings
    corners: Floats


def labelled(view: NetworkView, corners: Floats, rng: np.random.Generator) -> Labelled:
    """A ship whose corners are network pixels of a view at the scale of measuring."""
    keel, beam = keel_and_beam(corners)
    across = beam / np.linalg.norm(beam) * OFF_ACROSS_M / view.net_gsd_m
    x, y = corners.mean(axis=0) + rng.normal() * OFF_ALONG * keel + rng.normal() * across
    piece = cut_piece(view, float(x), float(y))
    return Labelled(look_around(piece), corners - piece.corner)


def keel_and_beam(corners: Floats) -> tuple[Floats, Floats]:
    """The long and the short side of a box as vectors."""
    sides = corners[1] - corners[0], corners[2] - corners[1]
    keel, beam = sorted(sides, key=lambda side: -float(np.linalg.norm(side)))
    return keel, beam


def harbour_ships(rng: np.random.Generator) -> list[Labelled]:
    """Ships of the harbours whose scale is known."""
    ships = []
    for scene in load_set("harbours"):
        if scene.gsd_m is None:
            continue
        view = NetworkView(as_mosaic(scene), MEASURE_GSD_M)
        long = [s for s in scene.ships if length_m(s, scene.gsd_m) >= SHORTEST_M and not s.upright]
        ships += [labelled(view, view.from_mosaic(s.corners), rng) for s in long[:MOST_PER_SCENE]]
    return ships


def composed_ships(recipe: Recipe, count: int, rng: np.random.Generator) -> list[Labelled]:
    """Ships on composed canvases of at most 4.5 m per pixel."""
    stage = recipe.stages["dense"]
    composed = tuple(s for s in stage.sources if s.set == "composed")
    stage = stage.model_copy(
        update={"sources": composed, "canvas_px": round(2.2 * REACH_M / NET_GSD_M)}
    )
    maker = CanvasMaker(stage, None, recipe.seed + 2)
    ships: list[Labelled] = []
    while len(ships) < count:
        canvas = maker.canvas()
        side = len(canvas.picture)
        long = [
            s
            for s in canvas.ships
            if s.length * NET_GSD_M >= COMPOSED_SHORTEST_M and 0 < s.x < side and 0 < s.y < side
        ]
        if canvas.gsd_m <= 4.5 and long:
            grid = Grid(side, side, NET_GSD_M, NET_GSD_M)
            covered = np.ones((side, side), np.bool_)
            mosaic = Mosaic(canvas.picture, grid, covered, Provenance("image"))
            view = NetworkView(mosaic, MEASURE_GSD_M)
            ship = long[int(rng.integers(len(long)))]
            ships.append(labelled(view, view.from_mosaic(ship.corners()), rng))
    return ships


def overlap(first: Floats, second: Floats) -> float:
    """Intersection over union of two rotated boxes given by their corners (4, 2)."""
    boxes = [cv2.minAreaRect(corners.astype(np.float32)) for corners in (first, second)]
    _, points = cv2.rotatedRectangleIntersection(*boxes)
    shared = 0.0 if points is None else cv2.contourArea(cv2.convexHull(points))
    areas = [box[1][0] * box[1][1] for box in boxes]
    return float(shared / max(sum(areas) - shared, 1e-9))


def true_outline(ship: Labelled) -> Outline:
    """The labelled box as a candidate."""
    around, corners = ship.around, ship.corners
    keel, beam = keel_and_beam(corners)
    angle = float(np.degrees(np.arctan2(keel[0], -keel[1])) % 180)
    theta = np.radians(angle)
    x, y = (corners.mean(axis=0) - np.array(around.peak)) * around.gsd_m
    across, along = x * np.cos(theta) + y * np.sin(theta), y * np.cos(theta) - x * np.sin(theta)
    length, width = (float(np.linalg.norm(side)) * around.gsd_m for side in (keel, beam))
    return Outline(angle, float(across), float(along), length, max(5.0, width), 0.0)


def corners_of(around: Surroundings, box: Outline) -> Floats:
    """Corners (4, 2) of a candidate in the patch's pixels."""
    middle = np.array(around.peak) + np.array(box.offset_m()) / around.gsd_m
    length, width = box.length_m / around.gsd_m, box.width_m / around.gsd_m
    return rectangle((middle[0], middle[1]), length, width, box.axis_deg)


@dataclass(frozen=True)
class Sampled:
    """Candidates of a ship: features (n, k), overlaps (n,), and what the weights chose."""

    features: NDArray[np.float32]
    overlaps: NDArray[np.float32]
    overlap: float
    length_error: float


def sample(weights: Floats, ship: Labelled) -> Sampled:
    """Candidates near the truth, good and random ones elsewhere, and the chosen one."""
    rng = np.random.default_rng(int(1000 * ship.corners.sum()) % 2**32)
    truth, around = true_outline(ship), ship.around
    count, boxes, angles = 30, [], []
    for turn in (-6, -2, 0, 2, 6):
        near = np.stack(
            [
                truth.across_m + rng.normal(0, 0.15 * truth.width_m, count),
                truth.along_m + rng.normal(0, 0.06 * truth.length_m, count),
                truth.length_m * np.exp(rng.normal(0, 0.15, count)),
                truth.width_m * np.exp(rng.normal(0, 0.2, count)),
            ],
            axis=1,
        )
        near[0] = truth.across_m, truth.along_m, truth.length_m, truth.width_m
        boxes.append(near)
        angles.append(truth.axis_deg + turn)
    for angle in range(0, 180, 9):
        values = describe(around, angle, coarse_boxes()) @ weights
        some = np.concatenate([np.argsort(-values)[:12], rng.integers(0, len(values), 12)])
        boxes.append(coarse_boxes()[some])
        angles.append(angle)
    chosen = best_outline(around, weights)
    if chosen is not None:
        picked = [chosen.across_m, chosen.along_m, chosen.length_m, chosen.width_m]
        boxes.append(np.array([picked]))
        angles.append(chosen.axis_deg)
    features = [describe(around, angle, some) for angle, some in zip(angles, boxes, strict=True)]
    overlaps = [
        overlap(corners_of(around, Outline(angle, *box.tolist(), 0.0)), ship.corners)
        for angle, some in zip(angles, boxes, strict=True)
        for box in some
    ]
    return Sampled(
        np.concatenate(features).astype(np.float32),
        np.array(overlaps, np.float32),
        overlaps[-1] if chosen else 0.0,
        abs(chosen.length_m / truth.length_m - 1) if chosen else 1.0,
    )


def fit(groups: list[list[Sampled]], weights: Floats) -> Floats:
    """Weights that give candidates with much overlap the most of the softmax."""
    tensors = [
        (
            torch.from_numpy(np.concatenate([one.features for one in group])),
            torch.from_numpy(np.concatenate([one.overlaps for one in group])),
        )
        for group in groups
    ]
    learnt = torch.tensor(weights, dtype=torch.float32, requires_grad=True)
    optimiser = torch.optim.Adam([learnt], lr=0.05)
    for _ in range(STEPS):
        loss = DECAY * (learnt**2).sum()
        for features, overlaps in tensors:
            values = features @ learnt
            wanted = torch.softmax(SHARPNESS * overlaps, 0)
            loss = loss - (torch.softmax(values, 0) * overlaps).sum() / len(tensors)
            loss = loss - 0.3 * (wanted * torch.log_softmax(values, 0)).sum() / len(tensors)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():  # no sampled box lies far away: free, these let boxes wander off
            learnt[-2:].clamp_(max=NEARNESS)
    return learnt.detach().numpy().astype(np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--composed", type=int, default=60, help="how many composed ships")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    ships = harbour_ships(rng)
    harbours = len(ships)
    ships += composed_ships(read_recipe(arguments.config), arguments.composed, rng)
    weights: Floats = np.asarray(WEIGHTS, np.float64)
    groups: list[list[Sampled]] = [[] for _ in ships]
    for number in range(ROUNDS + 1):
        with Pool(os.cpu_count()) as pool:
            sampled = pool.map(partial(sample, weights), ships)
        for name, part in (("harbours", sampled[:harbours]), ("composed", sampled[harbours:])):
            lengths = np.median([one.length_error for one in part])
            overlaps = np.median([one.overlap for one in part])
            print(f"round {number}, {name}: length {lengths:.3f}, overlap {overlaps:.2f}")
        if number < ROUNDS:
            for group, one in zip(groups, sampled, strict=True):
                group.append(one)
            weights = fit(groups, weights)
            print("weights", ", ".join(f"{weight:.2f}" for weight in weights), flush=True)


if __name__ == "__main__":
    main()
