"""Painted seas with ships of known size, and a classifier that knows them by their brightness."""

from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from shipdet.geometry import Grid, PixelBox, lonlat_to_pixel, rectangle
from shipdet.models.config import ClassifierConfig, parse_config
from shipdet.models.map_channels import MAP_CHANNELS
from shipdet.models.runtime import BackendInfo
from shipdet.mosaic import Mosaic, Provenance

WATER = (18, 42, 58)
LAND = (112, 92, 66)
STEEL = (205, 190, 180)
WINDOW_M = 240.0
NET_GSD_M = WINDOW_M / 224
FINE = 4  # ships are drawn at this multiple of the resolution and averaged

Pixels = npt.NDArray[np.uint8]


def sea(width: int, height: int, seed: int = 0, noise: float = 4.0) -> Pixels:
    """Noisy water, uint8 (height, width, 3)."""
    return _sea(width, height, seed, noise).copy()


@lru_cache(maxsize=16)
def _sea(width: int, height: int, seed: int, noise: float) -> Pixels:
    rng = np.random.default_rng(seed)
    ripple = cv2.GaussianBlur(rng.normal(0, 3 * noise, (height, width)), (0, 0), 1.5)
    grain = rng.normal(0, noise, (height, width, 3))
    picture = np.array(WATER) + ripple[..., None] + grain
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def paint(
    picture: Pixels,
    outline_px: npt.NDArray[np.float64],
    color: tuple[int, int, int] = STEEL,
    strength: float = 1.0,
    seed: int = 1,
) -> None:
    """Fill a polygon given in pixels, antialiased and with some noise."""
    # Only the part around the polygon is touched.
    size = (picture.shape[1], picture.shape[0])
    left, top = np.clip(np.floor(outline_px.min(axis=0)).astype(int) - 1, 0, size)
    right, bottom = np.clip(np.ceil(outline_px.max(axis=0)).astype(int) + 1, 0, size)
    picture = picture[top:bottom, left:right]
    height, width = picture.shape[:2]
    if not picture.size:
        return
    mask = np.zeros((height * FINE, width * FINE), np.uint8)
    # fillPoly counts from pixel centers and includes its border: half a fine pixel each.
    points = np.rint(((outline_px - (left, top)) * FINE - 0.5) * 256).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, shift=8)
    alpha = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)[..., None] / 255.0
    noise = np.random.default_rng(seed).normal(0, 5, picture.shape)
    alpha = alpha * strength
    mixed = picture * (1 - alpha) + (np.array(color) + noise) * alpha
    picture[:] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def paint_ship(
    picture: Pixels,
    gsd: float | tuple[float, float],
    at_m: tuple[float, float],
    length_m: float,
    width_m: float,
    axis_deg: float,
    color: tuple[int, int, int] = STEEL,
) -> None:
    """A hull with a pointed bow, its middle ``at_m`` meters right of and below the corner."""
    bow_left, bow_right, stern_right, stern_left = rectangle(at_m, length_m, width_m, axis_deg)
    stem = (bow_left + bow_right) / 2
    bow = 0.6 * width_m / length_m  # where it begins to narrow, as a share of the length
    outline = np.stack(
        [
            stem,
            bow_right + (stern_right - bow_right) * bow,
            stern_right,
            stern_left,
            bow_left + (stern_left - bow_left) * bow,
        ]
    )
    paint(picture, outline / np.asarray(gsd, np.float64), color)


def paint_fleet(
    picture: Pixels, gsd: float, fleet: list[tuple[float, ...]], unit_m: float = 1.0
) -> Pixels:
    """Paint ships (x, y, length m, width m, axis), x and y in units of the given meters."""
    for x, y, length, width, axis in fleet:
        paint_ship(picture, gsd, (x * unit_m, y * unit_m), length, width, axis)
    return picture


def picture_mosaic(
    pixels: Pixels,
    gsd: float | tuple[float, float],
    coverage: npt.NDArray[np.bool_] | None = None,
) -> Mosaic:
    """A mosaic with a scale and no place."""
    height, width = pixels.shape[:2]
    gsd_x, gsd_y = gsd if isinstance(gsd, tuple) else (gsd, gsd)
    if coverage is None:
        coverage = np.ones((height, width), np.bool_)
    return Mosaic(pixels, Grid(width, height, gsd_x, gsd_y), coverage, Provenance("image"))


def tile_grid(width: int, height: int, zoom: int, lon: float = 4.1, lat: float = 51.98) -> Grid:
    """The grid of a map picture whose top left corner is at a place (off Rotterdam)."""
    left, top = (int(v) for v in lonlat_to_pixel([lon, lat], zoom))
    return Grid.from_tiles(PixelBox(left, top, left + width, top + height), zoom)


def classifier_config(**block: Any) -> ClassifierConfig:
    import json

    config = parse_config(
        json.dumps(
            {
                "architecture": "convnext_atto",
                "num_classes": 2,
                "num_features": 320,
                "pretrained_cfg": {
                    "input_size": [3, 224, 224],
                    "mean": [0.5, 0.5, 0.5],
                    "std": [0.2, 0.2, 0.2],
                },
                "shipdet": {
                    "format": 1,
                    "task": "ship-classification",
                    "window_m": WINDOW_M,
                    "window_px": 224,
                    "gsd_max_m": 6.0,
                    "scoring": "dense",
                    "threshold": 0.4,
                    "sha256": "ab" * 32,
                    "map": {
                        "sha256": "cd" * 32,
                        "judge": {"weights": [1.0] + 8 * [0.0], "bias": 0.0},
                    },
                    **block,
                },
            }
        ),
        "painted",
    )
    assert isinstance(config, ClassifierConfig)
    return config


@dataclass
class BrightnessClassifier:
    """Scores a window by how bright its middle is; the same whatever lies around it.

    ``reach_px`` is half the side of the square that is looked at, ``dark`` scores 0 and
    ``bright`` 1. Counts what it is asked.
    """

    reach_px: int = 24
    dark: float = 50.0
    bright: float = 210.0
    window_px: int = 224
    cell_px: int = 32
    config: ClassifierConfig = field(default_factory=classifier_config)
    backend: BackendInfo = field(default_factory=lambda: BackendInfo("torch", "cpu", "CPU", "fp32"))
    windows_seen: int = 0
    canvases_seen: list[tuple[int, int]] = field(default_factory=list)

    def scores(self, windows: Pixels) -> npt.NDArray[np.float32]:
        assert windows.dtype == np.uint8 and windows.shape[1:] == (224, 224, 3)
        self.windows_seen += len(windows)
        middle = slice(112 - self.reach_px, 112 + self.reach_px)
        return self._scored(windows[:, middle, middle].mean(axis=(1, 2, 3)))

    def dense(self, canvases: Pixels) -> npt.NDArray[np.float32]:
        _, height, width, _ = canvases.shape
        assert canvases.dtype == np.uint8
        assert height % 32 == width % 32 == 0 and min(height, width) >= 224
        self.canvases_seen.append((height, width))
        reach = self.reach_px
        r = np.arange(112, height - 111, 32)[:, None]
        c = np.arange(112, width - 111, 32)[None, :]
        sums = np.stack([cv2.integral(canvas) for canvas in canvases])
        total = (
            sums[:, r + reach, c + reach]
            - sums[:, r - reach, c + reach]
            - sums[:, r + reach, c - reach]
            + sums[:, r - reach, c - reach]
        ).sum(axis=-1)
        return self._scored(total / (3 * (2 * reach) ** 2))

    def survey(self, canvases: Pixels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What is brighter than halfway between dark and bright is a hull, what is redder than
        blue is land, all else is water; a hull with land on all sides stands on land."""
        margins = np.zeros_like(self.dense(canvases))
        return margins, np.stack([self._map(canvas) for canvas in canvases])

    def _map(self, canvas: Pixels) -> npt.NDArray[np.float32]:
        height, width = canvas.shape[:2]
        red, green, blue = np.moveaxis(canvas.astype(np.int16), 2, 0)
        gray = (red + green + blue) / 3  # much quicker than the mean along the last axis
        hull = (gray > (self.dark + self.bright) / 2).astype(np.uint8)
        answers = np.zeros((len(MAP_CHANNELS), height // 4, width // 4), np.float32)
        channel = dict(zip(MAP_CHANNELS, answers, strict=True))
        channel["center"][:] = -12.0
        land = (red > blue + 20) & (hull == 0)
        land = cv2.morphologyEx(land.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        share = cv2.resize(
            hull.astype(np.float32), (width // 4, height // 4), interpolation=cv2.INTER_AREA
        )
        channel["hull"][:] = 12.0 * (share - 0.5)  # as sure as much of the cell is hull
        outlines, _ = cv2.findContours(hull, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for outline in outlines:
            (x, y), (first, second), angle = cv2.minAreaRect(outline)
            if max(first, second) < 6:
                continue
            length, breadth = max(first, second) + 1, min(first, second) + 1
            radians = np.radians(angle + (0 if first >= second else 90))
            row, column = (
                int(np.clip(v // 4, 0, s // 4 - 1)) for v, s in ((y, height), (x, width))
            )
            inside = np.zeros_like(hull)
            cv2.drawContours(inside, [outline], -1, 1, -1)
            around = cv2.dilate(inside, np.ones((13, 13), np.uint8)) > inside
            if land[around].mean() > 0.8:
                land = np.maximum(land, inside)
            score = float(self._scored(gray[inside > 0].mean()[None])[0])
            for name, value in {
                "center": np.log(score / (1 - score)),
                "dx": (x + 0.5) / 4 - column - 0.5,
                "dy": (y + 0.5) / 4 - row - 0.5,
                "log_length": np.log(length),
                "log_width": np.log(breadth),
                "cos2": np.cos(2 * radians),
                "sin2": np.sin(2 * radians),
            }.items():
                channel[name][row, column] = value
        wet = land[1::4, 1::4] == 0
        channel["water"][:] = np.where(wet, 6.0, -6.0)[: height // 4, : width // 4]
        return answers

    def _scored(self, brightness: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        score = (brightness - self.dark) / (self.bright - self.dark)
        return np.clip(score, 0.0, 0.99).astype(np.float32)


def use_painted(monkeypatch: pytest.MonkeyPatch) -> BrightnessClassifier:
    """A classifier that needs no weights; the pipeline takes it for the chosen one."""
    painted = BrightnessClassifier()
    chosen = SimpleNamespace(config=painted.config)
    monkeypatch.setattr("shipdet.pipeline.searching.load_classifier", lambda *_, **__: painted)
    monkeypatch.setattr("shipdet.pipeline.choosing.resolve", lambda *_: chosen)
    return painted
