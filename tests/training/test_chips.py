"""The shipsnet chip format."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from training.learning.chips import (
    Chip,
    ChipSet,
    augmented,
    chips_in,
    folds_of,
    in_folds,
    read_chip_name,
    splits,
)
from training.recipe import ChipStage, Recipe


def write_chips(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for index in range(count):
        place = f"{-122.3 + 0.0005 * index:.6f}_{37.7:.6f}"
        name = f"{index % 2}__2017070{index % 3}_scene__{place}.png"
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (80, 80, 3)).astype(np.uint8))


def test_a_name_says_label_scene_and_place() -> None:
    chip = read_chip_name(Path("1__20170609_180756_103a__-122.3482_37.7512.png"))
    assert chip.label == 1
    assert chip.group == "20170609_180756_103a/-12235/3775"


def test_a_chip_without_a_place_is_a_group_of_its_own() -> None:
    chip = read_chip_name(Path("0__no-ship_000300.png"))
    assert (chip.label, chip.group) == (0, "no-ship_000300")


@pytest.mark.parametrize("name", ["ship.png", "2__ship_000001.png"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="with a label of 0 or 1"):
        read_chip_name(Path(name))


def test_only_training_chips_are_changed(tmp_path: Path) -> None:
    write_chips(tmp_path, 4)
    chips = chips_in(tmp_path)
    plain = ChipSet(chips, 128, augment=False, seed=0)
    assert plain[0][0].shape == (3, 128, 128)
    assert (plain[0][0] == plain[0][0]).all()
    assert plain.rng is None
    changed = augmented(np.full((128, 128, 3), 90, np.uint8), np.random.default_rng(1))
    assert changed.shape == (128, 128, 3)


def test_the_grouped_split_keeps_neighbors_together(tmp_path: Path) -> None:
    write_chips(tmp_path, 90)
    chips = chips_in(tmp_path)
    both = splits(chips, tmp_path / "splits")
    assert set(both) == {"random", "grouped"}
    for group in {chip.group for chip in chips}:
        assert len({both["grouped"][c.path.name] for c in chips if c.group == group}) == 1


def test_folds_keep_neighbors_together_and_share_out_the_ships(tmp_path: Path) -> None:
    write_chips(tmp_path, 90)
    chips = chips_in(tmp_path)
    folds = folds_of(chips, 5, seed=0)
    for group in {chip.group for chip in chips}:
        assert (
            len({fold for chip, fold in zip(chips, folds, strict=True) if chip.group == group}) == 1
        )
    apart = [Chip(Path(f"{n}.png"), int(n < 20), str(n)) for n in range(50)]
    found = folds_of(apart, 5, seed=0)
    ships = [
        sum(chip.label for chip, own in zip(apart, found, strict=True) if own == fold)
        for fold in range(5)
    ]
    assert ships == [4] * 5


def test_a_network_learns_chips_it_is_then_judged_on(tmp_path: Path) -> None:
    """Bright in the middle is a ship: each chip is judged by a network that has not seen it."""
    rng = np.random.default_rng(0)
    for index in range(24):
        picture = rng.integers(20, 60, (80, 80, 3)).astype(np.uint8)
        if index % 2:
            picture[30:50, 20:60] = 250
        cv2.imwrite(str(tmp_path / f"{index % 2}__chip_{index}.png"), picture)
    start = tmp_path / "start"
    start.mkdir()
    torch.manual_seed(0)
    options = {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32), "ls_init_value": 0.3}
    net = timm.create_model("convnext_atto", num_classes=2, **options)
    save_file(net.state_dict(), start / "model.safetensors")
    stage = ChipStage(epochs=40, frozen_epochs=1, batch=8, lr=0.005, window_px=64)
    recipe = Recipe(name="tiny", architecture="convnext_atto", train_options=options, chips=stage)
    figures = in_folds(recipe, chips_in(tmp_path), 2, start, [], tmp_path / "out")
    assert figures["all"] >= 0.9
