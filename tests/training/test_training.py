"""Losses, the dense pass, the loop, the card: small and without data."""

import itertools
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from training.smoke import batches, tiny
from training.teacher import TeacherScorer
from training.train import dense_loss, load_student, plain_loss, teacher_loss, window_loss

from shipdet.models.config import ClassifierConfig, parse_config
from shipdet.models.torch_runtime import whole_margins, window_margins
from tests.helpers.tiny_models import classifier_config
from training.canvases.windows import NO_SHIP, SHIP, UNKNOWN
from training.evaluation.card import card, shown
from training.learning.engine import Batch, CsvLog, Schedule, fit, parameter_groups, prefetch
from training.learning.model_folder import folders_of, mean_state, plain_state
from training.learning.networks import (
    ANSWER,
    CELL_PX,
    Pupil,
    Teacher,
    build,
    load_teacher,
    read_state,
)
from training.learning.recipe import DenseStage, Recipe, TeacherStage, WindowStage, read_recipe
from training.paths import CONFIGS

SCHEDULE = Schedule(steps=3, lr=1e-3)


def stage(loss: str) -> WindowStage:
    return WindowStage.model_validate(
        {"kind": "windows", "schedule": SCHEDULE, "sources": [], "loss": loss}
    )


@pytest.mark.parametrize("loss", ["weighted", "balanced", "focal"])
def test_unknown_windows_do_not_count(loss: str) -> None:
    margins = torch.tensor([3.0, -2.0, 5.0])
    labels = torch.tensor([SHIP, NO_SHIP, UNKNOWN])
    moved = margins.clone()
    moved[2] = 100.0
    assert window_loss(margins, labels, stage(loss)) == window_loss(moved, labels, stage(loss))
    wrong = window_loss(-margins, labels, stage(loss))
    assert wrong > window_loss(margins, labels, stage(loss))


@pytest.mark.parametrize("loss", ["weighted", "balanced", "focal"])
def test_a_batch_without_a_known_window_gives_no_nan(loss: str) -> None:
    value = window_loss(torch.zeros(3), torch.full((3,), UNKNOWN), stage(loss))
    assert value == 0


def test_training_and_detection_pool_the_same_cells() -> None:
    raw = classifier_config(window_px=128, pool_cells=2)
    raw["pretrained_cfg"]["input_size"] = [3, 128, 128]
    raw["model_args"] = {"output_stride": 16}
    config = parse_config(json.dumps(raw), "a test")
    assert isinstance(config, ClassifierConfig)
    model = build("convnext_atto", 2, output_stride=16).eval()
    images = torch.randint(0, 255, (2, 3, 160, 192), dtype=torch.uint8)
    with torch.no_grad():
        features = model.maps(images)[ANSWER]
        trained = model.dense(features)
        used = window_margins(model.net.head, features, config)
        whole = whole_margins(model.net.head, features)
        plain = model(images)
    assert trained.shape == (2, 9, 11)
    # The first window's centre is pixel 64, the fourth corner between cells.
    assert torch.allclose(trained[:, 3:-3, 3:-3], used, atol=1e-5)
    assert torch.allclose(plain[:, 1] - plain[:, 0], whole, atol=1e-5)


def dense_stage() -> DenseStage:
    return DenseStage.model_validate({"kind": "dense", "schedule": SCHEDULE, "sources": []})


def test_where_nobody_knows_the_student_believes_its_teacher() -> None:
    torch.manual_seed(0)
    pupil, teacher = Pupil(tiny(16)), Teacher().eval().requires_grad_(False)
    teacher.answer.bias.data.fill_(2.0)  # a ship everywhere
    batch = {
        "canvases": torch.randint(0, 255, (2, 3, 160, 160), dtype=torch.uint8),
        "canvas_labels": torch.full((2, 7, 7), UNKNOWN),
        "windows": torch.randint(0, 255, (2, 3, 128, 128), dtype=torch.uint8),
        "window_labels": torch.full((2,), UNKNOWN),
    }
    alone, _ = dense_loss(dense_stage(), None, pupil, batch)
    assert alone == 0
    optimiser = torch.optim.AdamW(pupil.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss, _ = dense_loss(dense_stage(), teacher, pupil, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad is None for p in teacher.parameters())


def test_the_teacher_answers_where_the_labels_ask() -> None:
    stage = TeacherStage.model_validate({"kind": "teacher", "schedule": SCHEDULE, "sources": []})
    labels = torch.full((1, 7, 7), NO_SHIP)
    labels[0, 3, 3] = SHIP
    batch = {
        "canvases": torch.randint(0, 255, (1, 3, 160, 160), dtype=torch.uint8),
        "canvas_labels": labels,
    }
    loss, _ = teacher_loss(stage, Teacher(), batch)
    assert torch.isfinite(loss) and loss > 0


def test_the_kept_teacher_is_asked_as_the_classifier_is() -> None:
    teacher = load_teacher(CONFIGS.parent / "weights" / "teacher.safetensors")
    scorer = TeacherScorer(teacher)
    canvas = np.random.default_rng(0).integers(0, 255, (1, 160, 192, 3), np.uint8)
    with torch.no_grad():
        margins = teacher.dense(teacher.maps(torch.from_numpy(canvas).permute(0, 3, 1, 2))[ANSWER])
    found = scorer.dense(canvas)
    assert found.shape == (1, 3, 5)
    # The first window's centre is pixel 64, the fourth corner between cells.
    assert np.allclose(found, torch.sigmoid(margins[:, 3:6, 3:8]).numpy(), atol=1e-5)
    assert scorer.dense(canvas[:, :150, :170]).shape == (1, 2, 3)
    assert scorer.scores(canvas[:, :128, :128]).shape == (1,)


def test_shipped_weights_serve_as_a_beginning(tmp_path: Path) -> None:
    trained = build("convnext_atto", 2, conv_mlp=False).net
    save_file(plain_state(trained.state_dict(), "convnext_atto"), tmp_path / "model.safetensors")
    again = build("convnext_atto", 2, conv_mlp=False, output_stride=16).net
    load_student(again, read_state(tmp_path / "model.safetensors"))
    before, after = trained.state_dict(), again.state_dict()
    assert all(torch.allclose(before[k], after[k], atol=2e-3) for k in before)


def test_training_resumes_where_it_stopped(tmp_path: Path) -> None:
    def run(steps: int) -> None:
        torch.manual_seed(0)
        schedule = Schedule(steps=steps, lr=1e-3)
        drawn = batches(np.random.default_rng(0))
        fit(tiny(), partial(plain_loss, stage("balanced")), drawn, schedule, tmp_path / "run")

    run(2)
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 2
    run(3)
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 3
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 3


def test_the_log_keeps_its_columns(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "log.csv")
    log.add({"step": 1, "loss": 0.5})
    log.add({"step": 2, "loss": 0.4, "recall": 1.0})
    assert (tmp_path / "log.csv").read_text().splitlines() == ["step,loss", "1,0.5", "2,0.4"]


def test_every_parameter_is_in_one_group() -> None:
    net = build("convnext_atto", 2).net
    groups = parameter_groups(net, 0.05)
    grouped = [id(p) for g in groups for p in g["params"]]
    assert sorted(grouped) == sorted(id(p) for p in net.parameters())
    assert not any(p.ndim > 1 for p in groups[1]["params"]) and groups[1]["weight_decay"] == 0


def test_weights_with_linear_layers_load_into_the_plain_network() -> None:
    trained = build("convnext_atto", 2, conv_mlp=False).net
    state = {k: v.float() for k, v in plain_state(trained.state_dict(), "convnext_atto").items()}
    plain = build("convnext_atto", 2).net
    plain.load_state_dict(state, strict=True)
    image = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.allclose(plain.eval()(image), trained.eval()(image), atol=5e-3)


def test_the_recipes_can_be_read_and_a_misspelt_key_is_an_error() -> None:
    ours = read_recipe(CONFIGS / "shipdet_pico.yaml")
    assert ours.pretrain is not None
    assert isinstance(ours.stages["teacher"], TeacherStage)
    assert isinstance(ours.stages["dense"], DenseStage)
    assert ours.output_stride == CELL_PX
    named = {source.set for stage in ours.stages.values() for source in stage.sources}
    assert {"aid", "ships-aerial", "harbours", "planet-land"} <= set(folders_of(ours))
    assert ("planet-scenes" in named) == ("planet-scenes" in folders_of(ours))
    assert "composed" in named and "composed" not in folders_of(ours)
    reference = read_recipe(CONFIGS / "convnext_base.yaml")
    assert reference.chips is not None
    assert (reference.chips.epochs, reference.chips.lr) == (30, 3e-4)
    with pytest.raises(ValidationError):
        Recipe.model_validate({"name": "a", "architecture": "convnext_atto", "sead": 1})


def test_the_card_never_rounds_up() -> None:
    assert shown(0.8999) == "0.899"
    assert shown(None) == "–"
    assert shown(12) == "12"


def test_the_card_holds_the_figures() -> None:
    at = {
        "ships": 10, "found": 8, "false_alarms": 1, "precision": 8 / 9, "recall": 0.8,
        "f1": 16 / 19, "recall_over_60_m": 1.0, "length_error_median_over_60_m": None,
        "false_alarms_per_100_km2": 2.0, "false_alarms_per_100_km2_of_open_sea": 0.5,
        "false_alarms_per_100_km2_of_the_rest": None,
        "by_length_m": {"60-120": {"ships": 4, "found": 3}},
    }  # fmt: skip
    figures = {"at_threshold": at, "at_best_f1": at, "average_precision": 0.75}
    config = {
        "architecture": "convnext_atto",
        "shipdet": {
            "window_m": 240.0, "window_px": 128, "gsd_max_m": 6.0, "threshold": 0.4,
            "calibration": {"scale": 1.2, "bias": -0.5},
        },
    }  # fmt: skip
    metrics = {
        "scoring": "exact", "stride_px": 56, "views": 2, "all_scenes": figures,
        "scenes": {"planet-scenes/scene_1.jpg": {"raw": figures}},
    }  # fmt: skip
    text = card("shipdet-test", config, metrics, "Notes.")
    assert text.startswith("---\nlicense:")
    assert "| planet-scenes/scene_1.jpg | raw | 10 | 8 | 1 | 0.888 | 0.800 | 0.842 |" in text
    assert "{type: f1, value: 0.842}" in text
    assert "| 60-120 m | 4 | 3 |" in text
    assert "0.500 on open sea" in text


def test_the_mean_of_two_models_lies_between_them() -> None:
    first, second = ({"w": torch.full((2,), value, dtype=torch.float16)} for value in (1.0, 3.0))
    assert torch.equal(mean_state(first, second)["w"], torch.full((2,), 2.0))
    with pytest.raises(KeyError):
        mean_state({"other": torch.ones(1)}, second)


def numbered(until: int | None = None) -> Iterator[Batch]:
    for number in itertools.islice(itertools.count(), until):
        yield {"number": torch.tensor(number)}


def test_batches_made_ahead_come_in_order_and_end() -> None:
    assert [int(b["number"]) for b in prefetch(numbered(9), depth=2)] == list(range(9))


def test_an_error_in_making_a_batch_is_raised_where_it_is_used() -> None:
    def failing() -> Iterator[Batch]:
        yield from numbered(1)
        raise FileNotFoundError("no such picture")

    made = prefetch(failing())
    next(made)
    with pytest.raises(FileNotFoundError, match="no such picture"):
        next(made)


def test_closing_ends_the_thread_that_makes_batches() -> None:
    before = threading.active_count()
    made = prefetch(numbered(), depth=1)
    next(made)
    assert threading.active_count() == before + 1
    made.close()
    assert threading.active_count() == before
