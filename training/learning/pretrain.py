"""Pretrain the backbone by distillation, to reproduce the teacher's maps on overhead imagery.

    python -m training.learning.pretrain --config training/configs/shipdet_pico.yaml \
        --teacher training/weights/teacher.safetensors --out runs/train/backbone

The body of the teacher has ImageNet weights. Its maps supervise every pixel of any image, labeled
or not, so features are learned much faster than from labels.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.datasets import read_picture
from training.learning.architectures import Pupil, Student, Teacher, build, load_teacher, maps_loss
from training.learning.engine import Batch, Keep, fit, use_threads
from training.learning.train import save_classifier
from training.paths import data_root
from training.recipe import PretrainStage, Recipe, read_recipe

Picture = NDArray[np.uint8]
SCALES = (0.4, 2.0)
"""Range of random scales; small images are enlarged further, to fill the view."""


def random_view(picture: Picture, size_px: int, rng: np.random.Generator) -> Picture:
    """Return a rotated, rescaled, recolored crop, uint8 (size_px, size_px, 3)."""
    height, width = picture.shape[:2]
    least, most = np.log(SCALES)
    scale = max(float(np.exp(rng.uniform(least, most))), size_px / min(height, width))
    side = size_px / scale
    x, y = (float(rng.uniform(side / 2, room - side / 2 + 1e-6)) for room in (width, height))
    reach = int(np.ceil(0.75 * side)) + 2  # half the diagonal of the view, plus a margin
    x0, y0 = max(0, int(x) - reach), max(0, int(y) - reach)
    part = picture[y0 : int(y) + reach, x0 : int(x) + reach]
    if scale < 0.8:
        part = cv2.GaussianBlur(part, (0, 0), 0.4 / scale)
    turn = cv2.getRotationMatrix2D((x - x0, y - y0), 90.0 * int(rng.integers(4)), scale)
    turn[:, 2] += size_px / 2 - np.array([x - x0, y - y0])
    mode = cv2.INTER_LINEAR if rng.random() < 0.6 else cv2.INTER_CUBIC
    view = cv2.warpAffine(part, turn, (size_px, size_px), flags=mode, borderMode=cv2.BORDER_REFLECT)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    gain = rng.uniform(0.7, 1.35) * rng.uniform(0.9, 1.1, 3)
    return np.clip(view * gain + rng.uniform(-20, 20), 0, 255).astype(np.uint8)


class Views:
    """Samples views of the images in a stage's folders, by the weights of the folders.

    Args:
        stage: The stage.
        seed: Seed of the random generator.

    Raises:
        FileNotFoundError: A folder has no images.
    """

    def __init__(self, stage: PretrainStage, seed: int) -> None:
        self.stage = stage
        self.rng = np.random.default_rng(seed)
        root = data_root()
        self.paths = [
            sorted(p for ending in ("jpg", "png") for p in (root / name).rglob(f"*.{ending}"))
            for name in stage.folders
        ]
        for name, paths in zip(stage.folders, self.paths, strict=True):
            if not paths:
                raise FileNotFoundError(f"no images in {root / name}: set SHIPDET_DATA")
        weights = np.array(list(stage.folders.values()))
        self.shares = weights / weights.sum()
        self.seen: dict[Path, Picture] = {}

    def view(self) -> Picture:
        """Return a random view of a random image."""
        paths = self.paths[self.rng.choice(len(self.shares), p=self.shares)]
        path = paths[self.rng.integers(len(paths))]
        if path not in self.seen:
            self.seen[path] = read_picture(path)
        return random_view(self.seen[path], self.stage.size_px, self.rng)

    def batches(self) -> Iterator[Batch]:
        """Yield batches endlessly."""
        while True:
            stacked = np.stack([self.view() for _ in range(self.stage.batch)])
            yield {"views": torch.from_numpy(stacked).permute(0, 3, 1, 2)}


def new_student(recipe: Recipe) -> Student:
    """Create the classifier of a recipe with random weights."""
    return build(recipe.architecture, 2, output_stride=recipe.output_stride, **recipe.train_options)


def keep_pupil(out: Path, architecture: str) -> Keep:
    """Return a callback that writes the averaged student to model.safetensors."""

    def keep(average: dict[str, Tensor]) -> dict[str, float]:
        prefix = "student.net."
        student = {k[len(prefix) :]: v for k, v in average.items() if k.startswith(prefix)}
        save_classifier(student, architecture, out)
        return {}

    return keep


def pretrain(recipe: Recipe, teacher: Teacher, out: Path) -> None:
    """Run the stage and write model.safetensors to ``out``, from which a run also resumes.

    Raises:
        ValueError: The recipe has no `pretrain` stage.
    """
    torch.manual_seed(recipe.seed)
    stage = recipe.pretrain
    if stage is None:
        raise ValueError(f"{recipe.name} has no `pretrain` stage")
    model = Pupil(new_student(recipe)).to(memory_format=torch.channels_last)

    def loss(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        with torch.no_grad():
            theirs = teacher.maps(batch["views"])
        return maps_loss(model, model.student.maps(batch["views"]), theirs), {}

    keep = keep_pupil(out, recipe.architecture)
    fit(model, loss, Views(stage, recipe.seed).batches(), stage.schedule, out, keep)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="weights of the teacher")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    use_threads(recipe.threads)
    pretrain(recipe, load_teacher(arguments.teacher), arguments.out)


if __name__ == "__main__":
    main()
