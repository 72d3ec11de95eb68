"""Teach a backbone what the ground looks like from above: the AID scene classes.

python -m training.pretrain --config training/configs/shipdet_atto.yaml --out runs/train/aid
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.config import Recipe, read_recipe
from training.engine import Batch, fit
from training.models import build
from training.paths import data_root


@dataclass(frozen=True)
class ScenePictures:
    """Pictures (n, 150, 150, 3) uint8 RGB with the index of their class."""

    pictures: list[NDArray[np.uint8]]
    labels: NDArray[np.int64]
    classes: list[str]


def read_aid(folder: Path) -> ScenePictures:
    """Read AID, one folder per class."""
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir())
    pictures, labels = [], []
    for index, name in enumerate(classes):
        for path in sorted((folder / name).glob("*.jpg")):
            pictures.append(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
            labels.append(index)
    return ScenePictures(pictures, np.array(labels), classes)


def random_view(
    picture: NDArray[np.uint8], size_px: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A turned, rescaled, recoloured crop of (size_px, size_px, 3)."""
    height, width = picture.shape[:2]
    side = rng.uniform(0.55, 1.0) * min(height, width)
    scale = size_px / side
    centre = rng.uniform(side / 2, np.array([width, height]) - side / 2)
    matrix = cv2.getRotationMatrix2D(tuple(centre), 90.0 * int(rng.integers(4)), scale)
    matrix[:, 2] += size_px / 2 - centre
    mode = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    view = cv2.warpAffine(
        picture, matrix, (size_px, size_px), flags=mode, borderMode=cv2.BORDER_REFLECT
    )
    if rng.random() < 0.5:
        view = view[:, ::-1]
    gain = rng.uniform(0.75, 1.3) * rng.uniform(0.93, 1.07, 3)
    return np.clip(view * gain + rng.uniform(-15, 15), 0, 255).astype(np.uint8)


def batches(scenes: ScenePictures, size_px: int, count: int, seed: int) -> Iterator[Batch]:
    """Endless shuffled batches of views."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(scenes.labels))
        for start in range(0, len(order) - count + 1, count):
            chosen = order[start : start + count]
            views = np.stack([random_view(scenes.pictures[i], size_px, rng) for i in chosen])
            yield {
                "images": torch.from_numpy(views).permute(0, 3, 1, 2).contiguous(),
                "labels": torch.from_numpy(scenes.labels[chosen]),
            }


def scene_loss(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy with label smoothing 0.1, and the running accuracy."""
    logits = model(batch["images"]).float()
    right = (logits.argmax(1) == batch["labels"]).float().mean()
    return F.cross_entropy(logits, batch["labels"], label_smoothing=0.1), {"accuracy": float(right)}


def pretrain(recipe: Recipe, out: Path) -> dict[str, Tensor]:
    """Run the stage, resuming what is in `out`; returns the network's weights."""
    torch.manual_seed(recipe.seed)
    scenes = read_aid(data_root() / "aid")
    stage = recipe.pretrain
    if stage is None:
        raise ValueError(f"{recipe.name} has no `pretrain` stage")
    model = build(recipe.architecture, len(scenes.classes), **recipe.train_options)
    views = batches(scenes, stage.size_px, stage.batch, recipe.seed)
    state = fit(model, scene_loss, views, stage.schedule, out)
    return {k.removeprefix("net."): v for k, v in state.items() if k.startswith("net.")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    torch.set_num_threads(recipe.threads)
    state = pretrain(recipe, arguments.out)
    torch.save(state, arguments.out / "backbone.pt")


if __name__ == "__main__":
    main()
