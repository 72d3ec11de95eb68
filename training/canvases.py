"""Endless batches of canvases and plain windows, composed or cut from labelled scenes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shipdet.detect.detector import WIDE
from training.canvas import Canvas, load, turned
from training.compose import Palette, add_ships, compose, land, texture
from training.config import Source, Stage, WindowStage
from training.cutouts import cut_out
from training.datasets import Scene, load_set, read_picture
from training.engine import Batch
from training.paths import data_root
from training.sensors import degrade, photographed, random_gsd, recolor
from training.splits import kept_split
from training.waters import land_of
from training.windows import (
    IGNORED,
    NET_GSD_M,
    POSITIVE,
    WINDOW_PX,
    Placed,
    label_window,
    label_windows,
)

Picture = NDArray[np.uint8]
BURNED_IN = ("guaymas",)
"""Pictures with another detector's boxes drawn on the boats: never trained on."""
MADE = ("composed", "aid-land", "aid", "sharpened")
"""Sources that are no set of labelled scenes: composed canvases, AID's ground without water, any
AID scene, of which only a teacher knows what is on it, and what training.sharpen has written."""
FILLED_PX = 290
"""Network pixels that a picture covers, if enlarging it twice is enough for that."""
OUTLINED = ("planet-scenes", "mosaics", "aid/Port")
"""Sets of satellite scenes whose ships are cut out, in stages that draw from them."""
WATERSIDE = (*OUTLINED, "harbours")
"""Sets of scenes with enough water between their quays to put more ships there."""
MOST_ADDED = 4
"""Ships that are added to one canvas of them, at most."""
COARSE_M = 4.5
"""Metres per pixel from which a picture's own scale is not all that it is shown at."""
WIDE_SHARE = 0.3
"""How often a finer one is shown at half its scale, if large, as wide windows see it."""
OUTSIDE_PX = 20
"""How far outside the middles of a canvas's windows a ship may lie and still be aimed at."""
SHORE_PX = 90
"""Smallest side of a ship-free rectangle that serves as a texture."""


@dataclass(frozen=True)
class LoadedScene:
    """A scene whose pixels stay in memory; `hard` are centres of false alarms, image pixels."""

    scene: Scene
    hard: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))

    @cached_property
    def picture(self) -> Picture:
        return self.scene.read()

    @cached_property
    def unknown(self) -> NDArray[np.uint8]:
        height, width = self.picture.shape[:2]
        return self.scene.unknown_mask(height, width).astype(np.uint8)


def random_scale(scene: Scene, size: tuple[int, int], rng: np.random.Generator) -> float:
    """Network pixels per image pixel: from the scene's scale, or from its largest ship's.

    Small pictures are enlarged, at most twice: there would be more mirror image than picture.
    """
    if scene.gsd_m is not None:
        # Pictures of coarse pixels are shown as if they were finer, too: there are few finer ones.
        least = 0.85 if scene.gsd_m < COARSE_M else 0.5
        scale = scene.gsd_m / NET_GSD_M * float(rng.uniform(least, 1.18))
        large = min(size) * scale / WIDE >= FILLED_PX
        if large and scene.gsd_m < COARSE_M and rng.random() < WIDE_SHARE:
            scale /= WIDE
    elif not scene.ships:
        scale = float(np.exp(rng.uniform(np.log(1.7), np.log(4.5)))) / NET_GSD_M
    else:
        longest = max(ship.extent_px for ship in scene.ships)
        low = max(12.0, 1.05 * WINDOW_PX / min(size) * longest * NET_GSD_M)
        high = 40.0 if len(scene.ships) > 8 else 230.0
        metres = np.exp(rng.uniform(np.log(low), np.log(max(low * 1.01, high))))
        return float(metres / NET_GSD_M / longest)
    return min(2 * scale, max(scale, FILLED_PX / min(size)))


def random_centre(loaded: LoadedScene, margin: float, rng: np.random.Generator) -> NDArray:
    """Where to cut: near a false alarm, near a ship, or anywhere."""
    height, width = loaded.picture.shape[:2]
    jitter = rng.uniform(-margin, margin, 2)
    if len(loaded.hard) and rng.random() < 0.5:
        return loaded.hard[rng.integers(len(loaded.hard))] + jitter
    if loaded.scene.ships and rng.random() < 0.65:
        weights = np.sqrt([ship.extent_px for ship in loaded.scene.ships])
        index = rng.choice(len(weights), p=weights / weights.sum())
        return loaded.scene.ships[index].centre + jitter
    return rng.uniform(0, 1, 2) * (width, height)


def with_more_ships(
    view: Picture, ships: list[Placed], native_m: float, palette: Palette, rng: np.random.Generator
) -> tuple[Picture, list[Placed]]:
    """A canvas cut from a scene and its ships, and some cut-out ones on its water and at its quays.

    Real quays with real ships at them are rare in the labelled scenes, and are what is missed.

    Args:
        native_m: metres per pixel of the scene; what is added is made as coarse.
    """
    shore = land_of(view)
    if shore is None:
        return view, ships
    fuller = view.copy()
    wanted = int(rng.integers(1, MOST_ADDED + 1))
    added = add_ships(fuller, shore, wanted, palette, native_m, rng, ships)
    if not added:
        return view, ships
    factor = max(1.0, native_m / NET_GSD_M)
    hulls = np.zeros(shore.shape, np.uint8)
    for ship in added:
        cv2.fillPoly(hulls, [ship.corners().round().astype(np.int32)], 1)
    reach = 2 * round(factor) + 1
    hulls = cv2.dilate(hulls, np.ones((reach, reach), np.uint8))
    afloat = (shore < 0.5) | (hulls > 0)  # wakes end at the shore
    changed = ((fuller != view).any(axis=2) & afloat).astype(np.uint8)
    if factor > 1.0:
        coarse = photographed(fuller, factor, 0.3)
        fuller = cv2.resize(coarse, fuller.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        changed = cv2.dilate(changed, np.ones((reach, reach), np.uint8))
    cover = cv2.GaussianBlur(changed.astype(np.float32), (0, 0), 0.7 * factor)[..., None]
    mixed = view * (1 - cover) + fuller * cover
    return np.clip(mixed, 0, 255).astype(np.uint8), ships + added


def cut_canvas(
    loaded: LoadedScene, size_px: int, rng: np.random.Generator, palette: Palette | None = None
) -> Canvas:
    """A turned, rescaled piece of a scene, seen through an imaginary sensor.

    Ground outside the scene is mirrored and unknown. With a palette, ships of it are added.
    """
    scene, picture = loaded.scene, loaded.picture
    scale = random_scale(scene, (picture.shape[1], picture.shape[0]), rng)
    centre = random_centre(loaded, 0.38 * size_px / scale, rng)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ np.diag([flip, 1.0]) * scale
    matrix = np.column_stack([linear, size_px / 2 - linear @ centre])
    size = (size_px, size_px)
    source, reduced = picture, matrix
    if scale < 0.7:
        source = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        reduced = np.column_stack([linear / scale, matrix[:, 2]])
    view = cv2.warpAffine(
        source, reduced, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    unknown = cv2.warpAffine(
        loaded.unknown, matrix, size, flags=cv2.INTER_NEAREST, borderValue=1
    ).astype(np.bool_)
    ships = []
    for ship in scene.ships:
        corners = ship.corners @ linear.T + matrix[:, 2]
        side, other = corners[1] - corners[0], corners[2] - corners[1]
        if not ship.upright and np.linalg.norm(side) < np.linalg.norm(other):
            side, other = other, side
        x, y = corners.mean(axis=0)
        ships.append(
            Placed(
                float(x), float(y), ship.extent_px * scale,
                float(min(np.linalg.norm(side), np.linalg.norm(other))),
                float(np.arctan2(side[1], side[0])),
            )
        )  # fmt: skip
    native = NET_GSD_M / scale  # as if the picture were of the scale it is shown at
    if palette is not None:
        view, ships = with_more_ships(view, ships, native, palette, rng)
    wanted = random_gsd(rng)
    if native > 2 and rng.random() < 0.6:
        return Canvas(recolor(view, rng), ships, native, unknown)
    if native > 2:
        wanted = native * float(rng.uniform(1.0, 1.6))
    gsd = max(native, wanted)
    return Canvas(degrade(recolor(view, rng), gsd, rng), ships, gsd, unknown)


def ship_free(loaded: LoadedScene) -> Picture | None:
    """The largest side strip of a completely labelled picture without a ship, if it is large."""
    picture = loaded.picture
    _height, _width = picture.shape[:2]
    corners = np.concatenate([ship.corners for ship in loaded.scene.ships])
    (x0, y0), (x1, y1) = corners.min(axis=0).astype(int) - 6, corners.max(axis=0).astype(int) + 6
    strips = [picture[:, : max(x0, 0)], picture[:, x1:], picture[: max(y0, 0)], picture[y1:]]
    best = max(strips, key=lambda strip: min(strip.shape[:2]))
    return np.ascontiguousarray(best) if min(best.shape[:2]) >= SHORE_PX else None


class CanvasMaker:
    """Draws canvases from the sources of a stage, in proportion to their weights.

    No canvas comes from a scene whose name is in `held_out`; a source of which nothing is left
    gives its share to the others.
    """

    def __init__(
        self,
        stage: Stage,
        mined: Path | None,
        seed: int,
        sharpened: Path | None = None,
        held_out: Collection[str] = (),
    ) -> None:
        self.stage = stage
        self.rng = np.random.default_rng(seed)
        hard = json.loads(mined.read_text()) if mined else {}
        self.aid = sorted((data_root() / "aid").rglob("*.jpg"))
        wanted = any(source.set == "sharpened" for source in stage.sources)
        if wanted and sharpened is None:
            raise ValueError("this stage draws from sharpened canvases: name their file")
        self.sharpened = load(sharpened) if wanted and sharpened else []
        self.scenes: dict[str, list[LoadedScene]] = {}
        for source in stage.sources:
            if source.set not in MADE:
                scenes = [s for s in load_set(source.set) if source.admits(s.name)]
                scenes = [s for s in scenes if not any(word in s.name for word in BURNED_IN)]
                scenes = [s for s in scenes if s.name not in held_out]
                if source.set == "ships-aerial":
                    scenes = training_part(scenes)
                self.scenes[source.set] = [
                    LoadedScene(s, np.array(hard.get(s.name, [])).reshape(-1, 2)) for s in scenes
                ]
        weights = np.array(
            [
                source.weight if self.scenes.get(source.set, True) else 0.0
                for source in stage.sources
            ]
        )
        self.shares = weights / weights.sum()

    @cached_property
    def palette(self) -> Palette:
        """What canvases are composed of; ships of all the stage's scenes that have an outline."""
        labelled = [kept.scene for name in OUTLINED for kept in self.scenes.get(name, [])]
        aerial = training_part(load_set("ships-aerial"))
        lands = load_set("aid-land")
        chosen = self.rng.permutation(len(lands))[: self.stage.land_pictures]
        textures = [ship_free(LoadedScene(scene)) for scene in aerial]
        return Palette(
            ships=cut_out([*aerial, *labelled]),
            waters=[picture for picture in textures if picture is not None],
            lands=[lands[i].read() for i in chosen],
        )

    def canvas(self) -> Canvas:
        """One canvas from a source chosen at random."""
        rng, size = self.rng, self.stage.canvas_px
        source: Source = self.stage.sources[rng.choice(len(self.shares), p=self.shares)]
        if source.set == "composed":
            gsd = random_gsd(rng)
            picture, ships = compose(self.palette, size, gsd, rng)
            return Canvas(degrade(recolor(picture, rng), gsd, rng), ships, gsd)
        if source.set == "aid-land":
            gsd = random_gsd(rng)
            ground = land(self.palette, size, rng)
            return Canvas(degrade(recolor(ground, rng), gsd, rng), [], gsd)
        if source.set == "aid":
            path = self.aid[rng.integers(len(self.aid))]
            picture = texture(read_picture(path), size, float(rng.uniform(1.4, 4.2)), rng)
            return Canvas(recolor(picture, rng), [], NET_GSD_M, np.ones((size, size), np.bool_))
        if source.set == "sharpened":
            kept = self.sharpened[rng.integers(len(self.sharpened))]
            seen = turned(kept, int(rng.integers(4)), rng.random() < 0.5)
            return replace(seen, picture=recolor(seen.picture, rng))
        scenes = self.scenes[source.set]
        fuller = source.set in WATERSIDE and rng.random() < self.stage.added
        palette = self.palette if fuller else None
        return cut_canvas(scenes[rng.integers(len(scenes))], size, rng, palette)

    def window(self, canvas: Canvas) -> tuple[Picture, int]:
        """A plain window out of a canvas, and its label.

        Where there is a ship, three in five have it in the middle and one in five has it off the
        middle: a part of a ship is what the classifier must learn to refuse.
        """
        rng, room, half = self.rng, self.stage.canvas_px - WINDOW_PX, WINDOW_PX // 2
        corner = rng.uniform(0, room, 2)
        least, most = half - OUTSIDE_PX, room + half + OUTSIDE_PX
        inside = [s for s in canvas.ships if least <= min(s.x, s.y) and max(s.x, s.y) <= most]
        choice = rng.random()
        if inside and choice < 0.8:
            ship = inside[rng.integers(len(inside))]
            near, far = (0.0, POSITIVE) if choice < 0.6 else (IGNORED, 0.67)
            offset = WINDOW_PX * np.sqrt(rng.uniform(near**2, far**2))
            angle = rng.uniform(0, 2 * np.pi)
            corner = np.array([ship.x, ship.y]) - half
            corner += offset * np.array([np.cos(angle), np.sin(angle)])
        x, y = np.clip(corner, 0, room).astype(int).tolist()
        moved = [Placed(s.x - x, s.y - y, s.length, s.width, s.angle) for s in canvas.ships]
        part = np.s_[y : y + WINDOW_PX, x : x + WINDOW_PX]
        unknown = None if canvas.unknown is None else canvas.unknown[part]
        return canvas.picture[part], label_window(moved, canvas.gsd_m, unknown)

    def batches(self) -> Iterator[Batch]:
        """Endless batches: plain windows where a stage asks for some, and, but for a stage of
        windows alone, the canvases that they come from."""
        stage = self.stage
        while True:
            canvases = [self.canvas() for _ in range(stage.canvases)]
            windows = [self.window(c) for c in canvases for _ in range(stage.windows_each)]
            batch = {}
            if windows:
                batch["windows"] = as_tensor([picture for picture, _ in windows])
                batch["window_labels"] = torch.tensor([label for _, label in windows])
            if not isinstance(stage, WindowStage):
                batch |= dense_batch(canvases)
            yield batch


def dense_batch(canvases: list[Canvas]) -> Batch:
    """Canvases with the label of every window that is asked about."""
    side = canvases[0].picture.shape[0]
    labels = [label_windows(c.ships, side, c.gsd_m, c.unknown) for c in canvases]
    return {
        "canvases": as_tensor([c.picture for c in canvases]),
        "canvas_labels": torch.from_numpy(np.stack(labels)),
    }


def training_part(scenes: list[Scene]) -> list[Scene]:
    """The training part of ships-aerial, split by source image."""
    parts = kept_split("ships-aerial", {scene.name: scene.group for scene in scenes})
    return [scene for scene in scenes if parts[scene.name] == "train"]


def as_tensor(pictures: list[Picture]) -> torch.Tensor:
    """(n, 3, h, w) uint8."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
