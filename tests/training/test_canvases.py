"""Pieces of labeled pictures at the network's scale, and what the two answers should be there."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shipdet.models.config import ClassifierConfig, read_config
from tests.helpers import PROJECT
from training.canvases import sampling
from training.canvases.canvas import Canvas, CanvasShip, Shelf, View, joined, matrix_of, take
from training.canvases.sensors import annotate
from training.canvases.targets import SEEN_PX, SHORTEST_M, size_of, targets
from training.canvases.windows import FINEST_NET_GSD_M, NET_GSD_M, SHIP, UNKNOWN, network_gsd_m
from training.data.labeled import LAND, WATER, LabeledImage, LabeledShip, upright
from training.recipe import MapStage, Schedule

SIDE = 192
Values = dict[str, Any]


def labeled(tmp_path: Path, **given: Any) -> LabeledImage:
    """A gray picture of 300 x 240 pixels."""
    path = tmp_path / "a.png"
    if not path.exists():
        cv2.imwrite(str(path), np.full((240, 300, 3), 90, np.uint8))
    return LabeledImage(
        **{"name": "set/a.png", "path": path, "gsd_m": (3.0, 3.0), "place": "a", **given}
    )


def hull(x: float, y: float, length: float, width: float) -> LabeledShip:
    """A ship along +x."""
    corners = np.array(
        [
            (x - length / 2, y - width / 2), (x + length / 2, y - width / 2),
            (x + length / 2, y + width / 2), (x - length / 2, y + width / 2),
        ]
    )  # fmt: skip
    return LabeledShip(corners, True, corners)


def piece(image: LabeledImage, **given: Any) -> Canvas:
    view = View(
        **{
            "center": np.array([150.0, 120.0]), "zoom": 1.0, "angle": 0.0, "mirrored": False,
            "side": SIDE, **given,
        }
    )  # fmt: skip
    return take(image, view, Shelf(), np.random.default_rng(0), augment=False)


def test_ships_and_pixels_go_through_one_map(tmp_path: Path) -> None:
    pixels = np.full((240, 300, 3), 30, np.uint8)
    pixels[110:120, 130:170] = 220
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    image = labeled(tmp_path, gsd_m=(2.0, 4.0), ships=(hull(150, 115, 40, 10),))
    for angle in (0.0, 0.6, np.pi / 2):
        for mirrored in (False, True):
            gsd_m = 1.2 if mirrored else NET_GSD_M
            canvas = piece(image, angle=angle, mirrored=mirrored, zoom=1.2, gsd_m=gsd_m)
            (ship,) = canvas.ships
            rows, columns = np.nonzero(canvas.pixels[..., 0] > 125)
            middle = np.array([columns.mean(), rows.mean()]) + 0.5
            np.testing.assert_allclose(ship.corners.mean(axis=0), middle, atol=1.0)
            length, width, _ = size_of(ship)
            assert length == pytest.approx(80 / gsd_m * 1.2, rel=0.01)
            assert width == pytest.approx(40 / gsd_m * 1.2, rel=0.01)
            assert ship.length_m == pytest.approx(80)
            assert len(rows) == pytest.approx(length * width, rel=0.12)


def test_a_canvas_has_the_scale_of_a_search_of_its_image() -> None:
    model = read_config(PROJECT / "weights" / "shipdet-pico")
    assert isinstance(model, ClassifierConfig)
    for gsd_m in (0.3, 1.2, 1.5, 3.0):
        assert network_gsd_m(gsd_m) == pytest.approx(model.network_gsd_m(gsd_m))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_enlarged_pieces_and_whole_mosaics_are_shares(tmp_path, monkeypatch, share) -> None:
    views: list[View] = []

    def seen(image: LabeledImage, view: View, *others: Any) -> Canvas:
        views.append(view)
        return take(image, view, *others)

    monkeypatch.setattr(sampling, "take", seen)
    image = labeled(tmp_path, name="aid/a.png", ships=(hull(150, 115, 40, 10),))
    stage = MapStage(
        schedule=Schedule(steps=1), canvas_px=SIDE, large_shares={"aid": 1.0},
        small_shares={"aid": 1.0}, enlarged=share, whole_mosaics=share,
    )  # fmt: skip
    sampler = sampling.Sampler([image], stage, seed=0)
    assert sampler.mosaic().pixels.shape == (SIDE, SIDE, 3)
    assert [view.side for view in views] == ([SIDE] if share else 4 * [SIDE // 2])
    for _ in range(4):
        sampler.large()
    assert all(FINEST_NET_GSD_M <= view.gsd_m <= NET_GSD_M for view in views)
    assert any(view.gsd_m < NET_GSD_M for view in views) == bool(share)


def test_the_center_of_a_view_is_the_center_of_the_canvas(tmp_path: Path) -> None:
    view = View(np.array([33.0, 44.0]), 1.3, 0.7, True, SIDE)
    matrix = matrix_of(labeled(tmp_path), view)
    np.testing.assert_allclose(matrix[:, :2] @ view.center + matrix[:, 2], SIDE / 2)


def test_nothing_is_known_outside_and_in_unknown_regions(tmp_path: Path) -> None:
    unknown = (np.array([[150, 0], [170, 0], [170, 240], [150, 240]], float),)
    canvas = piece(labeled(tmp_path, unknown=unknown), center=np.array([290.0, 120.0]))
    # 96 px to the right of the center begin the 10 px * 3 m that are left of the picture.
    assert canvas.known[:, :108].any() and not canvas.known[:, 116:].any()
    inside = piece(labeled(tmp_path, unknown=unknown))
    assert not inside.known[:, 98:126].any()
    assert inside.known[:, :94].all() and inside.known[:, 132:].all()


def test_of_an_incomplete_picture_only_hulls_are_known(tmp_path: Path) -> None:
    canvas = piece(labeled(tmp_path, complete=False, ships=(hull(150, 120, 40, 10),)))
    assert canvas.known[90:102, 70:122].all()
    assert canvas.known.mean() < 0.05


def test_black_borders_are_unknown_ground(tmp_path: Path) -> None:
    pixels = np.full((240, 300, 3), 90, np.uint8)
    pixels[:, :150] = 0
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    canvas = piece(labeled(tmp_path))
    assert not canvas.known[:, :96].any() and canvas.known[:, 104:].all()


def test_a_mosaic_knows_nothing_of_its_seams(tmp_path: Path) -> None:
    quarter = piece(labeled(tmp_path, ships=(hull(150, 120, 20, 6),)), side=96)
    whole = joined([quarter] * 4)
    assert whole.pixels.shape == (192, 192, 3)
    centers = sorted(ship.corners.mean(axis=0).round().tolist() for ship in whole.ships)
    assert centers == [[48, 48], [48, 144], [144, 48], [144, 144]]
    assert not whole.known[92:100].any() and not whole.known[:, 92:100].any()
    assert all(ship.sized for ship in whole.ships)
    long = joined([piece(labeled(tmp_path, ships=(hull(150, 120, 90, 9),)), side=96)] * 4)
    assert not any(ship.sized for ship in long.ships), "cut at the seam: no length to learn"


def canvas(ships: tuple[CanvasShip, ...] = (), **given: Any) -> Canvas:
    """Known water without anything."""
    return Canvas(
        **{
            "pixels": np.zeros((SIDE, SIDE, 3), np.uint8),
            "ships": ships,
            "known": np.ones((SIDE, SIDE), np.bool_),
            "water": np.full((SIDE, SIDE), WATER, np.uint8),
            "smallest": np.full((SIDE, SIDE), 10.0, np.float32),
            **given,
        }
    )


def ship(x: float = 98.0, y: float = 90.0, **given: Any) -> CanvasShip:
    """60 x 12 network pixels along +x."""
    corners = hull(x, y, 60, 12).corners
    return CanvasShip(
        **{
            "corners": corners, "axis": True, "outline": corners, "length_m": 112.5,
            "seen_px": 40.0, "sized": True, **given,
        }
    )  # fmt: skip


def test_a_ship_has_its_center_size_and_axis() -> None:
    made = targets(canvas((ship(),)))
    assert (made["heat"] == 1).sum() == 1 and made["heat"][22, 24] == 1
    dx, dy, log_length, log_width, cos2, sin2 = made["size"][:, 22, 24]
    assert (dx, dy) == (0.0, 0.0)
    assert np.exp([log_length, log_width]) == pytest.approx([60, 12])
    assert (cos2, sin2) == pytest.approx((1, 0), abs=1e-6)
    assert made["size_weight"][:, 22, 24].tolist() == [1.0] * 6
    assert made["size"][0, 22, 25] == pytest.approx(-1), "the next cell points back"
    assert made["hull"].sum() == pytest.approx(15 * 3, abs=2)
    assert (made["water"][made["water_asked"] > 0] == 1).all(), "water under the hull too"
    assert made["windows"].max() == SHIP


def test_an_upright_box_teaches_neither_axis_nor_width() -> None:
    wide = upright([70, 70, 130, 110])
    given = CanvasShip(wide.corners, False, None, 130.0, 40.0, True)
    made = targets(canvas((given,)))
    row, column = np.argwhere(made["heat"] == 1)[0]
    assert made["size_weight"][:2, row, column].tolist() == [1, 1]
    assert 0 < made["size_weight"][2, row, column] < 1
    assert made["size_weight"][3:, row, column].tolist() == [0, 0, 0]
    inside = made["hull_asked"][19:26, 19:31]
    assert 0 < inside.mean() < 0.2, "only its middle is surely hull"


def test_invisible_ships_are_not_in_the_loss() -> None:
    for given in ({"seen_px": SEEN_PX - 0.5}, {"length_m": SHORTEST_M - 0.5}):
        made = targets(canvas((ship(**given),)))
        assert made["heat"].max() == 0, "no center is wanted"
        assert made["asked"][22, 18:31].max() == 0, "and none is refused"
        assert made["asked"].mean() > 0.9


def test_unknown_ground_is_asked_nothing() -> None:
    known = np.ones((SIDE, SIDE), np.bool_)
    known[:, :80] = False
    water = np.full((SIDE, SIDE), 128, np.uint8)
    water[:40] = LAND
    made = targets(canvas(known=known, water=water))
    assert made["asked"][:, :20].max() == 0 and made["asked"][:, 21:].min() == 1
    assert made["hull_asked"][:, :20].max() == 0
    assert made["water_asked"][11:].max() == 0 and made["water_asked"][:10].min() == 1
    assert (made["windows"][:, 0] == UNKNOWN).all()


def test_a_ship_in_unknown_ground_is_still_a_ship() -> None:
    made = targets(canvas((ship(),), known=np.zeros((SIDE, SIDE), np.bool_)))
    assert made["asked"][22, 24] == 1 and made["asked"].sum() == 1
    assert made["hull_asked"][22, 20:28].min() == 1


def test_two_ships_side_by_side_have_two_centers() -> None:
    made = targets(canvas((ship(y=90), ship(y=104))))
    assert (made["heat"] == 1).sum() == 2
    assert made["heat"][24, 24] < 0.9, "between them the heat falls"


def test_text_is_written_on_a_canvas_and_nothing_else_changes() -> None:
    plain = np.full((SIDE, SIDE, 3), 90, np.uint8)
    written = annotate(plain, np.random.default_rng(1))
    changed = (written != plain).any(axis=2)
    assert written.shape == plain.shape and written.dtype == np.uint8
    assert 0 < changed.mean() < 0.2
    assert (plain == 90).all()
