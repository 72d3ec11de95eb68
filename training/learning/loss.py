"""Losses of both network outputs; unknown pixels have no gradient."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from shipdet.models.map_channels import MAP_CHANNELS

CENTER, HULL, WATER = (MAP_CHANNELS.index(name) for name in ("center", "hull", "water"))
SIZE = slice(MAP_CHANNELS.index("dx"), MAP_CHANNELS.index("sin2") + 1)
LENGTH = MAP_CHANNELS.index("log_length")

#: Exponent of the focal loss of windows.
WINDOW_FOCUS = 1.5
#: Weight of each part of the map's loss.
WEIGHTS = {
    "center": 1.0,
    "hull": 0.6,
    "water": 0.5,
    "offset": 0.5,
    "length": 1.0,
    "axis": 0.6,
}


def center_loss(
    logits: Tensor, heat: Tensor, asked: Tensor, exponent: float = 2.0, falloff: float = 4.0
) -> Tensor:
    """Compute the penalty-reduced focal loss (Law and Deng 2018) per ship, for at least 8 ships.

    Args:
        logits: (n, rows, columns) logits of a center.
        heat: (n, rows, columns) target, 1 at centers.
        asked: (n, rows, columns) mask of cells that may count as false.
        exponent: Focal exponent.
        falloff: Exponent that reduces the penalty near centers.
    """
    chance = torch.sigmoid(logits)
    ships = (heat >= 1.0).float()
    found = (1 - chance) ** exponent * F.logsigmoid(logits) * ships
    false = (1 - heat) ** falloff * chance**exponent * F.logsigmoid(-logits) * (1 - ships) * asked
    return -(found.sum() + false.sum()) / ships.sum().clamp(min=8.0)


def small_craft(maps: Tensor, smallest: Tensor, water: Tensor, water_asked: Tensor) -> Tensor:
    """Return 1 where the predicted length is below the shortest labeled length, except on land.

    A set without labels of small craft must not teach that they are not ships.
    """
    shorter = maps[:, LENGTH].detach() < smallest
    land = (water_asked > 0) & (water < 0.5)
    return (shorter & ~land).float()


def map_loss(maps: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    """Compute the loss of the map (n, 9, rows, columns).

    Args:
        maps: Output of the map head.
        batch: Arrays of `training.canvases.targets.targets`, stacked.

    Returns:
        The weighted sum, and each part for the log.
    """
    heat, size, weight = batch["heat"], batch["size"], batch["size_weight"]
    ignored = small_craft(maps, batch["smallest"], batch["water"], batch["water_asked"])
    asked = batch["asked"] * (1 - ignored)
    parts = {"center": center_loss(maps[:, CENTER], heat, asked)}
    hull, known = batch["hull"], batch["hull_asked"]
    entropy = F.binary_cross_entropy_with_logits(maps[:, HULL], hull, reduction="none")
    balance = 1 + 4 * hull
    chance = torch.sigmoid(maps[:, HULL]) * known
    overlap = 2 * (chance * hull).sum() + 1
    dice = 1 - overlap / ((chance**2).sum() + (hull * known).sum() + 1)
    parts["hull"] = (entropy * balance * known).sum() / (balance * known).sum().clamp(min=1) + dice
    wet, dry = batch["water"] * batch["water_asked"], (1 - batch["water"]) * batch["water_asked"]
    entropy = F.binary_cross_entropy_with_logits(maps[:, WATER], batch["water"], reduction="none")
    parts["water"] = 0.5 * sum(
        (entropy * part).sum() / (part.sum() + 500) for part in (wet, dry)
    )  # water and land have equal weight, whatever their areas
    error = F.smooth_l1_loss(maps[:, SIZE], size, reduction="none", beta=0.1) * weight
    ships = weight.sum((0, 2, 3)).clamp(min=8.0)
    each = error.sum((0, 2, 3)) / ships
    parts["offset"] = each[0] + each[1]
    parts["length"] = each[2] + 0.5 * each[3]
    parts["axis"] = each[4] + each[5]
    loss = sum(WEIGHTS[name] * part for name, part in parts.items())
    return loss, {name: float(part.detach()) for name, part in parts.items()}


def ship_margin(logits: Tensor) -> Tensor:
    """Return the logit of ship minus that of no ship (n,) for two-class logits (n, 2)."""
    return logits[:, 1] - logits[:, 0]


def window_loss(margins: Tensor, labels: Tensor) -> Tensor:
    """Compute the focal cross-entropy (Lin et al. 2017) of margins and labels of the same shape.

    Labels below 0 are ignored. The sum is divided by the number of ships plus a hundredth of all
    windows plus one, so that canvases without ships contribute too.
    """
    known = labels >= 0
    margin, target = margins[known], labels[known].float()
    smooth = target * 0.98 + 0.005
    entropy = F.binary_cross_entropy_with_logits(margin, smooth, reduction="none")
    missed = (torch.sigmoid(margin) - smooth).abs()
    return (missed**WINDOW_FOCUS * entropy).sum() / (target.sum() + 0.01 * len(target) + 1)


def rates(margins: Tensor, labels: Tensor) -> dict[str, float]:
    """Return recall and false alarm rate at a margin of 0, for the log; {} if undefined."""
    margin = margins.detach()
    ships, none = margin[labels == 1], margin[labels == 0]
    if not len(ships) or not len(none):
        return {}
    return {
        "recall": float((ships > 0).float().mean()),
        "false_rate": float((none > 0).float().mean()),
    }
