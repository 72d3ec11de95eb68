"""Train both outputs of the network, the classifier of windows and the map head.

    python -m training.learning.train --config training/configs/shipdet_pico.yaml \
        --init weights/shipdet-pico --out runs/train/all --minutes 60
    python -m training.learning.train --config training/configs/shipdet_pico.yaml \
        --init training/folds/shipdet-pico/0 --fold 0 --out runs/train/fold0
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shipdet.models.map_head import MapHead, use_phased_convolutions
from training.canvases.sampling import Sampler, read_hard
from training.canvases.windows import CELL_PX, EDGE_PX
from training.data.folds import seen_by
from training.data.labeled import everything
from training.learning.architectures import Student
from training.learning.engine import Batch, Keep, fit, parameter_groups, use_threads
from training.learning.loss import map_loss, rates, ship_margin, window_loss
from training.recipe import MapStage, read_recipe

#: Weights of the losses of dense and of single windows, relative to the map's loss.
WINDOW_WEIGHT, SINGLE_WEIGHT = 0.5, 0.2


class TwoAnswers(Student):
    """The classifier with the map head on its feature maps.

    Args:
        architecture: Name of a ConvNeXt in timm.
        options: Options of the architecture for training; they do not change names of weights.
    """

    def __init__(self, architecture: str, **options: Any) -> None:
        net = timm.create_model(architecture, num_classes=2, output_stride=CELL_PX, **options)
        super().__init__(use_phased_convolutions(net))
        self.head = MapHead([info["num_chs"] for info in net.feature_info])

    def freeze(self, stages: int) -> None:
        """Freeze the first ``stages`` stages and, unless that is 0, the stem."""
        if stages:
            self.net.stem.requires_grad_(False)
        for stage in self.net.stages[:stages]:
            stage.requires_grad_(False)


def loss_of(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Compute the sum of the losses of the map, of dense windows and of single windows.

    Returns:
        The loss, and its parts and rates for the log.
    """
    maps = model.maps(batch["canvases"])
    loss, figures = map_loss(model.head(maps[:4]).float(), batch)
    labels = batch["windows"]
    edge = EDGE_PX // CELL_PX - 1  # windows near the canvas's edge are unlabeled
    margins = model.dense(maps[3])[:, edge:-edge, edge:-edge].float()
    windows = window_loss(margins, labels)
    single = ship_margin(model(batch["single"]).float())
    alone = window_loss(single, batch["single_labels"])
    figures |= {"windows": float(windows.detach()), "alone": float(alone.detach())}
    figures |= rates(margins, labels)
    return loss + WINDOW_WEIGHT * windows + SINGLE_WEIGHT * alone, figures


def groups(model: TwoAnswers, stage: MapStage) -> list[dict[str, Any]]:
    """Return the parameter groups; the map head has a higher learning rate than the backbone."""
    result: list[dict[str, Any]] = []
    for part, scale in ((model.net, 1.0), (model.head, stage.head_boost)):
        for group in parameter_groups(part, stage.schedule.weight_decay):
            result.append({**group, "lr_scale": scale})
    return result


def load_state(model: TwoAnswers, folder: Path) -> None:
    """Load the classifier and, if the folder has one, the map head."""
    fill(model.net, load_file(folder / "model.safetensors"))
    if (folder / "map_head.safetensors").exists():
        fill(model.head, load_file(folder / "map_head.safetensors"))


def fill(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Load weights into a network, strictly by name."""
    own = module.state_dict()
    # timm's 1x1 convolutions and linear layers have the same weights in different shapes.
    module.load_state_dict({k: v.reshape(own[k].shape) for k, v in state.items()}, strict=True)


def save_state(average: dict[str, Tensor], architecture: str, out: Path) -> None:
    """Write averaged weights to model.safetensors and map_head.safetensors."""
    classifier = {k[4:]: v for k, v in average.items() if k.startswith("net.")}
    save_classifier(classifier, architecture, out)
    head = {k[5:]: v.contiguous() for k, v in average.items() if k.startswith("head.")}
    _write(head, out / "map_head.safetensors")


def save_classifier(state: dict[str, Tensor], architecture: str, out: Path) -> None:
    """Write a classifier's weights to model.safetensors, in timm's unmodified shapes."""
    reference = timm.create_model(architecture, num_classes=2).state_dict()
    shaped = {k: v.reshape(reference[k].shape).contiguous() for k, v in state.items()}
    _write(shaped, out / "model.safetensors")


def _write(state: dict[str, Tensor], file: Path) -> None:
    part = file.with_suffix(".part")
    save_file(state, part, metadata={"format": "pt"})
    part.replace(file)


def kept_in(out: Path, architecture: str) -> Keep:
    """Return a callback that writes the averaged weights at every checkpoint."""

    def keep(average: dict[str, Tensor]) -> dict[str, float]:
        save_state(average, architecture, out)
        return {}

    return keep


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="a recipe with a `map` stage")
    parser.add_argument("--init", type=Path, required=True, help="model folder to start from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, help="hold out the places of this fold")
    parser.add_argument("--minutes", type=float, help="time limit, overrides the recipe")
    parser.add_argument("--hard", type=Path, help="mined hard negatives")
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    stage = recipe.map
    if stage is None:
        parser.error(f"{arguments.config} has no `map` stage")
    torch.manual_seed(recipe.seed)
    use_threads(recipe.threads)
    model = TwoAnswers(recipe.architecture, **recipe.train_options)
    load_state(model, arguments.init)
    model.freeze(stage.frozen_stages)
    model.to(memory_format=torch.channels_last)
    schedule = stage.schedule
    if arguments.minutes is not None:
        schedule = replace(schedule, minutes=arguments.minutes)
    images = seen_by(everything(), arguments.fold)
    # The process id makes each resumed part of a run sample different canvases.
    sampler = Sampler(images, stage, recipe.seed + os.getpid(), read_hard(arguments.hard))
    keep = kept_in(arguments.out, recipe.architecture)
    keep(fit(
        model, loss_of, sampler.batches(), schedule, arguments.out, keep, groups(model, stage)
    ))  # fmt: skip


if __name__ == "__main__":
    main()
