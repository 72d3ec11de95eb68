"""The loop and what it leaves: resumed where it stopped, kept as a model folder."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn

from shipdet.models.config import ClassifierConfig, parse_config, read_config
from shipdet.models.networks import build_classifier, build_map_head, load_weights
from shipdet.models.torch_runtime import whole_margins, window_margins
from tests.helpers.tiny_models import classifier_config
from training.canvases.windows import CELL_PX
from training.learning.architectures import ANSWER, build
from training.learning.engine import Batch, CsvLog, fit, made_ahead, parameter_groups
from training.learning.model_folder import changed_state, mean_state, plain_state, write_model
from training.learning.train import TwoAnswers, groups, kept_in, load_state, save_state
from training.paths import CONFIGS
from training.recipe import Recipe, Schedule, read_recipe
from training.smoke import stage, tiny

pytestmark = pytest.mark.forks

ARCHITECTURE = "convnext_atto"


def points(seed: int = 0) -> Iterator[Batch]:
    """What a line of known slope gives."""
    rng = np.random.default_rng(seed)
    while True:
        x = torch.from_numpy(rng.normal(size=(16, 1)).astype(np.float32))
        yield {"x": x, "y": 3 * x - 1}


def line_loss(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    error = (model(batch["x"]) - batch["y"]).square().mean()
    return error, {"error": float(error.detach())}


def run(folder: Path, steps: int, **given: float) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    schedule = Schedule(steps=steps, **{"lr": 0.05, "weight_decay": 0.0, **given})
    model.load_state_dict(fit(model, line_loss, points(), schedule, folder))
    return model


def test_the_loop_learns_and_gives_averaged_weights(tmp_path: Path) -> None:
    model = run(tmp_path, 150, ema=0.9)
    assert float(model.weight) == pytest.approx(3, abs=0.1)
    assert float(model.bias) == pytest.approx(-1, abs=0.1)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert rows[0].startswith("step,minutes,progress,loss,error") and rows[1].startswith("150,")


def test_batches_are_made_after_opencv_used_its_threads() -> None:
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000), np.float32), (31, 31), 5)
    batch = next(iter(made_ahead(iter([{"x": torch.ones(2)}]))))
    assert batch["x"].tolist() == [1, 1]


def test_training_resumes_where_it_stopped(tmp_path: Path) -> None:
    run(tmp_path, 2)
    first = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    run(tmp_path, 3)
    second = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (first["step"], second["step"]) == (2, 3)
    assert second["spent_s"] > first["spent_s"]
    assert not torch.equal(first["model"]["weight"], second["model"]["weight"])
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def test_a_stage_that_is_done_is_not_trained_again(tmp_path: Path) -> None:
    done = run(tmp_path, 3)
    again = run(tmp_path, 3)
    assert torch.equal(done.weight, again.weight)


def test_every_checkpoint_is_handed_over(tmp_path: Path) -> None:
    seen: list[int] = []

    def keep(average: dict[str, torch.Tensor]) -> dict[str, float]:
        seen.append(len(average))
        return {"kept": float(len(seen))}

    schedule = Schedule(steps=4, lr=0.01, save_every_s=0.0)
    fit(nn.Linear(1, 1), line_loss, points(), schedule, tmp_path, keep)
    assert len(seen) >= 4 and set(seen) == {2}
    assert "kept" in (tmp_path / "log.csv").read_text().splitlines()[0]


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    layer = nn.Linear(2, 2)
    schedule = Schedule(steps=10, lr=0.1, warmup=0.2)
    fast = {"params": [layer.bias], "lr_scale": 4.0}
    optimizer = torch.optim.AdamW([{"params": [layer.weight]}, fast], lr=schedule.lr)
    scheduler = schedule.scheduler(optimizer)
    rates = []
    for progress in (0.0, 0.1, 0.2, 0.6, 1.0):
        scheduler.step(progress)
        rates.append([group["lr"] for group in optimizer.param_groups])
    plain, scaled = np.array(rates).T
    assert plain == pytest.approx([0.002, 0.051, 0.1, 0.05, 0.0], abs=1e-6)
    assert scaled == pytest.approx(4 * plain)


def test_time_or_steps_end_a_stage() -> None:
    schedule = Schedule(steps=100, minutes=2)
    assert schedule.progress(50, 0.0) == 0.5
    assert schedule.progress(10, 90.0) == 0.75
    assert schedule.progress(10, 500.0) == 1.0


def test_the_log_keeps_its_columns(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "log.csv")
    log.add({"step": 1, "loss": 0.5})
    log.add({"step": 2, "loss": 0.4, "recall": 1.0})
    assert (tmp_path / "log.csv").read_text().splitlines() == ["step,loss", "1,0.5", "2,0.4"]


def numbered(until: int) -> Iterator[Batch]:
    for number in itertools.islice(itertools.count(), until):
        yield {"number": torch.tensor(number)}


def test_batches_made_ahead_come_in_order_and_end() -> None:
    assert [int(batch["number"]) for batch in made_ahead(numbered(9), depth=2)] == list(range(9))


def test_an_error_while_making_a_batch_reaches_who_uses_it() -> None:
    def failing() -> Iterator[Batch]:
        yield from numbered(1)
        raise FileNotFoundError("no such image")

    made = iter(made_ahead(failing()))
    next(made)
    with pytest.raises(FileNotFoundError, match="no such image"):
        next(made)


def test_every_trained_parameter_is_in_one_group() -> None:
    net = build(ARCHITECTURE, 2).net
    found = parameter_groups(net, 0.05)
    grouped = [id(p) for g in found for p in g["params"]]
    assert sorted(grouped) == sorted(id(p) for p in net.parameters())
    assert not any(p.ndim > 1 for p in found[1]["params"]) and found[1]["weight_decay"] == 0


def test_frozen_stages_stay_and_the_head_learns_faster() -> None:
    model = tiny()
    model.freeze(2)
    found = groups(model, stage(1.0).model_copy(update={"head_boost": 4.0}))
    trained = {id(p) for group in found for p in group["params"]}
    frozen = [*model.net.stem.parameters(), *model.net.stages[:2].parameters()]
    assert trained.isdisjoint(id(p) for p in frozen)
    for group in found:
        of_head = {id(p) for p in model.head.parameters()} >= {id(p) for p in group["params"]}
        assert group["lr_scale"] == (4.0 if of_head else 1.0)


def test_training_and_detection_pool_the_same_cells() -> None:
    raw = classifier_config(window_px=128, pool_cells=2)
    raw["pretrained_cfg"]["input_size"] = [3, 128, 128]
    raw["model_args"] = {"output_stride": CELL_PX}
    config = parse_config(json.dumps(raw), "a test")
    assert isinstance(config, ClassifierConfig)
    model = build(ARCHITECTURE, 2, output_stride=CELL_PX).eval()
    images = torch.randint(0, 255, (2, 3, 160, 192), dtype=torch.uint8)
    with torch.no_grad():
        features = model.maps(images)[ANSWER]
        trained = model.dense(features)
        used = window_margins(model.net.head, features, config)
        whole = whole_margins(model.net.head, features)
        plain = model(images)
    assert trained.shape == (2, 9, 11)
    # The first window's center is pixel 64, the fourth corner between cells.
    assert torch.allclose(trained[:, 3:-3, 3:-3], used, atol=1e-5)
    assert torch.allclose(plain[:, 1] - plain[:, 0], whole, atol=1e-5)


def test_what_was_trained_is_loaded_by_the_detectors_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = TwoAnswers(ARCHITECTURE, conv_mlp=False, ls_init_value=0.3).eval()
    save_state(model.state_dict(), ARCHITECTURE, tmp_path)
    classifier, head = (
        load_file(tmp_path / f"{name}.safetensors") for name in ("model", "map_head")
    )
    write_model(tmp_path / "model", ARCHITECTURE, classifier, head)
    config = read_config(tmp_path / "model")
    assert isinstance(config, ClassifierConfig) and config.shipdet.map is not None
    net = load_weights(build_classifier(config), tmp_path / "model" / "model.safetensors")
    map_head = load_weights(
        build_map_head(config, net), tmp_path / "model" / "map_head.safetensors"
    )
    timm.create_model(ARCHITECTURE, num_classes=2).load_state_dict(
        load_file(tmp_path / "model" / "model.safetensors"), strict=True
    )
    images = torch.randint(0, 255, (1, 3, 128, 128), dtype=torch.uint8)
    with torch.no_grad():
        features = model.maps(images)[:4]
        torch.testing.assert_close(
            map_head.float()(features), model.head(features), atol=0.05, rtol=0.05
        )


def test_a_model_folder_serves_as_a_beginning(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = TwoAnswers(ARCHITECTURE, conv_mlp=False)
    kept_in(tmp_path, ARCHITECTURE)(first.state_dict())
    second = TwoAnswers(ARCHITECTURE, conv_mlp=False)
    load_state(second, tmp_path)
    mine, theirs = first.state_dict(), second.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    (tmp_path / "map_head.safetensors").unlink()
    third = TwoAnswers(ARCHITECTURE, conv_mlp=False)
    load_state(third, tmp_path)
    stem = "net.stem.0.weight"
    assert torch.equal(third.state_dict()[stem], mine[stem]), "a classifier alone serves as well"


def test_a_judge_and_a_threshold_outlive_new_weights(tmp_path: Path) -> None:
    model = TwoAnswers(ARCHITECTURE)
    classifier, head = model.net.state_dict(), model.head.state_dict()
    write_model(tmp_path, ARCHITECTURE, classifier, head)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    config["shipdet"]["threshold"] = 0.37
    config["shipdet"]["map"]["judge"]["bias"] = -1.5
    file.write_text(json.dumps(config))
    write_model(tmp_path, ARCHITECTURE, classifier, head)
    block = json.loads(file.read_text())["shipdet"]
    assert (block["threshold"], block["map"]["judge"]["bias"]) == (0.37, -1.5)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="not a two-class convnext_atto"):
        plain_state({"stem.0.weight": torch.zeros(1)}, ARCHITECTURE)


def test_the_mean_of_two_models_lies_between_them() -> None:
    first, second = ({"w": torch.full((2,), value, dtype=torch.float16)} for value in (1.0, 3.0))
    assert torch.equal(mean_state(first, second)["w"], torch.full((2,), 2.0))
    with pytest.raises(KeyError):
        mean_state({"other": torch.ones(1)}, second)


def test_a_change_of_one_model_can_be_added_to_another() -> None:
    state, before, after = ({"w": torch.full((2,), value).half()} for value in (1.0, 3.0, 3.5))
    assert torch.equal(changed_state(state, before, after)["w"], torch.full((2,), 1.5))
    with pytest.raises(KeyError):
        changed_state({"other": torch.ones(1)}, before, after)


def test_the_recipes_can_be_read_and_a_misspelt_key_is_an_error() -> None:
    ours = read_recipe(CONFIGS / "shipdet_pico.yaml")
    assert ours.pretrain is not None and ours.map is not None
    assert ours.output_stride == CELL_PX
    for shares in (ours.map.large_shares, ours.map.small_shares):
        assert sum(shares.values()) == pytest.approx(1.0)
    reference = read_recipe(CONFIGS / "convnext_base.yaml")
    assert reference.chips is not None
    assert (reference.chips.epochs, reference.chips.lr) == (30, 3e-4)
    with pytest.raises(ValueError, match="sead"):
        Recipe.model_validate({"name": "a", "architecture": ARCHITECTURE, "sead": 1})
