"""Train a classifier on chips in the shipsnet format.

Chips are 80x80 RGB PNG files of 3 m per pixel in one folder, named
``{label}__{scene id}__{longitude}_{latitude}.png`` or ``{label}__{anything}.png``. Label 1 is a
ship, 0 is not.

    python -m training.learning.chips --config training/configs/convnext_base.yaml \
        --data shipsnet/ --out runs/train/base
    python -m training.learning.chips --config training/configs/shipdet_pico.yaml \
        --init training/folds/shipdet-pico/0 --ours 200 --folds 5 --data shipsnet/ --out runs/chips

With ``--folds``, the chips are cross-validated: each is classified by a network that was not
trained on it. With ``--init``, training starts from a model folder instead of ImageNet weights
from the hub. ``--ours`` adds windows of the labeled PlanetScope scenes to the training data.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from training.canvases.sampling import Sampler
from training.data.labeled import Picture, everything
from training.data.splits import PARTS, kept_split
from training.learning.architectures import Student
from training.learning.engine import CsvLog, parameter_groups
from training.learning.train import fill
from training.recipe import ChipStage, MapStage, Recipe, read_recipe

OURS = ("planet-ports", "planet-scenes", "planet-land")
"""Sets of labeled scenes that look like the chips."""
PLACE_DEGREES = 0.01
"""Chips of a scene whose centers are in one cell of this size (about 1 km) form one group."""


@dataclass(frozen=True)
class Chip:
    """A chip.

    Attributes:
        path: Image file.
        label: 1 for a ship, 0 for none.
        group: Scene and place, or the name of the file if it does not contain them. Chips of one
            group may overlap.
    """

    path: Path
    label: int
    group: str

    def pixels(self) -> Picture:
        """Read the pixels as uint8 (80, 80, 3) RGB."""
        return cv2.cvtColor(cv2.imread(str(self.path)), cv2.COLOR_BGR2RGB)


def read_chip_name(path: Path) -> Chip:
    """Parse the file name of a chip.

    Raises:
        ValueError: The name is not in the shipsnet format.
    """
    form = re.fullmatch(r"([01])__(.+?)(?:__(-?[\d.]+)_(-?[\d.]+))?", path.stem)
    if form is None:
        raise ValueError(
            f"{path.name} is not named {{label}}__{{scene}}__{{lon}}_{{lat}}.png or "
            "{label}__{name}.png with a label of 0 or 1"
        )
    label, scene, longitude, latitude = form.groups()
    group = str(scene)
    if longitude is not None:
        cell = np.floor(np.array([float(longitude), float(latitude)]) / PLACE_DEGREES).astype(int)
        group = f"{scene}/{cell[0]}/{cell[1]}"
    return Chip(path, int(label), group)


def chips_in(folder: Path) -> list[Chip]:
    """Return the chips of a folder, sorted by name.

    Raises:
        FileNotFoundError: The folder has no chips.
        ValueError: The name of a PNG file is not in the shipsnet format.
    """
    chips = [read_chip_name(path) for path in sorted(folder.glob("*.png"))]
    if not chips:
        raise FileNotFoundError(f"no chips (0__*.png, 1__*.png) in {folder}")
    return chips


def splits(chips: Sequence[Chip], folder: Path) -> dict[str, dict[str, str]]:
    """Return the random and the grouped split by file name; they are stored in ``folder``."""
    return {
        "random": kept_split("chips-random", {c.path.name: c.path.name for c in chips}, folder),
        "grouped": kept_split("chips-grouped", {c.path.name: c.group for c in chips}, folder),
    }


def folds_of(chips: Sequence[Chip], count: int, seed: int) -> list[int]:
    """Return the fold of each chip; groups are not split, and ships are spread evenly."""
    members: dict[str, list[int]] = {}
    for index, chip in enumerate(chips):
        members.setdefault(chip.group, []).append(index)
    names = sorted(members)
    filled = np.zeros((count, 2))
    found = [0] * len(chips)
    for number in np.random.default_rng(seed).permutation(len(names)):
        indices = members[names[number]]
        ships = sum(chips[index].label for index in indices)
        label = int(ships > 0)
        fold = int(np.argmin(filled[:, label]))
        filled[fold] += (len(indices) - ships, ships)
        for index in indices:
            found[index] = fold
    return found


@dataclass(frozen=True)
class Window:
    """A window of a labeled scene, used as a chip.

    Attributes:
        picture: uint8 (h, w, 3) RGB.
        label: 1 for a ship, 0 for none.
    """

    picture: Picture
    label: int

    def pixels(self) -> Picture:
        """Return the pixels, uint8 (h, w, 3) RGB."""
        return self.picture


def windows_of_scenes(stage: MapStage, count: int, seed: int) -> list[Window]:
    """Sample ``count`` augmented windows, with and without ships, from the PlanetScope scenes."""
    images = [image for image in everything() if image.source in OURS]
    shares = {name: stage.large_shares[name] for name in OURS}
    update = {"large": 1, "mosaics": 0, "windows": 4, "large_shares": shares}
    found: list[Window] = []
    for batch in Sampler(images, stage.model_copy(update=update), seed).batches():
        pictures = batch["single"].permute(0, 2, 3, 1).numpy()
        labels = batch["single_labels"].tolist()
        found += [
            Window(np.ascontiguousarray(picture), label)
            for picture, label in zip(pictures, labels, strict=True)
            if label in (0, 1)
        ]
        if len(found) >= count:
            break
    return found[:count]


class ChipSet(Dataset[tuple[Tensor, int]]):
    """Chips enlarged bicubically to the window, optionally augmented."""

    def __init__(
        self, chips: Sequence[Chip | Window], window_px: int, augment: bool, seed: int
    ) -> None:
        self.chips = list(chips)
        self.window_px = window_px
        self.rng = np.random.default_rng(seed) if augment else None

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        chip = self.chips[index]
        size = (self.window_px, self.window_px)
        picture = cv2.resize(chip.pixels(), size, interpolation=cv2.INTER_CUBIC)
        if self.rng is not None:
            picture = augmented(picture, self.rng)
        return torch.from_numpy(picture).permute(2, 0, 1).contiguous(), chip.label


def augmented(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Flip horizontally, change brightness, contrast and saturation by up to 20 %, erase a part.

    Flips have a probability of 0.5, erasing of 0.25.
    """
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
    """Create a two-class network with ImageNet weights from the hub.

    Raises:
        ConnectionError: The Hugging Face hub cannot be reached.
    """
    try:
        return timm.create_model(architecture, pretrained=True, num_classes=2)
    except Exception as error:  # timm and huggingface_hub raise various types when offline
        raise ConnectionError(
            f"The ImageNet weights of {architecture} cannot be downloaded from the Hugging Face "
            "hub: check the network, or set HF_HOME to a cache that contains them."
        ) from error


def accuracy(model: nn.Module, loader: DataLoader[tuple[Tensor, int]]) -> float:
    """Return the fraction of chips that are classified correctly."""
    model.eval()
    device = next(model.parameters()).device
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            guess = model(images.to(device)).argmax(1).cpu()
            right += int((guess == labels).sum())
            total += len(labels)
    return right / max(1, total)


def first_network(recipe: Recipe, init: Path | None) -> nn.Module:
    """Create the recipe's network with the weights of ``init``, or of ImageNet if it is None."""
    if init is None:
        return pretrained_network(recipe.architecture)
    options = dict(recipe.train_options)
    net = timm.create_model(
        recipe.architecture, num_classes=2, output_stride=recipe.output_stride, **options
    )
    fill(net, load_file(init / "model.safetensors"))
    return net


def train_chips(
    stage: ChipStage,
    net: nn.Module,
    parts: Mapping[str, Sequence[Chip | Window]],
    out: Path,
    seed: int,
) -> dict[str, float]:
    """Train first the head, then all layers.

    Args:
        stage: Hyperparameters.
        net: Network, trained in place.
        parts: Chips for "train", "test" and optionally "validation". With validation chips, the
            weights of the epoch that is best on them are kept, otherwise those of the last epoch.
        out: Folder of the log and of the best weights.
        seed: Seed of the augmentation.

    Returns:
        Fraction of chips classified correctly, for "test" and "validation".
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Student(net).to(device)
    loaders = {
        name: DataLoader(
            ChipSet(chips, stage.window_px, name == "train", seed),
            batch_size=stage.batch,
            shuffle=name == "train",
        )
        for name, chips in parts.items()
        if chips
    }
    optimizer = torch.optim.AdamW(parameter_groups(net, stage.weight_decay), lr=stage.lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, stage.epochs)
    scaler = torch.amp.GradScaler(enabled=device.type == "cuda")
    out.mkdir(parents=True, exist_ok=True)
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
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            total += float(loss.detach())
        cosine.step()
        row = {"epoch": epoch, "loss": total / len(loaders["train"])}
        if "validation" in loaders:
            row["validation"] = accuracy(model, loaders["validation"])
            if row["validation"] > best:
                best = row["validation"]
                torch.save(net.state_dict(), out / "weights.pt")
        table.add(row)
    figures = {}
    if "validation" in loaders:
        net.load_state_dict(torch.load(out / "weights.pt", weights_only=True))
        figures["validation"] = best
    return figures | {"test": accuracy(model, loaders["test"])}


def in_folds(
    recipe: Recipe, chips: list[Chip], count: int, init: Path | None, ours: list[Window], out: Path
) -> dict[str, float | list[float]]:
    """Cross-validate.

    Args:
        recipe: Recipe with a `chips` stage.
        chips: All chips.
        count: Number of folds.
        init: Model folder to start from; None for ImageNet weights.
        ours: Windows added to the training data of every fold.
        out: Output folder, with one subfolder per fold.

    Returns:
        Fraction of chips classified correctly, for each of "folds" and for "all" chips.

    Raises:
        ValueError: The recipe has no `chips` stage.
    """
    if recipe.chips is None:
        raise ValueError("the recipe has no `chips` stage")
    folds = folds_of(chips, count, recipe.seed)
    shares, right = [], 0.0
    for fold in range(count):
        torch.manual_seed(recipe.seed)
        test = [chip for chip, own in zip(chips, folds, strict=True) if own == fold]
        rest = [chip for chip, own in zip(chips, folds, strict=True) if own != fold]
        net = first_network(recipe, init)
        parts = {"train": [*rest, *ours], "test": test}
        shares.append(train_chips(recipe.chips, net, parts, out / str(fold), recipe.seed)["test"])
        right += shares[-1] * len(test)
    return {"folds": shares, "all": right / len(chips)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of chips")
    parser.add_argument("--init", type=Path, help="model folder to start from")
    parser.add_argument("--ours", type=int, default=0, help="windows of labeled scenes to add")
    parser.add_argument("--folds", type=int, help="number of folds for cross-validation")
    parser.add_argument("--split", choices=("grouped", "random"), default="grouped")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    if recipe.chips is None:
        parser.error(f"{arguments.config} has no `chips` stage")
    if arguments.ours and recipe.map is None:
        parser.error(f"--ours: {arguments.config} has no `map` stage")
    torch.manual_seed(recipe.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    chips = chips_in(arguments.data)
    ours = []
    if arguments.ours and recipe.map is not None:
        ours = windows_of_scenes(recipe.map, arguments.ours, recipe.seed)
    figures: Mapping[str, object]
    if arguments.folds:
        figures = in_folds(recipe, chips, arguments.folds, arguments.init, ours, arguments.out)
    else:
        part_of = splits(chips, arguments.out / "splits")[arguments.split]
        parts: dict[str, list[Chip | Window]] = {
            part: [chip for chip in chips if part_of[chip.path.name] == part] for part in PARTS
        }
        parts["train"] += ours
        net = first_network(recipe, arguments.init)
        result = train_chips(recipe.chips, net, parts, arguments.out, recipe.seed)
        figures = {arguments.split: result}
    (arguments.out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
