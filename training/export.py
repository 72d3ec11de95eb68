"""Write a trained network as a model folder in hub layout (see shipdet/models/config.py).

    python -m training.export --config training/configs/shipdet_pico.yaml \
        --state runs/train/final/weights.pt --out weights/shipdet-pico
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.config import Recipe, read_recipe
from training.models import IMAGENET_MEAN, IMAGENET_STD, POOL_CELLS
from training.paths import LABELS, data_root
from training.windows import WINDOW_M, WINDOW_PX

GSD_MAX_M = 6.0
"""Coarsest imagery that the canvases of training show often; see training/sensors.py."""


def plain_state(state: dict[str, Tensor], architecture: str) -> dict[str, Tensor]:
    """The weights under the names and shapes of the unmodified architecture, fp16.

    A network trained with linear layers instead of 1x1 convolutions has the same weights without
    the two trailing axes.
    """
    wanted = timm.create_model(architecture, num_classes=2).state_dict()
    if set(wanted) != set(state):
        raise ValueError(f"not a two-class {architecture}: {sorted(set(wanted) ^ set(state))[:4]}")
    return {k: state[k].reshape(v.shape).to(torch.float16).contiguous() for k, v in wanted.items()}


def folders_of(recipe: Recipe) -> tuple[str, ...]:
    """Folders of the data that a recipe's stages draw from."""
    drawn = {source.set for stage in recipe.stages.values() for source in stage.sources}
    if recipe.pretrain is not None:
        drawn |= set(recipe.pretrain.folders)
    made = {"composed", "sharpened"}  # out of ships and ground
    if drawn & made:
        drawn = (drawn - made) | {"ships-aerial", "aid"}
    return tuple(sorted({"aid" if name.startswith("aid") else name for name in drawn}))


def data_digest(sets: tuple[str, ...]) -> str:
    """SHA-256 over the names and sizes of the pictures and over all labels."""
    digest = hashlib.sha256()
    root = data_root()
    for name in sets:
        for path in sorted((root / name).rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
    for path in sorted(LABELS.glob("*.json")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write_model(folder: Path, recipe: Recipe, state: dict[str, Tensor], scoring: str) -> None:
    """Write model.safetensors and config.json; a calibration that is there already stays,
    and how many views are averaged.

    `scoring` is how its windows are best scored, "dense" or "exact".
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = plain_state(state, recipe.architecture)
    file = folder / "model.safetensors"
    save_file(weights, file, metadata={"format": "pt"})
    config = folder / "config.json"
    old: dict[str, Any] = json.loads(config.read_text())["shipdet"] if config.exists() else {}
    value = {
        "architecture": recipe.architecture,
        "num_classes": 2,
        "num_features": weights["head.fc.weight"].shape[1],
        "global_pool": "avg",
        "model_args": {"output_stride": recipe.output_stride},
        "pretrained_cfg": {
            "input_size": [3, WINDOW_PX, WINDOW_PX],
            "mean": list(IMAGENET_MEAN),
            "std": list(IMAGENET_STD),
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "num_classes": 2,
            "pool_size": [WINDOW_PX // recipe.output_stride] * 2,
            "first_conv": "stem.0",
            "classifier": "head.fc",
        },
        "shipdet": {
            "format": 1,
            "task": "ship-classification",
            "labels": ["no_ship", "ship"],
            "window_m": WINDOW_M,
            "window_px": WINDOW_PX,
            "pool_cells": POOL_CELLS if scoring == "dense" else 0,
            "gsd_max_m": GSD_MAX_M,
            "threshold": old.get("threshold", 0.5),
            "scoring": scoring,
            "views": old.get("views", 1),
            "calibration": old.get("calibration", {"scale": 1.0, "bias": 0.0}),
            "data_digest": data_digest(folders_of(recipe)),
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        },
    }
    config.write_text(json.dumps(value, indent=2) + "\n")


def mean_state(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of two models' weights, of which one was trained on from the other.

    Between such weights the loss is flat, and their mean generalises better than either
    (Wortsman et al. 2022, "Model soups").
    """
    return {name: (value.float() + second[name].float()) / 2 for name, value in first.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--average", type=Path, help="model.safetensors to take the mean with")
    parser.add_argument("--scoring", choices=("dense", "exact"), default="dense")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    state = torch.load(arguments.state, weights_only=True)
    if arguments.average:
        state = mean_state(plain_state(state, recipe.architecture), load_file(arguments.average))
    write_model(arguments.out, recipe, state, arguments.scoring)


if __name__ == "__main__":
    main()
