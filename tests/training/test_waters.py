"""Water told from land on pictures without an outline, and ships added to it."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.canvases import with_more_ships
from training.compose import Palette, ashore
from training.synthetic import draw_sea
from training.waters import land_of
from training.windows import NET_GSD_M, Placed

SIDE = 320
QUAY = 120


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def town(side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Roofs of all colours, eight pixels wide."""
    roofs = rng.uniform(60, 230, (side // 8, side // 8, 3)) * (1.0, 0.9, 0.75)
    grown = cv2.resize(roofs, (side, side), interpolation=cv2.INTER_NEAREST)
    return grown.astype(np.uint8)


def harbour(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A town left of a straight quay, the sea right of it."""
    picture = draw_sea(SIDE, rng)
    picture[:, :QUAY] = town(SIDE, rng)[:, :QUAY]
    return picture


@pytest.mark.parametrize("seed", range(5))
def test_water_ends_at_the_quay(seed: int) -> None:
    land = land_of(harbour(np.random.default_rng(seed)))
    assert land is not None
    assert land[:, : QUAY - 8].mean() > 0.97
    assert land[:, QUAY + 8 :].mean() < 0.2  # waves that are taken for something cost nothing


def test_a_ship_is_no_water(rng: np.random.Generator) -> None:
    picture = harbour(rng)
    ship = Placed(230.0, 160.0, 90.0, 16.0, 1.1)
    cv2.fillPoly(picture, [ship.corners().round().astype(np.int32)], (170, 70, 60))
    land = land_of(picture)
    assert land is not None
    assert ashore(ship, land) > 0.6  # half of the places that are asked lie on its edges


def test_no_water_where_there_is_none(rng: np.random.Generator) -> None:
    assert land_of(town(SIDE, rng)) is None
    assert land_of(np.full((SIDE, SIDE, 3), 255, np.uint8)) is None


@pytest.mark.parametrize("native_m", [NET_GSD_M / 2, 4.0])
def test_ships_are_added_on_water_only(native_m: float, rng: np.random.Generator) -> None:
    picture = harbour(rng)
    there = [Placed(220.0, 100.0, 60.0, 12.0, 0.2)]
    cv2.fillPoly(picture, [there[0].corners().round().astype(np.int32)], (220, 220, 220))
    total = 0
    for _ in range(12):
        fuller, ships = with_more_ships(picture, there, native_m, Palette([], [], []), rng)
        assert ships[:1] == there
        total += len(ships) - 1
        truth = np.zeros((SIDE, SIDE), np.float32)
        truth[:, :QUAY] = 1
        assert all(ashore(ship, truth) < 0.3 for ship in ships[1:])
        near = np.zeros((SIDE, SIDE), np.uint8)
        for ship in ships[1:]:
            corners = ship.corners().round().astype(np.int32)
            inside = np.zeros_like(near)
            cv2.fillPoly(inside, [corners], 1)
            changed = np.abs(fuller.astype(int) - picture).max(axis=2) > 8
            if inside.sum() > 50:
                assert changed[inside > 0].mean() > 0.3
        assert np.array_equal(fuller[:, : QUAY - 30], picture[:, : QUAY - 30])
    assert total >= 8


def test_a_town_gets_no_ships(rng: np.random.Generator) -> None:
    picture = town(SIDE, rng)
    same, ships = with_more_ships(picture, [], 3.0, Palette([], [], []), rng)
    assert ships == []
    assert np.array_equal(same, picture)
