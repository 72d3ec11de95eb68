"""Sample training batches: crops of large scenes, and mosaics of small images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.canvases.canvas import Canvas, Shelf, View, joined, take
from training.canvases.targets import targets
from training.canvases.windows import (
    FINEST_NET_GSD_M,
    NET_GSD_M,
    WINDOW_PX,
    Placed,
    label_window,
    network_gsd_m,
)
from training.data.labeled import LabeledImage
from training.recipe import MapStage

#: Ranges of meters per pixel of the sensors that are simulated with finer imagery.
FINER_SENSORS_M = ((FINEST_NET_GSD_M, NET_GSD_M), (NET_GSD_M, 3.2), (3.2, 5.0))


class Sampler:
    """Samples canvases at random.

    Args:
        images: Images to sample from.
        stage: Size of the canvases and sampling weights of the sets.
        seed: Seed of the random generator.
        hard: Hard negatives by image name, in pixels of the file.
    """

    def __init__(
        self,
        images: list[LabeledImage],
        stage: MapStage,
        seed: int,
        hard: dict[str, list[tuple[float, float]]] | None = None,
    ) -> None:
        self.stage = stage
        self.rng = np.random.default_rng(seed)
        self.shelf = Shelf()
        self.hard = hard or {}
        self.pools: dict[str, list[LabeledImage]] = {}
        for image in images:
            self.pools.setdefault(image.source, []).append(image)
        self.weights = {name: self._weights(pool) for name, pool in self.pools.items()}
        self.with_hard = {
            name: [image for image in pool if image.name in self.hard]
            for name, pool in self.pools.items()
        }

    def _weights(self, pool: list[LabeledImage]) -> np.ndarray:
        """Return sampling weights that favor images with ships or with known water."""
        weights = np.array(
            [
                (1.0 + 2.0 * min(len(image.ships), 6) ** 0.5)
                * (1.6 if image.water is not None or image.painted else 1.0)
                for image in pool
            ]
        )
        return weights / weights.sum()

    def _choose(self, shares: dict[str, float]) -> str:
        names = [name for name in shares if name in self.pools]
        chances = np.array([shares[name] for name in names])
        return str(self.rng.choice(names, p=chances / chances.sum()))

    def piece(self, source: str, side: int) -> Canvas:
        """Return a random canvas of ``side`` pixels from the set ``source``."""
        rng = self.rng
        hard = self.with_hard[source]
        center = None
        if hard and rng.random() < self.stage.near_hard:
            image = hard[rng.integers(len(hard))]
            places = self.hard[image.name]
            center = np.array(places[rng.integers(len(places))])
        else:
            pool = self.pools[source]
            image = pool[rng.choice(len(pool), p=self.weights[source])]
        zoom = float(np.exp(rng.uniform(-0.25, 0.25)))
        if source == "ships-aerial":
            zoom = float(np.exp(rng.uniform(0.0, 0.9)))
        elif not image.scaled and not image.ships:
            zoom = float(np.exp(rng.uniform(-0.5, 0.5)))
        size = np.array(self.shelf.get(image).pixels.shape[1::-1]) / self.shelf.get(image).share
        if center is None and image.ships and rng.random() < self.stage.near_ship:
            center = image.ships[rng.integers(len(image.ships))].center
        own_m = image.mean_gsd_m * zoom
        sensor_m = self._sensor(own_m)
        gsd_m = network_gsd_m(max(own_m, sensor_m))
        if rng.random() < self.stage.enlarged:
            gsd_m = float(rng.uniform(FINEST_NET_GSD_M, gsd_m))
        reach = side / 2 * gsd_m / zoom / np.array(image.gsd_m)
        if center is None:
            center = rng.uniform(0, size)
        center = center + rng.uniform(-0.75, 0.75, 2) * reach
        room = np.minimum(0.75 * reach, size / 2)
        center = np.clip(center, room, size - room)
        axes = all(ship.axis for ship in image.ships)
        quarters = rng.integers(4) * np.pi / 2
        angle = float(rng.uniform(0, 2 * np.pi) if axes and rng.random() < 0.7 else quarters)
        view = View(center, zoom, angle, bool(rng.random() < 0.5), side, sensor_m, gsd_m)
        return take(image, view, self.shelf, rng)

    def _sensor(self, own_m: float) -> float:
        """Draw the meters per pixel of a simulated sensor; 0 keeps an image's own ``own_m``."""
        rng = self.rng
        if rng.random() < 0.5:
            return 0.0
        if own_m < NET_GSD_M:
            low, high = FINER_SENSORS_M[rng.choice(len(FINER_SENSORS_M), p=(0.5, 0.35, 0.15))]
            return float(rng.uniform(low, high))
        return float(own_m * rng.uniform(1.0, 1.35))

    def large(self) -> Canvas:
        """Return a canvas from one large image."""
        return self.piece(self._choose(self.stage.large_shares), self.stage.canvas_px)

    def mosaic(self) -> Canvas:
        """Return a canvas of four small images, or of one."""
        shares, side = self.stage.small_shares, self.stage.canvas_px // 2
        if self.rng.random() < self.stage.whole_mosaics:
            return self.piece(self._choose(shares), 2 * side)
        return joined([self.piece(self._choose(shares), side) for _ in range(4)])

    def batches(self) -> Iterator[dict[str, Tensor]]:
        """Yield batches endlessly: canvases, their targets, and single windows with labels."""
        while True:
            canvases = [self.large() for _ in range(self.stage.large)]
            canvases += [self.mosaic() for _ in range(self.stage.mosaics)]
            made = [targets(canvas) for canvas in canvases]
            batch = {
                name: torch.from_numpy(np.stack([target[name] for target in made]))
                for name in made[0]
            }
            batch["canvases"] = _nchw([canvas.pixels for canvas in canvases])
            cut = [self._window(canvases[n % len(canvases)]) for n in range(self.stage.windows)]
            batch["single"] = _nchw([pixels for pixels, _ in cut])
            batch["single_labels"] = torch.tensor([label for _, label in cut])
            yield batch

    def _window(self, canvas: Canvas) -> tuple[np.ndarray, int]:
        """Cut a single window; 60 % of the draws from a canvas with ships center on a ship."""
        rng, side = self.rng, canvas.pixels.shape[0]
        half = WINDOW_PX // 2
        center = rng.uniform(half, side - half, 2)
        if canvas.ships and rng.random() < 0.6:
            ship = canvas.ships[rng.integers(len(canvas.ships))]
            center = ship.corners.mean(axis=0) + rng.normal(0, 4, 2)
        x, y = np.clip(np.round(center).astype(int), half, side - half).tolist()
        rows, columns = slice(y - half, y + half), slice(x - half, x + half)
        ships = []
        for ship in canvas.ships:
            if ship.seen_px < 4:
                continue
            middle = ship.corners.mean(axis=0) - (x - half, y - half)
            length = float(np.linalg.norm(ship.corners[1] - ship.corners[0]))
            ships.append(Placed(float(middle[0]), float(middle[1]), length, length / 6, 0.0))
        label = label_window(ships, NET_GSD_M, ~canvas.known[rows, columns])
        return canvas.pixels[rows, columns], label


def _nchw(pictures: list[np.ndarray]) -> Tensor:
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return stacked.contiguous(memory_format=torch.channels_last)


def read_hard(path: Path | None) -> dict[str, list[tuple[float, float]]]:
    """Read hard negatives written by ``training.learning.mine``; return {} if path is None."""
    if path is None:
        return {}
    found: dict[str, list[tuple[float, float]]] = json.loads(path.read_text())
    return found
