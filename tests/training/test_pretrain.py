"""Learning the teacher's maps from pictures of any kind, and going on from what was learnt."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from training.learning.architectures import Pupil, Teacher, build, maps_loss
from training.learning.pretrain import Views, pretrain, random_view
from training.learning.train import TwoAnswers, load_state
from training.recipe import PretrainStage, Recipe, Schedule

STAGE = PretrainStage(
    schedule=Schedule(steps=12, lr=3e-3, ema=0.0), folders={"aid": 0.5, "harbours": 0.5}, batch=2,
    size_px=64,
)  # fmt: skip
OPTIONS = {"ls_init_value": 0.3, "conv_mlp": False}
RECIPE = Recipe(
    name="tiny", architecture="convnext_atto", output_stride=16, train_options=OPTIONS,
    pretrain=STAGE,
)  # fmt: skip


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small AID and a large harbor."""
    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    for name, sides in (("aid/Port/a.jpg", (150, 150)), ("harbours/b.jpg", (500, 800))):
        (root / name).parent.mkdir(parents=True)
        coarse = rng.integers(0, 255, (12, 12, 3), np.uint8)
        cv2.imwrite(str(root / name), cv2.resize(coarse, sides[::-1]))
    monkeypatch.setenv("SHIPDET_DATA", str(root))
    return root


def test_a_view_is_filled_whatever_the_pictures_size() -> None:
    rng = np.random.default_rng(0)
    for height, width in ((40, 300), (150, 150), (900, 1200)):
        picture = np.full((height, width, 3), 200, np.uint8)
        for _ in range(20):
            view = random_view(picture, 96, rng)
            assert view.shape == (96, 96, 3) and view.dtype == np.uint8
            assert np.ptp(view.reshape(-1, 3), axis=0).max() == 0  # no border shows


def test_a_view_shows_the_image_turned_and_nothing_outside() -> None:
    columns = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0)
    picture = np.repeat(columns, 3, axis=2)
    rng = np.random.default_rng(1)
    for _ in range(20):
        view = random_view(picture, 64, rng).astype(int)
        # The ramp runs along one side, and hardly across it.
        along = [abs(np.diff(view.mean(axis=axis)[4:-4, 0])).mean() for axis in (0, 1)]
        assert max(along) > 5 * min(along)


def test_folders_are_drawn_by_weight_and_empty_ones_reported(pictures: Path) -> None:
    views = Views(STAGE, 0)
    batch = next(views.batches())["views"]
    assert batch.shape == (2, 3, 64, 64) and batch.dtype == torch.uint8
    for _ in range(20):
        views.view()
    assert {path.name for path in views.seen} == {"a.jpg", "b.jpg"}
    nothing = STAGE.model_copy(update={"folders": {"mosaics": 1.0}})
    with pytest.raises(FileNotFoundError, match="SHIPDET_DATA"):
        Views(nothing, 0)


@pytest.mark.forks
def test_the_teachers_maps_are_learnt_and_start_the_next_stage(
    pictures: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    teacher = Teacher().eval().requires_grad_(False)
    pretrain(RECIPE, teacher, tmp_path / "out")
    saved = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)["average"]
    pupil = Pupil(build("convnext_atto", 2, output_stride=16, **OPTIONS))
    views = next(Views(STAGE, 1).batches())["views"]
    with torch.no_grad():
        theirs = teacher.maps(views)
        before = maps_loss(pupil, pupil.student.maps(views), theirs)
        pupil.load_state_dict(saved)
        after = maps_loss(pupil, pupil.student.maps(views), theirs)
    assert after < 0.9 * before
    student = TwoAnswers("convnext_atto", **OPTIONS)
    load_state(student, tmp_path / "out")
    stem = "stem.0.weight"
    assert torch.equal(student.net.state_dict()[stem], saved[f"student.net.{stem}"])


def test_the_maps_are_held_against_each_other_at_the_same_size() -> None:
    images = torch.zeros((1, 3, 128, 96), dtype=torch.uint8)
    pupil = Pupil(build("convnext_atto", 2, output_stride=16, **OPTIONS))
    with torch.no_grad():
        theirs = Teacher().eval().maps(images)
        mine = [
            layer(own)
            for layer, own in zip(pupil.translate, pupil.student.maps(images), strict=True)
        ]
    assert [m.shape for m in mine] == [t.shape for t in theirs]
