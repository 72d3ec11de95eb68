"""A recipe: everything that decides what a training run does, read from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from training.engine import Schedule


class Frozen(BaseModel):
    """Values that nothing changes; a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PretrainStage(Frozen):
    """Backbone training on scene classes; `size_px` is the side of a view."""

    schedule: Schedule
    batch: int = 64
    size_px: int = 128


class Source(Frozen):
    """Where canvases come from: "composed", "aid-land", or a set of datasets.SETS.

    `only`, when given, admits the scenes whose names end in one of these.
    """

    set: str
    weight: float
    only: tuple[str, ...] = ()

    def admits(self, name: str) -> bool:
        return not self.only or name.endswith(self.only)


class CanvasStage(Frozen):
    """Dense training: `canvases` of `canvas_px` and as plain `windows` per step."""

    schedule: Schedule
    sources: tuple[Source, ...]
    canvas_px: int = 256
    canvases: int = 6
    windows: int = 6
    loss: Literal["balanced", "focal"] = "focal"
    focus: float = 2.0
    smoothing: float = 0.02


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
    kind: Literal["canvas", "chips"]
    architecture: str
    train_options: dict[str, Any] = Field(default_factory=dict)
    seed: int = 42
    threads: int = 2
    pretrain: PretrainStage | None = None
    chips: ChipStage | None = None
    stages: dict[str, CanvasStage] = Field(default_factory=dict)


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe."""
    return Recipe.model_validate(yaml.safe_load(path.read_text()))
