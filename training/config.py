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


class Recipe(Frozen):
    """See the YAML files in training/configs for commented examples."""

    name: str
    kind: Literal["canvas", "chips"]
    architecture: str
    train_options: dict[str, Any] = Field(default_factory=dict)
    seed: int = 42
    threads: int = 2
    pretrain: PretrainStage


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe."""
    return Recipe.model_validate(yaml.safe_load(path.read_text()))
