"""Train a classifier from a recipe.

    python -m training.train --config training/configs/shipdet_atto.yaml --stage base \
        --init runs/train/aid/backbone.pt --out runs/train/base
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.canvases import CanvasMaker
from training.config import CanvasStage, Recipe, read_recipe
from training.engine import Batch, fit
from training.models import Normalised, build, load_backbone
from training.windows import REACHES


def window_loss(logits: Tensor, labels: Tensor, stage: CanvasStage) -> Tensor:
    """Loss of two-class logits (..., 2) against labels of which those below 0 do not count.

    "balanced": the mean over positives and the mean over negatives weigh the same. From this a
    network learns features: with one positive among fifty windows the quickest way to a lower
    focal loss is to say no everywhere, and the features of a small network collapse.
    "focal" (Lin et al. 2017): every window counts by how wrong it is; from this a network that
    has features learns precision. The sum is divided by the number of positives plus a fiftieth
    of all, so that canvases without ships still teach.
    """
    known = labels >= 0
    margin = (logits[..., 1] - logits[..., 0])[known]
    target = labels[known].to(margin.dtype)
    smooth = target * (1 - stage.smoothing) + (1 - target) * stage.smoothing / 10
    entropy = F.binary_cross_entropy_with_logits(margin, smooth, reduction="none")
    positives = target.sum()
    if stage.loss == "balanced":
        negatives = len(target) - positives
        weight = target / (positives + 1) + (1 - target) / (negatives + 1)
        return (weight * entropy).sum()
    missed = (torch.sigmoid(margin) - target).abs()
    return (missed**stage.focus * entropy).sum() / (positives + 0.02 * len(target) + 1)


def canvas_loss(stage: CanvasStage, model: nn.Module, batch: Batch) -> tuple[Tensor, dict]:
    """Mean of the dense loss and the plain-window loss, and what to log of both."""
    features = model.features(batch["canvases"])
    dense = model.pooled(features).float()
    plain = model(batch["windows"]).float()
    losses = [
        window_loss(dense, batch["canvas_labels"], stage),
        window_loss(plain, batch["window_labels"], stage),
    ]
    answers = model.cells(features)[batch["cells_known"]]
    asked = batch["cells"][batch["cells_known"]]
    auxiliary = (
        F.binary_cross_entropy_with_logits(answers, asked) if len(asked) else dense.sum() * 0
    )
    with torch.no_grad():
        margin = dense[..., 1] - dense[..., 0]
        ships, none = batch["canvas_labels"] == 1, batch["canvas_labels"] == 0
        figures = {
            "dense_loss": float(losses[0]),
            "plain_loss": float(losses[1]),
            "cell_loss": float(auxiliary),
            "recall": 0.0,
            "roc_area": 0.0,
        }
        if ships.any() and none.any():
            figures["recall"] = float((margin[ships] > 0).float().mean())
            order = margin[ships][:, None] > margin[none][None, :]
            figures["roc_area"] = float(order.float().mean())
        figures["false_rate"] = float((margin[none] > 0).float().mean())
    return losses[0] + 0.5 * losses[1] + 2 * auxiliary, figures


def train_canvases(
    recipe: Recipe, stage_name: str, init: Path | None, mined: Path | None, out: Path
) -> Normalised:
    """Run one stage of a canvas recipe, resuming what is in `out`; returns averaged weights."""
    stage = recipe.stages[stage_name]
    torch.manual_seed(recipe.seed)
    model = build(recipe.architecture, 2, len(REACHES), **recipe.train_options)
    if init is not None:
        state = torch.load(init, weights_only=True)
        if state["head.fc.weight"].shape[0] == 2:
            model.net.load_state_dict(state)
        else:
            load_backbone(model.net, state)
    maker = CanvasMaker(stage, mined, recipe.seed)

    def loss(net: nn.Module, batch: Batch) -> tuple[Tensor, dict]:
        return canvas_loss(stage, net, batch)

    def keep(state: dict[str, Tensor]) -> dict[str, float]:
        plain = {k.removeprefix("net."): v for k, v in state.items() if k.startswith("net.")}
        torch.save(plain, out / "weights.pt")
        return {}

    model.load_state_dict(fit(model, loss, maker.batches(), stage.schedule, out, keep))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--stage", default="base", help="a stage of a canvas recipe")
    parser.add_argument("--init", type=Path, help="weights to begin with")
    parser.add_argument("--mined", type=Path, help="false alarms found by training.mine")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    torch.set_num_threads(recipe.threads)
    cv2.setNumThreads(1)  # pictures are made in a thread of their own beside the optimiser
    train_canvases(recipe, arguments.stage, arguments.init, arguments.mined, arguments.out)


if __name__ == "__main__":
    main()
