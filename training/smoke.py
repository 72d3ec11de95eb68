"""Smoke test: train a tiny network on the west of the sample harbor, evaluate it on the east.

    python -m training.smoke

Training starts from random weights, takes less than a minute, and uses the same loss, training
loop and figures as real training.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from shipdet.geometry import TILE_PX, gsd_at, lonlat_to_pixel, pixel_box, rectangle, tiles_of
from shipdet.imagery import sample
from shipdet.models.config import ClassifierConfig
from shipdet.models.torch_runtime import TorchClassifier
from training.canvases.sampling import Sampler
from training.canvases.windows import CELL_PX, WINDOW_M, WINDOW_PX
from training.data.labeled import Floats, LabeledImage, LabeledShip, Picture
from training.evaluation.figures import average_precision, pool
from training.evaluation.surveys import surveyed
from training.learning.architectures import IMAGENET_MEAN, IMAGENET_STD, POOL_CELLS
from training.learning.engine import fit
from training.learning.model_folder import PLAIN_JUDGE
from training.learning.train import TwoAnswers, groups, loss_of
from training.recipe import MapStage, Schedule

ZOOM = 16  # 2.4 m per pixel
ARCHITECTURE = "convnext_atto"
OPTIONS: dict[str, Any] = {
    "dims": (16, 32, 64, 96), "depths": (1, 1, 2, 1), "conv_mlp": False, "ls_init_value": 0.3,
}  # fmt: skip
#: Lowest average precision that passes; it must also be twice that of the untrained network.
ENOUGH = 0.3
#: Enough steps to reach it.
STEPS = 120


def harbor() -> tuple[Picture, list[LabeledShip]]:
    """Return the sample harbor, uint8 (height, width, 3), and its ships in pixels."""
    box = pixel_box(sample.bbox(), ZOOM)
    picture = np.zeros((box.height, box.width, 3), np.uint8)
    for x, y in tiles_of(box):
        png = sample.tile(ZOOM, x, y)
        if png is None:
            continue
        tile = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        left, top = x * TILE_PX - box.x0, y * TILE_PX - box.y0
        target = picture[max(top, 0) : top + TILE_PX, max(left, 0) : left + TILE_PX]
        target[:] = tile[max(-top, 0) :, max(-left, 0) :][: target.shape[0], : target.shape[1]]
    gsd_m = gsd_at(sample.bbox().center[1], ZOOM)
    ships = []
    for ship in sample.truth():
        x, y = lonlat_to_pixel((ship.lon, ship.lat), ZOOM) - (box.x0, box.y0)
        corners = rectangle(
            (float(x), float(y)), ship.length_m / gsd_m, ship.width_m / gsd_m, ship.heading_deg
        )
        along_first = np.roll(corners, -1, axis=0)
        ships.append(LabeledShip(along_first, True, along_first, ship.kind))
    return picture, ships


def halves(folder: Path) -> tuple[LabeledImage, LabeledImage]:
    """Write the west and the east of the harbor as images; ships on the cut become unknown."""
    picture, ships = harbor()
    gsd_m = gsd_at(sample.bbox().center[1], ZOOM)
    middle = picture.shape[1] // 2
    made = []
    for name, left, right in (("west", 0, middle), ("east", middle, picture.shape[1])):
        path = folder / f"{name}.png"
        cv2.imwrite(str(path), np.ascontiguousarray(picture[:, left:right, ::-1]))
        shift = np.array([left, 0.0])
        whole = [s for s in ships if _inside(s.corners, left, right)]
        on_cut = [s for s in ships if s not in whole and not _outside(s.corners, left, right)]
        made.append(
            LabeledImage(
                name=f"sample/{path.name}",
                path=path,
                gsd_m=(gsd_m, gsd_m),
                place=name,
                ships=tuple(
                    LabeledShip(s.corners - shift, True, s.corners - shift, s.kind) for s in whole
                ),
                unknown=tuple(s.corners - shift for s in on_cut),
                smallest_m=10.0,
            )
        )
    west, east = made
    return west, east


def _inside(corners: Floats, left: float, right: float) -> bool:
    return bool(corners[:, 0].min() >= left and corners[:, 0].max() <= right)


def _outside(corners: Floats, left: float, right: float) -> bool:
    return bool(corners[:, 0].max() < left or corners[:, 0].min() > right)


def stage(minutes: float, steps: int = 100_000) -> MapStage:
    """Return a map stage with small canvases of the sample."""
    schedule = Schedule(
        steps=steps, minutes=minutes, lr=3e-3, warmup=0.1, clip=5.0, ema=0.95, save_every_s=1e9
    )
    shares = {"sample": 1.0}
    return MapStage(
        schedule=schedule, frozen_stages=0, head_boost=1.0, canvas_px=256, large=2, mosaics=2,
        windows=2, large_shares=shares, small_shares=shares,
    )  # fmt: skip


def tiny() -> TwoAnswers:
    """Return a network with both outputs that is small enough to learn in seconds."""
    return TwoAnswers(ARCHITECTURE, **OPTIONS)


def as_classifier(model: TwoAnswers) -> TorchClassifier:
    """Wrap a trained network for the detector, with the center's logit as the score."""
    config = ClassifierConfig.model_validate(
        {
            "architecture": ARCHITECTURE,
            "num_classes": 2,
            "num_features": model.net.num_features,
            "model_args": {"output_stride": CELL_PX},
            "pretrained_cfg": {
                "input_size": (3, WINDOW_PX, WINDOW_PX),
                "mean": IMAGENET_MEAN,
                "std": IMAGENET_STD,
            },
            "shipdet": {
                "format": 1,
                "task": "ship-classification",
                "window_m": WINDOW_M,
                "window_px": WINDOW_PX,
                "pool_cells": POOL_CELLS,
                "gsd_max_m": 10.0,
                "sha256": "0" * 64,
                "map": {"sha256": "0" * 64, "judge": PLAIN_JUDGE},
            },
        }
    )
    net, head = copy.deepcopy(model.net).eval(), copy.deepcopy(model.head).eval()
    return TorchClassifier(config, lambda: net, "cpu", "fp32", build_map=lambda _net: head)


def precision_on(image: LabeledImage, model: TwoAnswers) -> float:
    """Return the average precision on a labeled image, for ships of at least 25 m."""
    found = surveyed(image, as_classifier(model))
    return average_precision(pool([found], [found.scores]))


def learn(folder: Path, minutes: float, steps: int = 100_000) -> tuple[float, float]:
    """Train on the west; return the average precision on the east before and after."""
    west, east = halves(folder)
    torch.manual_seed(0)
    model = tiny().to(memory_format=torch.channels_last)
    before = precision_on(east, model)
    plan = stage(minutes, steps)
    sampler = Sampler([west], plan, seed=0)
    average = fit(
        model, loss_of, sampler.batches(), plan.schedule, folder / "run", None, groups(model, plan)
    )
    model.load_state_dict(average)
    return before, precision_on(east, model)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--minutes", type=float, default=10.0, help="time limit, in minutes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before, after = learn(Path(folder), arguments.minutes, arguments.steps)
    print(f"average precision on unseen ships: {before:.3f} untrained, {after:.3f} trained")
    if after < max(ENOUGH, 2 * before):
        raise SystemExit(
            f"training failed: the average precision must reach {ENOUGH} and twice the untrained"
        )


if __name__ == "__main__":
    main()
