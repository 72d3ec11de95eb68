"""A recipe: everything that decides what a training run does, read from YAML."""

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
    """How long and how fast a stage learns.

    Attributes:
        steps: optimizer updates of the whole stage.
        minutes: time limit; the cosine is compressed so that it still ends at zero.
        lr: peak learning rate of AdamW, reached after `warmup` (a fraction of the stage).
        clip: largest norm of the gradient.
        ema: decay of the weights' moving average, per step.
        bf16: mixed precision, on machines that are faster in it.
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
        """Part of the stage that is done, 0 to 1."""
        return min(1.0, max(step / self.steps, elapsed_s / (60 * self.minutes)))

    def scheduler(self, optimizer: torch.optim.Optimizer) -> CosineLRScheduler:
        """Linear warm-up, then half a cosine down to zero; its time is :meth:`progress`.

        A parameter group's ``lr_scale`` multiplies its learning rate.
        """
        return CosineLRScheduler(
            optimizer,
            t_initial=1 - self.warmup,
            warmup_t=self.warmup,
            warmup_lr_init=0.02 * self.lr,
            warmup_prefix=True,
        )


class Frozen(BaseModel):
    """Values that nothing changes; a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PretrainStage(Frozen):
    """Backbone training on the teacher's maps.

    Attributes:
        folders: of pictures below the data's root, and how often each is drawn from.
        batch: views per step.
        size_px: side of a view, a multiple of 32.
    """

    schedule: Schedule
    folders: dict[str, float]
    batch: int = 16
    size_px: int = 160


class MapStage(Frozen):
    """Training of both answers on canvases of the labeled sets.

    Attributes:
        frozen_stages: of the backbone, which stay as they are together with the stem.
        head_boost: how many times faster the map head learns than the backbone.
        canvas_px: side of a canvas in network pixels, a multiple of 32.
        large: canvases of one large picture per step.
        mosaics: canvases of four small pictures per step.
        windows: single windows per step.
        large_shares: how often each set is drawn for a whole canvas.
        small_shares: how often each set is drawn for a quarter of a mosaic.
        near_ship: share of the pieces that are centered near a ship, where there are ships.
        near_hard: share of the draws of a set with hard negatives that go to one of them.
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


class ChipStage(Frozen):
    """Training on isolated chips: the head alone first, then everything."""

    epochs: int = 30
    frozen_epochs: int = 5
    batch: int = 32
    lr: float = 3e-4
    weight_decay: float = 1e-4
    window_px: int = 224


class Recipe(Frozen):
    """See the YAML files in training/configs for commented examples."""

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
    """Read and check a recipe."""
    return Recipe.model_validate(yaml.safe_load(path.read_text()))
