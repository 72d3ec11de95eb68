"""Windows in the manner of shipsnet's chips, on a scene drawn here."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.cut_windows import KINDS, accuracy, cut_windows, keel, score_cuts
from training.datasets import Scene, Ship, upright_ship

GSD = 3.0
HALF_PX = 40


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Dark water, a bright shed, a ship of 120 m, and one that lies too near to the border."""
    picture = np.full((600, 700, 3), 40, np.uint8)
    picture[200:212, 180:220] = 230  # the ship
    picture[450:500, 500:560] = 240  # the shed
    picture[10:20, 300:340] = 230
    path = tmp_path / "scene.png"
    cv2.imwrite(str(path), picture)
    unknown = np.array([(600.0, 0.0), (700.0, 0.0), (700.0, 600.0), (600.0, 600.0)])
    ships = (
        Ship(np.array([(180.0, 200.0), (220.0, 200.0), (220.0, 212.0), (180.0, 212.0)])),
        Ship(np.array([(300.0, 10.0), (340.0, 10.0), (340.0, 20.0), (300.0, 20.0)])),
    )
    return Scene("drawn/scene.png", path, GSD, ships, (unknown,))


def test_ships_are_in_the_middle_and_parts_at_the_border(scene: Scene) -> None:
    cut = cut_windows(scene)
    assert cut["ship"].tolist() == [[200.0, 206.0]]
    assert sorted(cut["partial"].tolist()) == [[160.0, 206.0], [240.0, 206.0]]


def test_windows_without_ships_hold_no_unknown_ground_either(scene: Scene) -> None:
    cut = cut_windows(scene)
    for kind in ("bright", "other"):
        places = cut[kind]
        assert len(places) > 20
        assert (places[:, 0] + HALF_PX <= 600).all(), "unknown from 600 on"
        for ship in scene.ships:
            away = np.abs(places[:, None] - ship.corners[None]).max(axis=2).min(axis=1)
            assert (away > HALF_PX).all()
    on_shed = (np.abs(cut["bright"] - (530, 475)) < HALF_PX + 30).all(axis=1)
    assert on_shed[:20].all(), "the brightest windows show the shed"


def test_every_ship_of_a_window_s_own_size_at_most(scene: Scene) -> None:
    long = Scene(scene.name, scene.path, GSD, (upright_ship([150, 300, 160, 400]),))
    assert len(cut_windows(long)["ship"]) == 0
    assert keel(upright_ship([0, 0, 30, 40])).tolist() == [0.6, 0.8]


def test_a_scene_of_unknown_scale_is_refused(scene: Scene) -> None:
    with pytest.raises(ValueError, match="no known scale"):
        cut_windows(Scene(scene.name, scene.path, None))


class Bright:
    """Says ship of windows with something bright in the middle."""

    window_px, cell_px = 128, 16

    def scores(self, windows: np.ndarray) -> np.ndarray:
        return (windows[:, 60:68, 60:68].mean(axis=(1, 2, 3)) > 150).astype(np.float32)

    def dense(self, canvases: np.ndarray) -> np.ndarray:
        raise AssertionError("windows are scored on their own")


def test_what_is_right_is_counted_by_kind(scene: Scene) -> None:
    told = accuracy([score_cuts(scene, Bright())])
    assert set(told) == {*KINDS, "all"}
    assert told["ship"] == {"windows": 1, "right": 1.0}
    assert told["bright"]["right"] < 1.0, "the shed is no ship"
    whole = sum(told[kind]["windows"] * told[kind]["right"] for kind in KINDS)
    assert told["all"]["right"] == pytest.approx(whole / told["all"]["windows"])
