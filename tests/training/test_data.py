"""Composed canvases, sensors, scenes and our own labels, without any picture of the data."""

import json
from pathlib import Path

import cv2
import numpy as np

from training.canvases import LoadedScene, cut_canvas
from training.compose import Palette, compose
from training.datasets import Scene, Ship, own_labels, upright_ship
from training.metrics import length_m
from training.sensors import degrade, random_gsd, recolour
from training.synthetic import draw_ship
from training.windows import NET_GSD_M

EMPTY = Palette([], [], [])


def test_composed_canvases_are_repeatable_and_their_ships_can_be_seen() -> None:
    first, ships = compose(EMPTY, 448, 1.0, np.random.default_rng(5))
    again, same = compose(EMPTY, 448, 1.0, np.random.default_rng(5))
    assert first.shape == (448, 448, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert ships == same
    for ship in ships:
        assert 12 <= ship.length * NET_GSD_M <= 400


def test_a_drawn_ship_fills_the_box_it_says() -> None:
    cutout = draw_ship(np.random.default_rng(0))
    rows, columns = np.nonzero(cutout.alpha > 0.5)
    assert abs((columns.max() - columns.min()) - cutout.length) <= 3
    assert abs((rows.max() - rows.min()) - cutout.width) <= 3


def test_sensors_keep_the_size_and_lose_detail() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 255, (224, 224, 3)).astype(np.uint8)
    soft = degrade(recolour(sharp, rng), 5.0, rng)
    assert soft.shape == sharp.shape
    assert cv2.Laplacian(soft, cv2.CV_64F).std() < 0.3 * cv2.Laplacian(sharp, cv2.CV_64F).std()
    gsds = [random_gsd(rng) for _ in range(500)]
    assert min(gsds) >= 0.5
    assert max(gsds) <= 10


def test_a_cut_canvas_carries_its_ships_along(tmp_path: Path) -> None:
    picture = np.full((300, 400, 3), 30, np.uint8)
    picture[140:150, 180:220] = 250
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    ship = upright_ship([180, 140, 220, 150])
    loaded = LoadedScene(Scene("a", tmp_path / "a.png", 1.5, (ship,)))
    for seed in range(5):
        canvas = cut_canvas(loaded, 448, np.random.default_rng(seed))
        (placed,) = canvas.ships
        assert canvas.unknown is not None
        if 20 < placed.x < 428 and 20 < placed.y < 428:
            x, y = int(placed.x), int(placed.y)
            assert not canvas.unknown[y, x]
            assert canvas.picture[y, x].mean() > np.median(canvas.picture) + 20


def test_our_labels_are_read_as_scenes(tmp_path: Path) -> None:
    entry = {
        "image": "harbours/x.jpg",
        "gsd_m": 2.0,
        "complete": False,
        "ships": [
            {"polygon": [[0, 0], [50, 0], [50, 9], [0, 9]], "length_m": 100.0, "kind": "cargo"}
        ],
        "unknown": [[[0, 0], [10, 0], [10, 10]]],
        "sea": [[[0, 0], [19, 0], [19, 19], [0, 19]]],
        "islands": [[[5, 5], [9, 5], [9, 9], [5, 9]]],
    }
    (tmp_path / "harbours_x.json").write_text(json.dumps(entry))
    (scene,) = own_labels(tmp_path, tmp_path)
    assert scene.path == tmp_path / "harbours" / "x.jpg"
    assert scene.unknown_mask(20, 20).all()
    assert length_m(scene.ships[0], 2.0) == 100.0
    assert scene.sea_mask(20, 20).sum() == 20 * 20 - 5 * 5


def test_the_length_of_an_upright_box_is_its_diagonal() -> None:
    assert upright_ship([0, 0, 30, 40]).extent_px == 50
    tilted = np.array([(0, 0), (40, 0), (40, 10), (0, 10)], dtype=np.float64)
    assert Ship(tilted).extent_px == 40
