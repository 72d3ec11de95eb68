"""Train a classifier from a recipe.

    python -m training.train --config training/configs/shipdet_atto.yaml --stage windows \
        --init runs/train/aid/backbone.pt --out runs/train/windows
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.canvases import CanvasMaker
from training.config import DenseStage, Recipe, SceneStage, Stage, WindowStage, read_recipe
from training.engine import Batch, LossFn, fit
from training.models import Normalised, build, load_backbone
from training.windows import REACHES

PLAIN_WEIGHT = 0.5
CELL_WEIGHT = 2.0
"""Weights of the plain windows and of the auxiliary question beside the dense loss."""


Figures = dict[str, float]


def window_loss(logits: Tensor, labels: Tensor, stage: SceneStage) -> Tensor:
    """Loss of two-class logits (..., 2) against labels of which those below 0 do not count.

    "weighted": cross-entropy, positives times `positive_weight`; for windows drawn evenly.
    "balanced": the mean over positives and the mean over negatives weigh the same; for canvases,
    on which one window in fifty is positive, while features are learnt: the quickest way to a
    lower focal loss is to say no everywhere, and the features of a small network collapse.
    "focal" (Lin et al. 2017): every window counts by how wrong it is; for precision, once there
    are features. The sum is divided by the number of positives plus a fiftieth of all, so that
    canvases without ships still teach.
    """
    known = labels >= 0
    margin = (logits[..., 1] - logits[..., 0])[known]
    target = labels[known].to(margin.dtype)
    smooth = target * (1 - stage.smoothing) + (1 - target) * stage.smoothing / 10
    entropy = F.binary_cross_entropy_with_logits(margin, smooth, reduction="none")
    positives = target.sum()
    negatives = len(target) - positives
    if stage.loss == "weighted":
        weight = 1 + (stage.positive_weight - 1) * target
        return (weight * entropy).sum() / max(1, len(target))
    if stage.loss == "balanced":
        weight = target / (positives + 1) + (1 - target) / (negatives + 1)
        return (weight * entropy).sum()
    missed = (torch.sigmoid(margin) - target).abs()
    return (missed**stage.focus * entropy).sum() / (positives + 0.02 * len(target) + 1)


def rates(logits: Tensor, labels: Tensor) -> Figures:
    """Recall and false-alarm rate at equal odds, and the area under the ROC curve."""
    margin = (logits[..., 1] - logits[..., 0]).detach()
    ships, none = margin[labels == 1], margin[labels == 0]
    if not len(ships) or not len(none):
        return {}
    return {
        "recall": float((ships > 0).float().mean()),
        "false_rate": float((none > 0).float().mean()),
        "roc_area": float((ships[:, None] > none[None, :]).float().mean()),
    }


def plain_loss(stage: WindowStage, model: nn.Module, batch: Batch) -> tuple[Tensor, Figures]:
    """Loss of plain windows."""
    logits = model(batch["windows"]).float()
    labels = batch["window_labels"]
    return window_loss(logits, labels, stage), rates(logits, labels)


def dense_loss(stage: DenseStage, model: nn.Module, batch: Batch) -> tuple[Tensor, Figures]:
    """Loss of every window of the canvases, of plain windows, and of the cells' answers."""
    features = model.features(batch["canvases"])
    logits = model.pooled(features).float()
    dense = window_loss(logits, batch["canvas_labels"], stage)
    plain = window_loss(model(batch["windows"]).float(), batch["window_labels"], stage)
    answers = model.cells(features)[batch["cells_known"]].float()
    asked = batch["cells"][batch["cells_known"]]
    cells = dense.new_zeros(())
    if len(asked):
        cells = F.binary_cross_entropy_with_logits(answers, asked)
    figures = {
        "dense_loss": float(dense.detach()),
        "plain_loss": float(plain.detach()),
        "cell_loss": float(cells.detach()),
    }
    total = dense + PLAIN_WEIGHT * plain + CELL_WEIGHT * cells
    return total, figures | rates(logits, batch["canvas_labels"])


def loss_of(stage: Stage) -> LossFn:
    """The loss that a stage minimises."""
    if isinstance(stage, DenseStage):
        return partial(dense_loss, stage)
    return partial(plain_loss, stage)


def train_stage(
    recipe: Recipe, stage_name: str, init: Path | None, mined: Path | None, out: Path
) -> Normalised:
    """Run one stage of a recipe, resuming what is in `out`; returns averaged weights."""
    stage = recipe.stages[stage_name]
    torch.manual_seed(recipe.seed)
    model = build(
        recipe.architecture,
        2,
        len(REACHES) if isinstance(stage, DenseStage) else 0,
        **recipe.train_options,
    )
    if init is not None:
        state = torch.load(init, weights_only=True)
        if state["head.fc.weight"].shape[0] == 2:
            model.net.load_state_dict(state)
        else:
            load_backbone(model.net, state)
    maker = CanvasMaker(stage, mined, recipe.seed)

    def keep(state: dict[str, Tensor]) -> dict[str, float]:
        plain = {k.removeprefix("net."): v for k, v in state.items() if k.startswith("net.")}
        torch.save(plain, out / "weights.pt")
        return {}

    model.load_state_dict(fit(model, loss_of(stage), maker.batches(), stage.schedule, out, keep))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--stage", default="windows", help="a stage of the recipe")
    parser.add_argument("--init", type=Path, help="weights to begin with")
    parser.add_argument("--mined", type=Path, help="false alarms found by training.mine")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    torch.set_num_threads(recipe.threads)
    cv2.setNumThreads(1)  # pictures are made in a thread of their own beside the optimiser
    train_stage(recipe, arguments.stage, arguments.init, arguments.mined, arguments.out)


if __name__ == "__main__":
    main()
