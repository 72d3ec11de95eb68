"""The shipsnet chip format and the reference recipe for it.

A folder of 80x80 RGB PNG named `{label}__{scene id}__{longitude}_{latitude}.png`, label 1 = ship,
3 m per pixel.

    python -m training.learning.chips --config training/configs/convnext_base.yaml \
        --data shipsnet/ --out weights/shipdet-base
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from training.data.splits import kept_split
from training.learning.architectures import Normalized
from training.learning.engine import CsvLog, parameter_groups
from training.recipe import ChipStage, read_recipe

log = logging.getLogger(__name__)

PLACE_DEGREES = 0.01
"""Chips of a scene whose centers share a cell of this size (about 1 km) are one group."""


@dataclass(frozen=True)
class Chip:
    """A chip's file, its label (1 = ship) and the scene and place it was cut from."""

    path: Path
    label: int
    scene: str
    longitude: float
    latitude: float

    @property
    def group(self) -> str:
        """Scene and place: chips of one group overlap or nearly do."""
        cell = np.floor(np.array([self.longitude, self.latitude]) / PLACE_DEGREES).astype(int)
        return f"{self.scene}/{cell[0]}/{cell[1]}"


def read_chip_name(path: Path) -> Chip:
    """A chip from its file name.

    Raises:
        ValueError: the name is not of the shipsnet format.
    """
    try:
        label, scene, place = path.stem.split("__")
        longitude, latitude = place.split("_")
        return Chip(path, int(label), scene, float(longitude), float(latitude))
    except ValueError:
        raise ValueError(f"{path.name} is not {{label}}__{{scene}}__{{lon}}_{{lat}}.png") from None


def chips_in(folder: Path) -> list[Chip]:
    """All chips of a folder, by name."""
    chips = [read_chip_name(path) for path in sorted(folder.glob("*.png"))]
    if not chips:
        raise FileNotFoundError(f"no chips (0__*.png, 1__*.png) in {folder}")
    return chips


def splits(chips: Sequence[Chip], folder: Path) -> dict[str, dict[str, str]]:
    """The random and the grouped split, by file name; made once and kept in `folder`."""
    return {
        "random": kept_split("chips-random", {c.path.name: c.path.name for c in chips}, folder),
        "grouped": kept_split("chips-grouped", {c.path.name: c.group for c in chips}, folder),
    }


class ChipSet(Dataset[tuple[Tensor, int]]):
    """Chips enlarged bicubically to the window; augmented only on request."""

    def __init__(self, chips: Sequence[Chip], window_px: int, augment: bool, seed: int) -> None:
        self.chips = list(chips)
        self.window_px = window_px
        self.rng = np.random.default_rng(seed) if augment else None

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        chip = self.chips[index]
        picture = cv2.cvtColor(cv2.imread(str(chip.path)), cv2.COLOR_BGR2RGB)
        size = (self.window_px, self.window_px)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        if self.rng is not None:
            picture = augmented(picture, self.rng)
        return torch.from_numpy(picture).permute(2, 0, 1).contiguous(), chip.label


def augmented(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Horizontal flip, brightness, contrast and saturation within 0.2, random erasing at 0.25."""
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    value = picture.astype(np.float32) * rng.uniform(0.8, 1.2)
    value = (value - value.mean()) * rng.uniform(0.8, 1.2) + value.mean()
    gray = value @ np.array([0.299, 0.587, 0.114], np.float32)
    value = gray[..., None] + (value - gray[..., None]) * rng.uniform(0.8, 1.2)
    picture = np.clip(value, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        height, width = picture.shape[:2]
        area = rng.uniform(0.02, 0.33) * height * width
        aspect = np.exp(rng.uniform(-1, 1))
        h, w = (int(min(v, s - 1)) for v, s in
                ((np.sqrt(area * aspect), height), (np.sqrt(area / aspect), width)))  # fmt: skip
        y, x = int(rng.integers(height - h)), int(rng.integers(width - w))
        picture[y : y + h, x : x + w] = rng.integers(0, 256, (h, w, 3))
    return picture


def pretrained_network(architecture: str) -> nn.Module:
    """ImageNet weights through timm.

    Raises:
        ConnectionError: the Hugging Face hub cannot be reached.
    """
    try:
        return timm.create_model(architecture, pretrained=True, num_classes=2)
    except Exception as error:  # timm and huggingface_hub raise many kinds when offline
        raise ConnectionError(
            f"ImageNet weights of {architecture} could not be had from the Hugging Face hub: "
            "check the network, or set HF_HOME to a cache that holds them."
        ) from error


def accuracy(model: nn.Module, loader: DataLoader[tuple[Tensor, int]]) -> float:
    """Share of chips classified rightly."""
    model.eval()
    device = next(model.parameters()).device
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            guess = model(images.to(device)).argmax(1).cpu()
            right += int((guess == labels).sum())
            total += len(labels)
    return right / max(1, total)


def train_chips(
    stage: ChipStage, net: nn.Module, parts: dict[str, list[Chip]], out: Path, seed: int
) -> dict[str, float]:
    """Head first, then everything; keeps the weights that are best on the validation part."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Normalized(net).to(device)
    loaders = {
        name: DataLoader(
            ChipSet(chips, stage.window_px, name == "train", seed),
            batch_size=stage.batch,
            shuffle=name == "train",
        )
        for name, chips in parts.items()
    }
    optimiser = torch.optim.AdamW(parameter_groups(net, stage.weight_decay), lr=stage.lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, stage.epochs)
    scaler = torch.amp.GradScaler(enabled=device.type == "cuda")
    table = CsvLog(out / "log.csv")
    best = -1.0
    for epoch in range(stage.epochs):
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(epoch >= stage.frozen_epochs or name.startswith("head"))
        model.train()
        total = 0.0
        for images, labels in tqdm(loaders["train"], desc=f"epoch {epoch}", mininterval=5):
            with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
                logits = model(images.to(device))
                loss = F.cross_entropy(logits, labels.to(device), label_smoothing=0.1)
            optimiser.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimiser)
            scaler.update()
            total += float(loss.detach())
        cosine.step()
        valid = accuracy(model, loaders["validation"])
        table.add({"epoch": epoch, "loss": total / len(loaders["train"]), "validation": valid})
        if valid > best:
            best = valid
            torch.save(net.state_dict(), out / "weights.pt")
    net.load_state_dict(torch.load(out / "weights.pt", weights_only=True))
    return {"validation": best, "test": accuracy(model, loaders["test"])}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of chips")
    parser.add_argument("--split", choices=("grouped", "random"), default="grouped")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    if recipe.chips is None:
        parser.error(f"{arguments.config} has no `chips` stage")
    torch.manual_seed(recipe.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    chips = chips_in(arguments.data)
    part_of = splits(chips, arguments.out / "splits")[arguments.split]
    parts = {
        part: [chip for chip in chips if part_of[chip.path.name] == part]
        for part in ("train", "validation", "test")
    }
    net = pretrained_network(recipe.architecture)
    figures = train_chips(recipe.chips, net, parts, arguments.out, recipe.seed)
    (arguments.out / "metrics.json").write_text(json.dumps({arguments.split: figures}, indent=2))
    print(figures)


if __name__ == "__main__":
    main()
