"""Splits of a data set, saved to a file so that they are reproducible."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

PARTS = ("train", "validation", "test")
SHARES = (0.70, 0.15, 0.15)
SEED = 42


def split(groups: Mapping[str, str], seed: int = SEED) -> dict[str, str]:
    """Assign each item to a part; items of one group share a part.

    Args:
        groups: Item to group. Map every item to itself for a random split.
        seed: Seed of the random generator.

    Returns:
        Item to "train", "validation" or "test", 70/15/15 % of the items as closely as the groups
        allow.
    """
    names = sorted(set(groups.values()))
    members: dict[str, list[str]] = {name: [] for name in names}
    for item, group in groups.items():
        members[group].append(item)
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    wanted = np.array(SHARES) * len(groups)
    filled = np.zeros(len(PARTS))
    parts: dict[str, str] = {}
    for group in sorted(order, key=lambda name: -len(members[name])):
        # Fill the part that is farthest below its share. Large groups come first so that they fit.
        part = int(np.argmax((wanted - filled) / np.maximum(wanted, 1e-9)))
        filled[part] += len(members[group])
        parts.update(dict.fromkeys(members[group], PARTS[part]))
    return parts


def kept_split(name: str, groups: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Read a split from its file, or compute and save it if the file does not cover all items.

    Args:
        name: Name of the file, without the suffix.
        groups: Item to group, as in `split`.
        folder: Folder of the file.
    """
    path = folder / f"{name}.json"
    if path.exists():
        parts: dict[str, str] = json.loads(path.read_text())
        if set(parts) >= set(groups):
            return {item: parts[item] for item in groups}
    parts = split(groups)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(sorted(parts.items())), indent=0) + "\n")
    return parts
