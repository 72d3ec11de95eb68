"""The shipsnet chip format."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.learning.chips import ChipSet, augmented, chips_in, read_chip_name, splits


def write_chips(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for index in range(count):
        place = f"{-122.3 + 0.0005 * index:.6f}_{37.7:.6f}"
        name = f"{index % 2}__2017070{index % 3}_scene__{place}.png"
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (80, 80, 3)).astype(np.uint8))


def test_a_name_says_label_scene_and_place() -> None:
    chip = read_chip_name(Path("1__20170609_180756_103a__-122.3482_37.7512.png"))
    assert (chip.label, chip.scene) == (1, "20170609_180756_103a")
    assert (chip.longitude, chip.latitude) == (-122.3482, 37.7512)
    assert chip.group == "20170609_180756_103a/-12235/3775"


def test_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="is not"):
        read_chip_name(Path("ship.png"))


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
