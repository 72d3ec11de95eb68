"""Training recipes: all hyperparameters of a run, read from YAML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field
from timm.scheduler import CosineLRScheduler


@dataclass(frozen=True)
class Schedule:
    """Length and learning rate of a stage.

    Attributes:
        steps: Optimizer updates in the stage.
        minutes: Time limit. The cosine is compressed so that it still ends at zero.
        lr: Peak learning rate of AdamW, reached after `warmup`.
        weight_decay: Weight decay of matrices and kernels.
        warmup: Warm-up as a fraction of the stage.
        clip: Largest norm of the gradient.
        ema: Decay per step of the moving average of the weights.
        bf16: Train in mixed precision on machines where it is faster.
        save_every_s: Seconds between checkpoints.
    """

    steps: int
    minutes: float = math.inf
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    clip: float = 1.0
    ema: float = 0.998
    bf16: bool = False
    save_every_s: float = 120.0

    def progress(self, step: int, elapsed_s: float) -> float:
        """Return the completed fraction of the stage, 0 to 1."""
        return min(1.0, max(step / self.steps, elapsed_s / (60 * self.minutes)))

    def scheduler(self, optimizer: torch.optim.Optimizer) -> CosineLRScheduler:
        """Return a schedule of linear warm-up and cosine decay to zero, stepped by `progress`.

        The ``lr_scale`` of a parameter group multiplies its learning rate.
        """
        return CosineLRScheduler(
            optimizer,
            t_initial=1 - self.warmup,
            warmup_t=self.warmup,
            warmup_lr_init=0.02 * self.lr,
            warmup_prefix=True,
        )


class Frozen(BaseModel):
    """Base of the immutable recipe models; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PretrainStage(Frozen):
    """Pretraining of the backbone on the teacher's feature maps.

    Attributes:
        folders: Image folders below the data root, with their sampling weights.
        batch: Views per step.
        size_px: Side of a view, a multiple of 32.
    """

    schedule: Schedule
    folders: dict[str, float]
    batch: int = 16
    size_px: int = 160


class MapStage(Frozen):
    """Training of classifier and map head on canvases of the labeled sets.

    Attributes:
        frozen_stages: Number of backbone stages that are frozen, together with the stem.
        head_boost: Learning rate of the map head divided by that of the backbone.
        canvas_px: Side of a canvas in network pixels, a multiple of 32.
        large: Canvases per step that are cut from one large image.
        mosaics: Canvases per step that combine four small images.
        windows: Single windows per step.
        large_shares: Sampling weight of each set for a whole canvas.
        small_shares: Sampling weight of each set for a quarter of a mosaic.
        near_ship: Probability that a crop of an image with ships is centered near one of them.
        near_hard: Probability that a crop of a set with hard negatives is centered near one.
        enlarged: Probability that a crop is finer than in a search, so that its ships cover more
            pixels: few of the long ships are in fine imagery.
        whole_mosaics: Probability that a mosaic is a single crop of one small image.
    """

    schedule: Schedule
    frozen_stages: int = 1
    head_boost: float = 4.0
    canvas_px: int = 384
    large: int = 3
    mosaics: int = 3
    windows: int = 6
    large_shares: dict[str, float]
    small_shares: dict[str, float]
    near_ship: float = 0.8
    near_hard: float = 0.35
    enlarged: float = 0.0
    whole_mosaics: float = 0.0


class ChipStage(Frozen):
    """Training on isolated chips: first the head alone, then all layers."""

    epochs: int = 30
    frozen_epochs: int = 5
    batch: int = 32
    lr: float = 3e-4
    weight_decay: float = 1e-4
    window_px: int = 224


class Recipe(Frozen):
    """A training recipe; training/configs contains commented examples."""

    name: str
    architecture: str
    output_stride: Literal[8, 16, 32] = 32
    train_options: dict[str, Any] = Field(default_factory=dict)
    seed: int = 42
    threads: int = 2
    pretrain: PretrainStage | None = None
    map: MapStage | None = None
    chips: ChipStage | None = None


def read_recipe(path: Path) -> Recipe:
    """Read and validate a recipe.

    Raises:
        pydantic.ValidationError: A key is unknown or missing, or a value has the wrong type.
    """
    return Recipe.model_validate(yaml.safe_load(path.read_text()))
