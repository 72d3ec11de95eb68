"""Building the network, scoring it densely, and the folder it is shipped in."""

from __future__ import annotations

from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
STRIDE_PX = 32
"""Network pixels per cell of ConvNeXt's last feature map."""
CELLS = 4
"""Cells along a side of a 128-px window."""


def cell_probe(channels: int, answers: int) -> nn.Module:
    """Answers for every cell from its own features: (n, channels, h, w) -> (n, answers, h, w)."""
    return nn.Sequential(nn.GroupNorm(1, channels), nn.Conv2d(channels, answers, 1))


class Normalised(nn.Module):
    """A timm classifier that takes uint8 pictures, so that datasets never normalise.

    `cells` answers training's auxiliary question for every cell (see windows.label_cells); it is
    not part of the network and not shipped.
    """

    def __init__(self, net: nn.Module, cell_answers: int = 0) -> None:
        super().__init__()
        self.net = net
        self.cells = cell_probe(net.num_features, cell_answers) if cell_answers else None
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), False)
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), False)

    def features(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) uint8 -> (n, channels, h/32, w/32)."""
        return self.net.forward_features((images.float() - self.mean) / self.std)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) uint8 -> (n, classes) logits of the whole picture."""
        return self.net.forward_head(self.features(images))

    def pooled(self, features: Tensor) -> Tensor:
        """Logits of every window at stride 32 of a larger picture, in one pass.

        The head pools each 7x7 neighbourhood of cells instead of the whole map; nothing is padded.

        Args:
            features: (n, channels, h / 32, w / 32) of pictures of at least 128 px.

        Returns:
            (n, rows, columns, classes), rows = h // 32 - 6.
        """
        head = self.net.head
        pooled = F.avg_pool2d(features, CELLS, stride=1)
        return head.fc(head.norm(pooled).permute(0, 2, 3, 1))


def build(architecture: str, classes: int, cell_answers: int = 0, **options: Any) -> Normalised:
    """A timm network without weights."""
    net = timm.create_model(architecture, num_classes=classes, **options)
    return Normalised(net, cell_answers)


def load_backbone(net: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy everything but the classifier's last layer from another head's weights."""
    kept = {k: v for k, v in state.items() if not k.startswith("head.fc.")}
    missing, unexpected = net.load_state_dict(kept, strict=False)
    if unexpected or any(not name.startswith("head.fc.") for name in missing):
        raise ValueError(f"not the same backbone: missing {missing}, unexpected {unexpected}")
