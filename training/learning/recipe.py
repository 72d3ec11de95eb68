"""A recipe: everything that decides what a training run does, read from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from training.learning.engine import Schedule


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


class Source(Frozen):
    """Where canvases come from: one of canvases.MADE, or a set of datasets.SETS.

    `only`, when given, admits the scenes whose names end in one of these.
    """

    set: str
    weight: float
    only: tuple[str, ...] = ()

    def admits(self, name: str) -> bool:
        return not self.only or name.endswith(self.only)


class SceneStage(Frozen):
    """What training on canvases has in common.

    Attributes:
        canvas_px: side of a canvas in network pixels.
        land_pictures: how many AID scenes serve as ground.
        loss: see train.window_loss; `positive_weight` belongs to "weighted", `focus` to "focal".
        smoothing: taken off a positive's target; a negative gets a tenth of it.
        added: share of canvases cut from harbours that cut-out ships are added to.
    """

    schedule: Schedule
    sources: tuple[Source, ...]
    canvas_px: int = 288
    land_pictures: int = 1200
    loss: Literal["weighted", "balanced", "focal"] = "focal"
    positive_weight: float = 1.5
    focus: float = 2.0
    smoothing: float = 0.03
    added: float = 0.0


class WindowStage(SceneStage):
    """Plain windows: `windows_each` out of each of `canvases` per step. For exact scoring."""

    kind: Literal["windows"]
    canvases: int = 12
    windows_each: int = 4


class TeacherStage(SceneStage):
    """The teacher on every window position of `canvases`; its body learns `body_lr` as fast."""

    kind: Literal["teacher"]
    canvas_px: int = 320
    canvases: int = 8
    body_lr: float = 0.3
    windows_each: int = 0


class DenseStage(SceneStage):
    """Every window position of `canvases` and `windows_each` plain windows. For both scorings.

    Attributes:
        new_head: begin with a head that says no everywhere: a head that has learnt from plain
            windows says the opposite of what is wanted from a few cells.
        belief: share of the teacher's answer in the target where there is a label.
        maps_weight: of the teacher's maps beside its answers.
        plain_weight: of the plain windows.
    """

    kind: Literal["dense"]
    canvas_px: int = 320
    canvases: int = 6
    windows_each: int = 1
    new_head: bool = True
    belief: float = 0.5
    maps_weight: float = 0.5
    plain_weight: float = 0.3


Stage = Annotated[WindowStage | TeacherStage | DenseStage, Field(discriminator="kind")]


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
    chips: ChipStage | None = None
    stages: dict[str, Stage] = Field(default_factory=dict)


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe."""
    return Recipe.model_validate(yaml.safe_load(path.read_text()))
