"""Scenes are scored by weights that have not seen them, and calibrated together."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from shipdet.models.config import Calibration
from tests.helpers.tiny_models import Make
from training.calibrate import calibrate, margins
from training.canvases import CanvasMaker
from training.config import DenseStage
from training.engine import Schedule
from training.folds import Judges
from training.metrics import Outcome
from training.paths import FOLDS, WEIGHTS

SCENE, OTHER = "planet-scenes/scene_1.jpg", "planet-scenes/scene_2.jpg"


def test_a_scene_is_scored_by_the_fold_that_has_not_seen_it(
    tmp_path: Path, make_classifier: Make
) -> None:
    model = make_classifier(tmp_path / "ship")
    fold = make_classifier(tmp_path / "folds" / "ship" / "a")
    (tmp_path / "folds" / "ship" / "folds.json").write_text(json.dumps({SCENE: "a"}))
    judges = Judges(model, tmp_path / "folds")
    assert judges.folder(SCENE) == fold
    assert judges.folder(OTHER) == model
    assert judges.folders() == [model, fold]
    assert judges.classifier(SCENE) is judges.classifier(SCENE)
    assert judges.classifier(SCENE) is not judges.classifier()


def test_a_model_without_folds_scores_everything(
    tmp_path: Path,
    make_classifier: Make,
) -> None:
    model = make_classifier(tmp_path / "ship")
    assert Judges(model, tmp_path / "none").folder(SCENE) == model


@pytest.mark.parametrize("folder", sorted(FOLDS.glob("*/")), ids=lambda folder: folder.name)
def test_the_kept_folds_are_named_and_calibrated_as_the_model(folder: Path) -> None:
    judges = Judges(WEIGHTS / folder.name)
    model, *folds = [json.loads((f / "config.json").read_text()) for f in judges.folders()]
    assert folds, "a folder of folds without any"
    for fold in folds:
        for key in ("calibration", "threshold", "views", "window_m"):
            assert fold["shipdet"][key] == model["shipdet"][key]
        assert fold["shipdet"]["sha256"] != model["shipdet"]["sha256"]


def outcome(scores: list[float], hits: list[bool]) -> Outcome:
    ships = sum(hits)
    return Outcome(
        np.array(scores), np.array(hits), np.ones(ships), np.full(ships, 99.0),
        np.full(ships, 99.0), np.zeros(len(hits), np.bool_), 1.0, 0.0,
    )  # fmt: skip


def test_margins_undo_a_calibration() -> None:
    said = np.array([-2.0, 0.0, 1.5])
    scores = 1 / (1 + np.exp(-(0.5 * said - 1)))
    assert margins(scores, Calibration(scale=0.5, bias=-1)) == pytest.approx(said)


def test_scenes_are_calibrated_together_whatever_they_came_with() -> None:
    said = np.array([2.0, 1.0, 0.5, -1.0, -2.0])
    hits = [True, True, False, True, False]
    plain = 1 / (1 + np.exp(-said))
    bent = 1 / (1 + np.exp(-(0.5 * said - 1)))
    alone = calibrate([(outcome(plain.tolist(), hits), Calibration())])
    mixed = calibrate(
        [
            (outcome(plain[:2].tolist(), hits[:2]), Calibration()),
            (outcome(bent[2:].tolist(), hits[2:]), Calibration(scale=0.5, bias=-1)),
        ]
    )
    assert mixed[0].scale == pytest.approx(alone[0].scale, rel=1e-3)
    assert mixed[1] == pytest.approx(alone[1], abs=2e-3)


def test_no_canvas_comes_from_a_scene_that_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "planet-scenes"
    folder.mkdir()
    boxes = [{"bbox": [140, 140, 160, 160], "kind": "large"}]
    (folder / "boxes.json").write_text(json.dumps({"dark.png": boxes, "light.png": boxes}))
    for name, grey in {"dark.png": 20, "light.png": 220}.items():
        cv2.imwrite(str(folder / name), np.full((300, 300, 3), grey, np.uint8))
    (tmp_path / "planet-land").mkdir()
    monkeypatch.setenv("SHIPDET_DATA", str(tmp_path))
    monkeypatch.setattr("training.datasets.own_labels", lambda root: [])
    stage = DenseStage.model_validate(
        {
            "kind": "dense",
            "schedule": Schedule(steps=1),
            "sources": [
                {"set": "planet-scenes", "weight": 0.5},
                {"set": "planet-land", "weight": 0.5},  # nothing is in it
            ],
        }
    )
    maker = CanvasMaker(stage, None, 1, held_out=["planet-scenes/light.png"])
    assert all(np.median(maker.canvas().picture) < 150 for _ in range(8))
