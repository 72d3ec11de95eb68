"""Composed canvases, sensors, scenes and our own labels, without any picture of the data."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from training.compose import Palette, compose
from training.cutouts import Cutout, outline
from training.metrics import length_m
from training.synthetic import (
    draw_cranes,
    draw_jetty,
    draw_mole,
    draw_rocks,
    draw_sheds,
    draw_ship,
)

from training.canvases import LoadedScene, cut_canvas, random_scale
from training.canvases.sensors import degrade, random_gsd, recolor
from training.canvases.windows import NET_GSD_M
from training.data.datasets import Scene, Ship, aid_shore, own_labels, upright_ship
from training.paths import LABELS

EMPTY = Palette([], [], [])


def test_composed_canvases_are_repeatable_with_visible_ships() -> None:
    first, ships = compose(EMPTY, 448, 1.0, np.random.default_rng(5))
    again, same = compose(EMPTY, 448, 1.0, np.random.default_rng(5))
    assert first.shape == (448, 448, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert ships == same
    for ship in ships:
        assert 12 <= ship.length * NET_GSD_M <= 400


@pytest.mark.parametrize("seed", range(12))
def test_a_drawn_ship_fills_the_box_it_says(seed: int) -> None:
    cutout = draw_ship(np.random.default_rng(seed))
    rows, columns = np.nonzero(cutout.alpha > 0.5)
    assert abs((columns.max() + 1 - columns.min()) - cutout.length) <= 3
    assert abs((rows.max() + 1 - rows.min()) - cutout.width) <= 3
    middle = (columns.max() + 1 + columns.min()) / 2, (rows.max() + 1 + rows.min()) / 2
    assert np.allclose(middle, cutout.centre, atol=2)
    # Nothing of the black around it shows where its soft edge is blended with water.
    edge = (cutout.alpha > 0.02) & (cutout.alpha < 0.5)
    assert cutout.pixels[edge].max(axis=1).min() > 15


def test_drawn_ships_are_of_all_kinds() -> None:
    rng = np.random.default_rng(1)
    ships = [draw_ship(rng) for _ in range(60)]
    slender = [ship.length / ship.width for ship in ships]
    assert min(slender) < 3.6 and max(slender) > 7.5
    colours = np.array([ship.pixels[ship.alpha > 0.9].mean(axis=0) for ship in ships])
    assert colours.std(axis=0).min() > 15


def test_sheds_and_tanks_stand_on_the_ground_they_are_given() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        ground = np.full((320, 320, 3), 120, np.float32)
        draw_sheds(ground, rng)
        changed = (ground != 120).any(axis=2).mean()
        assert 0 <= changed < 0.8 and ground.min() >= 0 and ground.max() <= 255
    assert (ground != 120).any()


def test_sensors_keep_the_size_and_lose_detail() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 255, (224, 224, 3)).astype(np.uint8)
    soft = degrade(recolor(sharp, rng), 5.0, rng)
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


def test_one_file_may_hold_the_labels_of_many_pictures(tmp_path: Path) -> None:
    entries = [
        {"image": f"aid/Port/port_{n}.jpg", "gsd_m": 2.0, "complete": True, "ships": []}
        for n in (7, 8)
    ]
    (tmp_path / "aid_port.json").write_text(json.dumps(entries))
    assert [scene.name for scene in own_labels(tmp_path, tmp_path)] == [
        "aid/Port/port_7.jpg",
        "aid/Port/port_8.jpg",
    ]


def test_shores_are_the_pictures_in_which_nobody_saw_a_boat(tmp_path: Path) -> None:
    named = (LABELS / "aid_boats.txt").read_text().split()
    boat = next(name for name in named if name.startswith("Bridge/"))
    for name in (boat, "Bridge/bridge_0.jpg", "River/river_0.jpg", "Port/port_1.jpg"):
        path = tmp_path / "aid" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [scene.name for scene in aid_shore(tmp_path)] == [
        "aid/Bridge/bridge_0.jpg",
        "aid/River/river_0.jpg",
    ]


@pytest.mark.parametrize("drawn", [draw_mole, draw_jetty, draw_rocks])
def test_what_stands_in_the_water_is_drawn_over_a_part_of_it(
    drawn: Callable[[NDArray[np.uint8], np.random.Generator], None],
) -> None:
    changed = []
    for seed in range(12):
        picture = np.full((320, 320, 3), 60, np.uint8)
        drawn(picture, np.random.default_rng(seed))
        changed.append(float((picture != 60).any(axis=2).mean()))
    assert max(changed) > 0.002
    assert max(changed) < 0.8


def test_cranes_stand_on_the_quay_and_reach_over_the_water() -> None:
    mask = np.zeros((320, 320), np.float32)
    mask[:, 160:] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), 1)
    picture = np.full((320, 320, 3), 60, np.uint8)
    draw_cranes(picture, mask, np.random.default_rng(3))
    _ys, xs = np.nonzero((picture != 60).any(axis=2))
    assert len(xs) > 20
    assert xs.min() < 155
    assert np.abs(xs - 160).max() < 80
    empty = np.full((320, 320, 3), 60, np.uint8)
    draw_cranes(empty, np.zeros((320, 320), np.float32), np.random.default_rng(3))
    assert (empty == 60).all()


def test_merchant_ships_are_pasted_more_often_than_they_occur() -> None:
    def cutout(length: float) -> Cutout:
        size = (20, int(length))
        pixels = np.full((*size, 3), 200, np.uint8)
        return Cutout(pixels, np.ones(size, np.float32), (length / 2, 10), length, 15, 0.0)

    boat, merchant = cutout(40), cutout(90)
    palette = Palette([boat] * 9 + [merchant], [], [])
    rng = np.random.default_rng(1)
    drawn = [palette.ship(rng) for _ in range(400)]
    assert palette.slender == [merchant]
    assert sum(ship is merchant for ship in drawn) > 100
    assert sum(ship is boat for ship in drawn) > 100
    assert not any(ship is boat or ship is merchant for ship in [Palette([], [], []).ship(rng)])


def test_a_ship_is_cut_out_of_a_turned_box() -> None:
    crop = np.full((90, 90, 3), (40, 60, 70), np.uint8)
    crop += np.random.default_rng(0).integers(0, 6, crop.shape, dtype=np.uint8)
    hull = cv2.boxPoints(((45.0, 45.0), (60.0, 12.0), 40.0))
    cv2.fillPoly(crop, [hull.round().astype(np.int32)], (220, 200, 190))
    box = cv2.boxPoints(((45.0, 45.0), (64.0, 16.0), 40.0)).astype(np.float64)
    mask = outline(crop, box, 1.0)
    assert mask is not None
    painted = cv2.fillPoly(np.zeros((90, 90), np.uint8), [hull.round().astype(np.int32)], 1)
    assert (mask & painted).sum() > 0.85 * (mask | painted).sum()
    assert outline(np.full((90, 90, 3), 50, np.uint8), box, 1.0) is None


def test_small_pictures_are_enlarged_to_cover_a_canvas() -> None:
    rng = np.random.default_rng(0)
    small = Scene("aid/Port/port_1.jpg", Path("x"), 2.5)
    large = Scene("harbours/x.jpg", Path("x"), 2.5)
    assert min(random_scale(small, (150, 150), rng) for _ in range(50)) * 150 > 280
    scales = np.array([random_scale(large, (900, 900), rng) for _ in range(200)])
    assert scales.max() < 1.2 * 2.5 / NET_GSD_M
    # Some are seen as wide windows see them, and none in between.
    wide = scales < 0.6 * 2.5 / NET_GSD_M
    assert 0.15 < wide.mean() < 0.45 and scales[~wide].min() > 0.8 * 2.5 / NET_GSD_M


def test_the_length_of_an_upright_box_is_its_diagonal() -> None:
    assert upright_ship([0, 0, 30, 40]).extent_px == 50
    tilted = np.array([(0, 0), (40, 0), (40, 10), (0, 10)], dtype=np.float64)
    assert Ship(tilted).extent_px == 40
