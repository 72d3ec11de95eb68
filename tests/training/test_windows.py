"""Labels on canvases: where a ship is one, where it is none, and where nobody knows."""

import numpy as np

from training.windows import (
    NET_GSD_M,
    NO_SHIP,
    SHIP,
    UNKNOWN,
    Placed,
    label_windows,
    window_centres,
)

CANVAS = 352


def ship(x: float, y: float, length: float = 100.0) -> Placed:
    return Placed(x, y, length, 20.0, 0.3)


def test_a_canvas_has_a_window_every_32_pixels() -> None:
    assert window_centres(CANVAS).tolist() == [64, 96, 128, 160, 192, 224, 256, 288]


def test_a_ship_in_the_middle_of_a_window_is_positive_and_its_surroundings_are_ignored() -> None:
    labels = label_windows([ship(160, 192)], CANVAS)
    assert labels[4, 3] == SHIP  # row is y, column is x
    assert labels[4, 4] == UNKNOWN  # 32 px off: more than 18 % of the window, less than 36 %
    assert labels[4, 6] == NO_SHIP  # 96 px off
    assert (labels == SHIP).sum() == 1


def test_every_place_on_the_grid_gives_each_ship_a_positive_window() -> None:
    rng = np.random.default_rng(0)
    for x, y in rng.uniform(64, 288, (200, 2)):
        assert (label_windows([ship(x, y)], CANVAS) == SHIP).any()


def test_two_ships_side_by_side_do_not_erase_each_other() -> None:
    labels = label_windows([ship(160, 160), ship(192, 160)], CANVAS)
    assert labels[3, 3] == SHIP
    assert labels[3, 4] == SHIP


def test_a_ship_that_the_sensor_cannot_resolve_is_ignored_and_a_speck_is_no_ship() -> None:
    at = ship(160, 160, length=24 / NET_GSD_M)  # 24 m
    assert label_windows([at], CANVAS, gsd_m=2.9)[3, 3] == SHIP
    assert label_windows([at], CANVAS, gsd_m=4.0)[3, 3] == UNKNOWN
    assert label_windows([at], CANVAS, gsd_m=6.0)[3, 3] == NO_SHIP


def test_windows_in_unknown_regions_are_unknown_unless_they_hold_a_labelled_ship() -> None:
    unknown = np.zeros((CANVAS, CANVAS), dtype=np.bool_)
    unknown[:, :176] = True
    labels = label_windows([ship(64, 64)], CANVAS, unknown=unknown)
    assert labels[0, 0] == SHIP
    assert labels[7, 0] == UNKNOWN
    assert labels[7, 7] == NO_SHIP
