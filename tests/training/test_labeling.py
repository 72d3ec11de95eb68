"""Labeling with a model's help: what is said about proposals is what is written."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.painted import BrightnessClassifier, paint_ship, sea
from training.data.datasets import own_labels
from training.data.labeled import LabeledImage
from training.labeling.page import Desk, page
from training.labeling.session import Labeling, begin, box_between


@pytest.fixture
def image(tmp_path: Path) -> LabeledImage:
    """Two ships."""
    pixels = sea(500, 400)
    paint_ship(pixels, 2.0, (150, 120), 120, 24, 30)  # meters
    paint_ship(pixels, 2.0, (380, 300), 160, 30, 100)
    (tmp_path / "harbours").mkdir()
    cv2.imwrite(str(tmp_path / "harbours" / "new.png"), pixels[..., ::-1])
    path = tmp_path / "harbours" / "new.png"
    return LabeledImage("harbours/new.png", path, (2.0, 2.0), "new")


def begun(image: LabeledImage, folder: Path) -> Labeling:
    """A labeling whose labels are kept in a folder."""
    return begin(image, BrightnessClassifier(), folder)


@pytest.fixture
def work(image: LabeledImage, tmp_path: Path) -> Labeling:
    return begun(image, tmp_path)


def test_a_model_proposes_the_ships(work: Labeling) -> None:
    centers = sorted(p.mean(axis=0).tolist() for p in work.proposals)
    assert np.allclose(centers, [(75, 60), (190, 150)], atol=4)


def test_accepted_refused_and_open_proposals_are_read_as_labels(
    work: Labeling, tmp_path: Path
) -> None:
    first = work.current
    assert first is not None
    work.accept(first, "cargo")
    work.leave_open()
    assert work.current is None
    labels = tmp_path / "labels"
    labels.mkdir()
    path = work.save(complete=True, folder=labels)
    assert path.name == "harbours_new.json"
    (scene,) = own_labels(tmp_path, labels)
    (ship,) = scene.ships
    assert ship.kind == "cargo"
    assert np.allclose(ship.center, first.mean(axis=0), atol=0.2)
    entry = json.loads(path.read_text())
    along = np.linalg.norm(np.subtract(*entry["ships"][0]["polygon"][:2])) * 2.0
    assert along == pytest.approx(entry["ships"][0]["length_m"], abs=0.3)
    assert entry["ships"][0]["length_m"] > 100
    (unknown,) = scene.unknown
    assert np.ptp(unknown, axis=0).min() > 10


def test_two_clicks_draw_a_box_that_runs_from_bow_to_stern() -> None:
    box = box_between(np.array([100.0, 20.0]), np.array([160.0, 100.0]), 12.0)
    assert np.allclose(box.mean(axis=0), (130, 60))
    assert np.linalg.norm(box[0] - box[1]) == pytest.approx(100)
    assert np.linalg.norm(box[1] - box[2]) == pytest.approx(12)
    ends = {tuple(np.round((box[1] + box[2]) / 2)), tuple(np.round((box[3] + box[0]) / 2))}
    assert ends == {(100, 20), (160, 100)}


class Click:
    """What the page reports of a click on the picture: column and row of the crop."""

    def __init__(self, x: float, y: float) -> None:
        self.index = (x, y)


def test_a_redrawn_box_is_what_is_accepted(work: Labeling) -> None:
    desk, shown = Desk(work), page(work)
    assert shown.blocks
    middle = work.proposals[0].mean(axis=0)
    _, answer = desk.click(30.0, Click(360, 260))
    assert "stern" in answer
    desk.click(30.0, Click(360, 460))
    desk.decide("accept", "tanker")
    corners = np.array(work.ships[0]["polygon"])
    assert np.allclose(corners.mean(axis=0), middle, atol=1)
    assert work.ships[0]["length_m"] == pytest.approx(200 * 360 / 720, abs=1)


def test_a_missed_ship_is_drawn_on_the_whole_picture(work: Labeling) -> None:
    desk = Desk(work)
    desk.decide("refuse", "ship")
    _, answer = desk.decide("refuse", "ship")
    assert "To add a ship" in answer
    desk.decide("accept", "ship")
    assert work.ships == [], "nothing was drawn"
    desk.click(20.0, Click(72, 360))
    desk.click(20.0, Click(216, 360))
    desk.decide("accept", "ship")
    (ship,) = work.ships
    assert np.allclose(np.mean(ship["polygon"], axis=0), (100, 200), atol=1)
    assert ship["length_m"] == pytest.approx(144 / 720 * 500 * 2.0, abs=1)


def test_labels_that_are_there_stay_and_are_not_proposed_again(
    work: Labeling, image: LabeledImage, tmp_path: Path
) -> None:
    first = work.current
    assert first is not None
    work.accept(first, "cargo")
    file = work.save(complete=True, folder=tmp_path)
    entry = json.loads(file.read_text())
    entry["ships"][0]["source"] = "somebody"
    file.write_text(
        json.dumps(entry | {"gsd_source": "a chart", "sea": [[[0, 0], [9, 0], [9, 9]]]})
    )
    again = begun(image, tmp_path)
    assert len(again.proposals) == len(work.proposals) - 1
    again.refuse()
    kept = json.loads(again.save(complete=False, folder=tmp_path).read_text())
    assert kept["ships"] == [entry["ships"][0]]
    assert (kept["gsd_source"], len(kept["sea"]), kept["complete"]) == ("a chart", 1, False)


def test_a_picture_with_squeezed_pixels_is_refused(image: LabeledImage, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not square"):
        begun(replace(image, gsd_m=(2.0, 3.0)), tmp_path)
