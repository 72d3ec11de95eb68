"""Losses, the dense pass, the loop, the card: small and without data."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from training.card import card, shown
from training.config import DenseStage, Recipe, WindowStage, read_recipe
from training.engine import CsvLog, Schedule, fit, parameter_groups
from training.export import plain_state
from training.models import build
from training.paths import CONFIGS
from training.smoke import batches, tiny
from training.train import loss_of, window_loss
from training.windows import NO_SHIP, SHIP, UNKNOWN

SCHEDULE = Schedule(steps=3, lr=1e-3)


def stage(loss: str) -> WindowStage:
    return WindowStage.model_validate(
        {"kind": "windows", "schedule": SCHEDULE, "sources": [], "loss": loss}
    )


@pytest.mark.parametrize("loss", ["weighted", "balanced", "focal"])
def test_unknown_windows_do_not_count(loss: str) -> None:
    logits = torch.tensor([[0.0, 3.0], [2.0, 0.0], [0.0, 5.0]])
    labels = torch.tensor([SHIP, NO_SHIP, UNKNOWN])
    moved = logits.clone()
    moved[2] = 100.0
    assert window_loss(logits, labels, stage(loss)) == window_loss(moved, labels, stage(loss))
    wrong = window_loss(-logits, labels, stage(loss))
    assert wrong > window_loss(logits, labels, stage(loss))


@pytest.mark.parametrize("loss", ["weighted", "balanced", "focal"])
def test_a_batch_without_a_known_window_gives_no_nan(loss: str) -> None:
    value = window_loss(torch.zeros(3, 2), torch.full((3,), UNKNOWN), stage(loss))
    assert value == 0


def test_the_dense_pass_over_one_window_is_the_window() -> None:
    model = tiny().eval()
    images = torch.randint(0, 255, (2, 3, 128, 128), dtype=torch.uint8)
    with torch.no_grad():
        plain = model(images)
        dense = model.pooled(model.features(images))
    assert dense.shape == (2, 1, 1, 2)
    assert torch.allclose(dense[:, 0, 0], plain, atol=1e-5)


def test_training_resumes_where_it_stopped(tmp_path: Path) -> None:
    def run(steps: int) -> None:
        torch.manual_seed(0)
        schedule = Schedule(steps=steps, lr=1e-3)
        drawn = batches(np.random.default_rng(0))
        fit(tiny(), loss_of(stage("balanced")), drawn, schedule, tmp_path / "run")

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
    assert sum(len(g["params"]) for g in groups) == len(list(net.parameters()))
    assert len(groups[2]["params"]) == 12  # one layer scale a block


def test_weights_trained_with_linear_layers_load_into_the_plain_architecture() -> None:
    trained = build("convnext_atto", 2, conv_mlp=False).net
    state = {k: v.float() for k, v in plain_state(trained.state_dict(), "convnext_atto").items()}
    plain = build("convnext_atto", 2).net
    plain.load_state_dict(state, strict=True)
    image = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.allclose(plain.eval()(image), trained.eval()(image), atol=5e-3)


def test_the_recipes_can_be_read_and_a_misspelt_key_is_an_error() -> None:
    ours = read_recipe(CONFIGS / "shipdet_atto.yaml")
    assert isinstance(ours.stages["windows"], WindowStage)
    assert isinstance(ours.stages["dense"], DenseStage)
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
        "false_alarms_per_100_km2": 2.0,
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
        "scoring": "exact", "stride_px": 56, "all_scenes": figures,
        "scenes": {"planet-scenes/scene_1.jpg": {"raw": figures}},
    }  # fmt: skip
    text = card("shipdet-test", config, metrics, "Notes.")
    assert text.startswith("---\nlicense:")
    assert "| planet-scenes/scene_1.jpg | raw | 10 | 8 | 1 | 0.888 | 0.800 | 0.842 |" in text
    assert "{type: f1, value: 0.842}" in text
