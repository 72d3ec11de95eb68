"""Write a trained network as a model folder in hub layout (see shipdet/models/config.py).

    python -m training.learning.model_folder --run runs/train/all --out weights/shipdet-pico

Judge, threshold and calibration are kept if the folder already has them.
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

from shipdet.models.config import FEATURES
from shipdet.models.hub import file_sha256
from training.canvases.windows import CELL_PX, FINEST_NET_GSD_M, WINDOW_M, WINDOW_PX
from training.data.labeled import everything
from training.learning.architectures import IMAGENET_MEAN, IMAGENET_STD, POOL_CELLS
from training.paths import LABELS, data_root

#: Coarsest imagery, in meters per pixel, in which training shows ships of all lengths.
GSD_MAX_M = 10.0
#: Cells with a lower logit of a center are not candidates; almost none of them is a ship.
LEAST_CENTER = -3.0
#: Judge before it is fitted: the score is that of the center alone.
PLAIN_JUDGE = {"weights": [float(name == "center") for name in FEATURES], "bias": 0.0}


def plain_state(state: dict[str, Tensor], architecture: str) -> dict[str, Tensor]:
    """Convert weights to the shapes of timm's unmodified architecture, in fp16.

    A network trained with linear layers instead of 1x1 convolutions has the same weights without
    the two trailing axes.

    Raises:
        ValueError: The weights belong to another network.
    """
    wanted = timm.create_model(architecture, num_classes=2).state_dict()
    if set(wanted) != set(state):
        raise ValueError(f"not a two-class {architecture}: {sorted(set(wanted) ^ set(state))[:4]}")
    return {k: state[k].reshape(v.shape).to(torch.float16).contiguous() for k, v in wanted.items()}


def data_digest() -> str:
    """Return the SHA-256 of the names and sizes of all images and of labels/**/*.json."""
    digest = hashlib.sha256()
    root = data_root()
    for image in sorted(everything(root), key=lambda image: image.name):
        digest.update(f"{image.name} {image.path.stat().st_size}\n".encode())
    for path in sorted(LABELS.rglob("*.json")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write_model(
    folder: Path,
    architecture: str,
    classifier: dict[str, Tensor],
    map_head: dict[str, Tensor] | None,
    *,
    digest: str = "",
    cell_px: int = CELL_PX,
    scoring: str = "dense",
) -> None:
    """Write model.safetensors, map_head.safetensors and config.json.

    Args:
        folder: Target folder, created if necessary.
        architecture: Name in timm.
        classifier: Weights of the two-class network.
        map_head: Weights of the map head; None for a classifier without a map.
        digest: Digest of the training data.
        cell_px: Network pixels per cell of the last feature map.
        scoring: How to score windows, "dense" or "exact".

    Raises:
        ValueError: The weights belong to another network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = plain_state(classifier, architecture)
    file = folder / "model.safetensors"
    save_file(weights, file, metadata={"format": "pt"})
    config = folder / "config.json"
    old: dict[str, Any] = json.loads(config.read_text())["shipdet"] if config.exists() else {}
    block: dict[str, Any] = {
        "format": 1,
        "task": "ship-classification",
        "labels": ["no_ship", "ship"],
        "window_m": WINDOW_M,
        "window_px": WINDOW_PX,
        "pool_cells": POOL_CELLS if scoring == "dense" else 0,
        "gsd_max_m": GSD_MAX_M,
        "threshold": old.get("threshold", 0.5),
        "scoring": scoring,
        "calibration": old.get("calibration", {"scale": 1.0, "bias": 0.0}),
        "data_digest": digest,
        "sha256": file_sha256(file),
    }
    if map_head is not None:
        heads = {k: v.to(torch.float16).contiguous() for k, v in map_head.items()}
        file = folder / "map_head.safetensors"
        save_file(heads, file, metadata={"format": "pt"})
        known = old.get("map") or {}
        block["map"] = {
            "sha256": file_sha256(file),
            "width": heads["laterals.0.weight"].shape[0],
            "judge": known.get("judge", PLAIN_JUDGE),
            "least_center": known.get("least_center", LEAST_CENTER),
            "gsd_min_m": FINEST_NET_GSD_M,
        }
    value = {
        "architecture": architecture,
        "num_classes": 2,
        "num_features": weights["head.fc.weight"].shape[1],
        "global_pool": "avg",
        "model_args": {"output_stride": cell_px},
        "pretrained_cfg": {
            "input_size": [3, WINDOW_PX, WINDOW_PX],
            "mean": list(IMAGENET_MEAN),
            "std": list(IMAGENET_STD),
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "num_classes": 2,
            "pool_size": [WINDOW_PX // cell_px] * 2,
            "first_conv": "stem.0",
            "classifier": "head.fc",
        },
        "shipdet": block,
    }
    config.write_text(json.dumps(value, indent=2) + "\n")


def _read(run: Path, name: str) -> dict[str, Tensor]:
    return load_file(run / f"{name}.safetensors")


def mean_state(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """Average the weights of two models, one of which was fine-tuned from the other.

    The loss between such weights is flat, and their mean often generalizes better than either
    (Wortsman et al. 2022, "Model soups").
    """
    return {name: (value.float() + second[name].float()) / 2 for name, value in first.items()}


def changed_state(
    state: dict[str, Tensor], before: dict[str, Tensor], after: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Add to the weights of a model what training changed in those of a related one.

    Both models were fine-tuned from the same weights, so what the second learned also works in the
    first (Ilharco et al. 2023, "Editing models with task arithmetic").
    """
    return {
        name: value.float() + after[name].float() - before[name].float()
        for name, value in state.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, required=True, help="output of training.learning.train")
    parser.add_argument("--average", type=Path, help="another run to average with")
    parser.add_argument(
        "--change", type=Path, nargs=2, metavar=("BEFORE", "AFTER"),
        help="two runs; what changed from the first to the second is added",
    )  # fmt: skip
    parser.add_argument("--architecture", default="convnext_pico_ols")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    parts = {}
    for name in ("model", "map_head"):
        parts[name] = _read(arguments.run, name)
        if arguments.average:
            parts[name] = mean_state(parts[name], _read(arguments.average, name))
        if arguments.change:
            before, after = (_read(run, name) for run in arguments.change)
            parts[name] = changed_state(parts[name], before, after)
    write_model(
        arguments.out,
        arguments.architecture,
        parts["model"],
        parts["map_head"],
        digest=data_digest(),
    )


if __name__ == "__main__":
    main()
