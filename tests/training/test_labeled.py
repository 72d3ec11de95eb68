"""One reader for all labeled sets: what is known where, whatever form the labels have."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from training.data import labeled
from training.data.labeled import (
    DIAGONAL,
    LAND,
    UNKNOWN,
    WATER,
    LabeledImage,
    boxed,
    place_of,
    read_set,
    read_water,
    ship_of,
    upright,
    with_waters,
)

SQUARE = (1.0, 1.0)


def sides(corners: np.ndarray) -> tuple[float, float]:
    first, second = (np.linalg.norm(corners[i + 1] - corners[i]) for i in (0, 1))
    return float(first), float(second)


def image(path: Path = Path("none.png"), **given: Any) -> LabeledImage:
    return LabeledImage(
        **{"name": "planet-ports/a.png", "path": path, "gsd_m": SQUARE, "place": "a", **given}
    )


def test_corners_keep_their_order_and_their_axis() -> None:
    corners = [[10, 10], [90, 30], [87, 42], [7, 22]]
    ship = ship_of({"corners": corners, "kind": "tanker"})
    assert ship.axis and ship.kind == "tanker"
    assert ship.corners.tolist() == corners
    assert ship.center.tolist() == [48.5, 26.0]


def test_a_polygon_has_the_box_around_it_with_its_length_first() -> None:
    outline = [[0, 5], [10, 0], [100, 0], [100, 10], [10, 10]]
    ship = ship_of({"poly": outline})
    assert ship.axis and ship.outline is not None
    assert ship.outline.tolist() == outline
    assert sides(ship.corners) == pytest.approx((100, 10), abs=0.01)
    assert sides(boxed(np.array([[0, 0], [8, 0], [8, 50], [0, 50]], float))) == pytest.approx(
        (50, 8), abs=0.01
    )


@pytest.mark.parametrize("box", [[10, 10, 110, 30], [10, 10, 30, 110]])
def test_a_narrow_upright_box_tells_the_axis(box: list[float]) -> None:
    ship = ship_of({"box": box})
    assert ship.axis and ship.outline is not None
    assert sides(ship.corners) == (100, 20)


def test_a_wide_upright_box_teaches_center_and_length_only() -> None:
    ship = upright([10, 10, 90, 70])
    assert not ship.axis and ship.outline is None
    assert ship.center.tolist() == [50, 40]
    assert image(ships=(ship,)).length_m(ship) == pytest.approx(100 * DIAGONAL)


def test_lengths_are_meters_on_pixels_that_are_not_square() -> None:
    squeezed = image(gsd_m=(1.5, 3.0))
    assert squeezed.length_m(ship_of({"box": [0, 0, 100, 10]})) == pytest.approx(150)
    assert squeezed.length_m(ship_of({"box": [0, 0, 10, 100]})) == pytest.approx(300)
    turned = ship_of({"corners": [[0, 0], [30, 40], [26, 43], [-4, 3]]})
    assert squeezed.length_m(turned) == pytest.approx(np.hypot(45, 120))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with one set of two pictures, and no corrections."""
    folder = tmp_path / "data" / "planet-ports"
    folder.mkdir(parents=True)
    entries = [
        {
            "file": "a.png", "gsd_x_m": 3.0, "gsd_y_m": 2.0, "group": "singapore/1",
            "complete": True, "water_mask": "masks/a.png",
            "ships": [{"box": [10, 10, 60, 20]}, {"corners": [[0, 0], [9, 0], [9, 3], [0, 3]]}],
            "unknown": [[70, 70, 90, 95]],
        },
        {"file": "b.png", "gsd_x_m": 3.0, "gsd_y_m": 3.0, "complete": False, "ships": []},
    ]  # fmt: skip
    (folder / "labels.json").write_text(json.dumps({"images": entries}))
    for name in ("a", "b"):
        cv2.imwrite(str(folder / f"{name}.png"), np.full((100, 120, 3), 60, np.uint8))
    monkeypatch.setattr(labeled, "LABELS", tmp_path / "labels")
    (tmp_path / "labels").mkdir()
    return tmp_path


def correct(root: Path, corrections: dict[str, Any]) -> None:
    (root / "labels" / "corrections.json").write_text(json.dumps(corrections))


def test_a_set_is_read_with_what_it_says_of_itself(root: Path) -> None:
    first, second = read_set("planet-ports", root / "data")
    assert (first.name, first.source) == ("planet-ports/a.png", "planet-ports")
    assert first.place == "planet-ports/singapore"
    assert first.gsd_m == (3.0, 2.0) and first.scaled and first.complete
    assert first.water == root / "data/planet-ports/masks/a.png"
    assert [u.tolist() for u in first.unknown] == [[[70, 70], [90, 70], [90, 95], [70, 95]]]
    assert [first.length_m(ship) for ship in first.ships] == [150, 27]
    assert not second.complete and second.ships == ()
    assert first.read().shape == (100, 120, 3)


def test_corrections_add_remove_and_exclude(root: Path) -> None:
    correct(
        root,
        {
            "planet-ports/a.png": {
                "remove": [0],
                "add": [{"corners": [[50, 50], [80, 50], [80, 56], [50, 56]]}],
                "unknown": [[1, 1, 5, 5]],
            },
            "planet-ports/b.png": {"exclude": "boxes are burned in"},
        },
    )
    (only,) = read_set("planet-ports", root / "data")
    assert [only.length_m(ship) for ship in only.ships] == [27, 90]
    assert len(only.unknown) == 2


def test_a_missing_picture_is_reported_with_what_to_set(root: Path) -> None:
    (root / "data/planet-ports/b.png").unlink()
    _, second = read_set("planet-ports", root / "data")
    with pytest.raises(FileNotFoundError, match="SHIPDET_DATA"):
        second.read()


@pytest.mark.parametrize(
    ("name", "entry", "place"),
    [
        ("planet-ports", {"group": "dubai/2020-01-01", "file": "x.png"}, "planet-ports/dubai"),
        ("ge-ports", {"group": "bck", "file": "bck_011.png"}, "ge-ports/bck_011"),
        ("ge-ports", {"group": "PE_", "file": "PE_001.png"}, "ge-ports/PE_"),
        ("mekong-planet", {"group": "x", "file": "a.png"}, "mekong-planet"),
        ("google-earth", {"file": "a.png"}, "google-earth/a.png"),
    ],
)
def test_dates_of_one_port_are_one_place(name: str, entry: dict[str, Any], place: str) -> None:
    assert place_of(name, entry) == place


def test_water_of_pictures_that_show_nothing_else() -> None:
    assert (read_water(image(water="land"), 4, 5) == LAND).all()
    assert (read_water(image(water="water"), 4, 5) == WATER).all()
    assert read_water(image(), 4, 5) is None


def written(folder: Path, values: np.ndarray) -> Path:
    path = folder / "mask.png"
    cv2.imwrite(str(path), values)
    return path


def test_a_mask_has_three_states(tmp_path: Path) -> None:
    values = np.repeat(np.array([[0, 54, 55, 128, 200, 201, 255]], np.uint8), 3, axis=0)
    known = read_water(image(water=written(tmp_path, values)), 3, 7)
    assert known is not None
    assert known[0].tolist() == [LAND, LAND, UNKNOWN, UNKNOWN, UNKNOWN, WATER, WATER]


def test_a_coarse_mask_knows_nothing_of_the_shore(tmp_path: Path) -> None:
    values = np.zeros((80, 80), np.uint8)
    values[:, 40:] = 255
    values[60:64, 60:64] = 0  # a ship, which its index takes for land
    known = read_water(image(water=written(tmp_path, values), water_values="ndwi"), 80, 80)
    assert known is not None
    assert (known[:, 42:58] == WATER).all()
    assert (known[61:63, 61:63] == UNKNOWN).all()
    assert (known[:, 38:40] == UNKNOWN).all()
    assert (known[20:60, 5:20] == LAND).all()


def test_black_pixels_of_a_coarse_mask_are_unknown(tmp_path: Path) -> None:
    pixels = np.full((60, 60, 3), 90, np.uint8)
    pixels[:, 40:] = 0
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    mask = written(tmp_path, np.zeros((60, 60), np.uint8))
    one = image(tmp_path / "a.png", water=mask, water_values="black-unknown")
    known = read_water(one, 60, 60)
    assert known is not None
    assert (known[:, 45:] == UNKNOWN).all() and (known[:, :38] == LAND).all()


def test_classes_in_color_become_water_and_land(tmp_path: Path) -> None:
    colors = np.zeros((1, 3, 3), np.uint8)
    colors[0] = [(0xE2, 0xA9, 0x29), (0x9B, 0x9B, 0x9B), (0x3C, 0x10, 0x98)]
    path = written(tmp_path, colors[..., ::-1])
    known = read_water(image(water=path, water_values="dubai"), 1, 3)
    assert known is not None and known[0].tolist() == [WATER, UNKNOWN, LAND]


def test_water_drawn_by_eye_lies_over_everything(tmp_path: Path) -> None:
    entry = {
        "image": "planet-ports/a.png",
        "base": "land",
        "polygons": [
            {"class": "water", "points": [[5, 0], [9, 0], [9, 9], [5, 9]]},
            {"class": "unknown", "points": [[8, 0], [9, 0], [9, 9], [8, 9]]},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(entry))
    plain = image(water="water")
    drawn, other = with_waters([plain, replace(plain, name="planet-ports/b.png")], tmp_path)
    known = read_water(drawn, 10, 10)
    assert known is not None
    assert known[5].tolist() == [LAND] * 5 + [WATER] * 3 + [UNKNOWN] * 2
    assert (read_water(other, 10, 10) == WATER).all()
