"""Labels on canvases: where a ship counts, where it does not, and where it is unknown."""

import numpy as np

from training.canvases.windows import (
    NET_GSD_M,
    NO_SHIP,
    SHIP,
    UNKNOWN,
    Placed,
    asked_centers,
    label_window,
    label_windows,
)

CANVAS = 352


def ship(x: float, y: float, length: float = 100.0) -> Placed:
    return Placed(x, y, length, 20.0, 0.3)


def test_a_canvas_is_asked_about_every_16_pixels() -> None:
    assert asked_centers(CANVAS).tolist() == list(range(32, 321, 16))


def test_windows_around_a_ship_are_positive_then_ignored() -> None:
    labels = label_windows([ship(160, 192)], CANVAS)
    assert labels[10, 8] == SHIP  # row is y, column is x
    assert labels[10, 9] == UNKNOWN  # 16 px off: more than 11 % of the window, less than 22 %
    assert labels[10, 10] == NO_SHIP
    assert (labels == SHIP).sum() == 1


def test_the_middle_of_a_long_ship_is_vague() -> None:
    labels = label_windows([ship(160, 192, length=300)], CANVAS)
    assert labels[10, 9] == SHIP  # 16 px off: 5 % of its length
    assert labels[10, 12] == UNKNOWN


def test_every_grid_offset_gives_each_ship_a_positive_window() -> None:
    rng = np.random.default_rng(0)
    for x, y in rng.uniform(32, 320, (200, 2)):
        assert (label_windows([ship(x, y)], CANVAS) == SHIP).any()


def test_two_ships_side_by_side_do_not_erase_each_other() -> None:
    labels = label_windows([ship(160, 160), ship(192, 160)], CANVAS)
    assert labels[8, 8] == SHIP
    assert labels[8, 10] == SHIP


def test_unresolved_ships_are_ignored_and_specks_are_no_ships() -> None:
    at = ship(160, 160, length=24 / NET_GSD_M)  # 24 m
    assert label_windows([at], CANVAS, gsd_m=2.9)[8, 8] == SHIP
    assert label_windows([at], CANVAS, gsd_m=4.0)[8, 8] == UNKNOWN
    assert label_windows([at], CANVAS, gsd_m=6.0)[8, 8] == NO_SHIP


def test_windows_in_unknown_regions_need_a_labeled_ship() -> None:
    unknown = np.zeros((CANVAS, CANVAS), dtype=np.bool_)
    unknown[:, :176] = True
    labels = label_windows([ship(64, 64)], CANVAS, unknown=unknown)
    assert labels[2, 2] == SHIP
    assert labels[18, 2] == UNKNOWN
    assert labels[18, 18] == NO_SHIP


def test_a_window_on_its_own_is_asked_about_its_middle() -> None:
    assert label_window([ship(66, 60)]) == SHIP
    assert label_window([ship(110, 64)]) == NO_SHIP
    assert label_window([ship(84, 64)]) == UNKNOWN
