"""Finished canvases: turned, kept in files, sharpened, and put into batches."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from shipdet.models.config import UpscalerConfig
from shipdet.models.runtime import BackendInfo
from training.canvas import Canvas, load, save, turned
from training.canvases import CanvasMaker
from training.config import DenseStage, SceneStage, TeacherStage, WindowStage
from training.engine import Schedule
from training.sharpen import sharpened
from training.windows import NET_GSD_M, Placed

SIDE = 320
SHIP = Placed(x=90.0, y=60.0, length=60.0, width=12.0, angle=0.3)


def painted(ship: Placed, unknown: NDArray[np.bool_] | None = None, gsd_m: float = 3.0) -> Canvas:
    """Dark water with one bright ship."""
    picture = np.full((SIDE, SIDE, 3), 40, np.uint8)
    cv2.fillPoly(picture, [ship.corners().round().astype(np.int32)], (230, 230, 230))
    return Canvas(picture, [ship], gsd_m, unknown)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_turned_canvas_keeps_its_ship_under_its_box(quarters: int, mirrored: bool) -> None:
    unknown = np.zeros((SIDE, SIDE), np.bool_)
    unknown[55:65, 85:95] = True
    canvas = turned(painted(SHIP, unknown), quarters, mirrored)
    (ship,) = canvas.ships
    bright = canvas.picture[..., 0] > 128
    box = painted(ship).picture[..., 0] > 128
    assert (bright & box).sum() > 0.8 * (bright | box).sum()
    assert canvas.unknown is not None
    assert canvas.unknown[int(ship.y), int(ship.x)]
    assert canvas.unknown.sum() == 100


def test_canvases_come_back_from_their_file(tmp_path: Path) -> None:
    unknown = np.zeros((SIDE, SIDE), np.bool_)
    unknown[:7] = True
    empty = Canvas(np.zeros((SIDE, SIDE, 3), np.uint8), [], 2.0)
    save([painted(SHIP, unknown), empty, painted(SHIP)], tmp_path / "kept.npz")
    first, second, third = load(tmp_path / "kept.npz")
    assert [first.ships, second.ships, third.ships] == [[SHIP], [], [SHIP]]
    assert [first.gsd_m, second.gsd_m] == [3.0, 2.0]
    assert np.array_equal(first.picture, painted(SHIP).picture)
    assert first.unknown is not None
    assert np.array_equal(first.unknown, unknown)
    assert second.unknown is not None
    assert not second.unknown.any()


class Brightening:
    """Enlarges four times and adds ten grey levels, so that one sees where it ran."""

    config = UpscalerConfig.model_validate(
        {
            "architecture": "RRDBNet",
            "shipdet": {"format": 1, "task": "super-resolution", "scale": 4, "sha256": "0" * 64},
        }
    )
    scale = 4
    backend = BackendInfo("torch", "cpu", "none", "fp32")

    def upscale(self, blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return blocks.repeat(4, axis=1).repeat(4, axis=2) + np.uint8(10)


def test_sharpening_keeps_the_canvas_in_its_place() -> None:
    canvas = sharpened(painted(SHIP, gsd_m=2 * NET_GSD_M), Brightening())
    assert canvas.picture.shape == (SIDE, SIDE, 3)
    assert canvas.ships == [SHIP]
    assert canvas.picture[-1, -1, 0] == 50
    seen = canvas.picture[..., 0] > 128
    box = painted(SHIP).picture[..., 0] > 128
    assert (seen & box).sum() > 0.7 * (seen | box).sum()


def stage_of(kind: type[SceneStage], name: str, **more: object) -> SceneStage:
    sources = [{"set": "sharpened", "weight": 1.0}]
    schedule = Schedule(steps=1)
    return kind.model_validate({"kind": name, "schedule": schedule, "sources": sources} | more)


@pytest.mark.parametrize(
    ("stage", "keys"),
    [
        (stage_of(WindowStage, "windows"), {"windows", "window_labels"}),
        (stage_of(TeacherStage, "teacher"), {"canvases", "canvas_labels"}),
        (
            stage_of(DenseStage, "dense"),
            {"windows", "window_labels", "canvases", "canvas_labels"},
        ),
    ],
)
def test_a_stage_gets_what_its_loss_asks_for(
    stage: SceneStage, keys: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIPDET_DATA", str(tmp_path))
    save([painted(SHIP)], tmp_path / "kept.npz")
    maker = CanvasMaker(stage, None, 0, tmp_path / "kept.npz")
    batch = next(maker.batches())
    assert set(batch) == keys
    labels = batch.get("canvas_labels", batch.get("window_labels"))
    assert labels is not None
    assert (labels == 1).any()


def test_sharpened_canvases_must_be_named() -> None:
    with pytest.raises(ValueError, match="sharpened"):
        CanvasMaker(stage_of(TeacherStage, "teacher"), None, 0)
