"""Splits are reproducible, of the promised size, and keep groups together."""

from pathlib import Path

from training.data.splits import kept_split, split


def test_a_random_split_is_70_15_15_and_repeatable() -> None:
    items = {f"chip{i}": f"chip{i}" for i in range(400)}
    parts = split(items)
    counts = [list(parts.values()).count(part) for part in ("train", "validation", "test")]
    assert counts == [280, 60, 60]
    assert split(items) == parts


def test_items_of_one_group_share_a_part() -> None:
    groups = {f"chip{i}": f"scene{i % 17}" for i in range(500)}
    parts = split(groups)
    for group in set(groups.values()):
        assert len({parts[i] for i, g in groups.items() if g == group}) == 1
    assert 0.6 < list(parts.values()).count("train") / 500 < 0.8


def test_a_kept_split_is_read_back_unless_the_items_differ(tmp_path: Path) -> None:
    items = {f"a{i}": f"a{i}" for i in range(40)}
    first = kept_split("set", items, tmp_path)
    assert kept_split("set", items, tmp_path) == first
    fewer = dict(list(items.items())[:10])
    assert kept_split("set", fewer, tmp_path) == {k: first[k] for k in fewer}
