"""Does training work at all? A tiny network, drawn ships, two minutes on two cores.

    python -m training.smoke

Trains on plain windows with a drawn ship in their middle, off their middle, or none, and asserts
that windows it has not seen are told apart clearly better than by chance.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from numpy.typing import NDArray

from training.canvases import as_tensor
from training.compose import paste
from training.config import WindowStage
from training.engine import Batch, Schedule, fit
from training.models import Student
from training.synthetic import draw_sea, draw_ship
from training.train import plain_loss
from training.windows import NET_GSD_M, WINDOW_PX, Placed, label_window

STEPS = 400
BATCH = 16
ENOUGH = 0.80
"""Accuracy asked of unseen windows, half of which are ships: chance is 0.5."""


def draw_window(rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
    """A window at the network's scale and its label."""
    picture = draw_sea(WINDOW_PX, rng)
    if rng.random() < 0.25:
        return picture, 0
    cutout = draw_ship(rng)
    length = rng.uniform(90, 200) / NET_GSD_M
    centre = WINDOW_PX / 2 + rng.normal(0, 4, 2)
    if rng.random() < 0.33:  # a ship that is only partly in the window
        centre = centre + rng.choice([-1, 1], 2) * rng.uniform(80, 110, 2)
    angle = float(rng.uniform(0, 2 * np.pi))
    width = length * cutout.width / cutout.length
    ship = Placed(float(centre[0]), float(centre[1]), length, width, angle)
    paste(picture, cutout, ship, rng)
    return picture, label_window([ship])


def batches(rng: np.random.Generator) -> Iterator[Batch]:
    """Endless batches of drawn windows."""
    while True:
        drawn = [draw_window(rng) for _ in range(BATCH)]
        yield {
            "windows": as_tensor([picture for picture, _ in drawn]),
            "window_labels": torch.tensor([label for _, label in drawn]),
        }


def tiny(output_stride: int = 32) -> Student:
    """A ConvNeXt of 0.2 million parameters."""
    net = timm.create_model(
        "convnext_atto",
        num_classes=2,
        output_stride=output_stride,
        dims=(16, 32, 48, 64),
        depths=(1, 1, 2, 1),
        ls_init_value=0.1,
    )
    return Student(net)


def smoke(steps: int = STEPS) -> float:
    """Accuracy on unseen windows after so many steps."""
    torch.manual_seed(0)
    schedule = Schedule(steps=steps, lr=1e-3, ema=0.9)  # at 3e-3 not on every machine
    stage = WindowStage(kind="windows", schedule=schedule, sources=(), loss="balanced")
    model = tiny()
    with tempfile.TemporaryDirectory() as folder:
        state = fit(
            model,
            partial(plain_loss, stage),
            batches(np.random.default_rng(0)),
            schedule,
            Path(folder) / "smoke",
        )
    model.load_state_dict(state)
    model.eval()
    unseen = batches(np.random.default_rng(1))
    right: list[float] = []
    with torch.no_grad():
        for _ in range(16):
            batch = next(unseen)
            known = batch["window_labels"] >= 0
            guess = model(batch["windows"]).argmax(1)
            right += (guess == batch["window_labels"])[known].float().tolist()
    return float(np.mean(right))


def main() -> None:
    torch.set_num_threads(2)
    accuracy = smoke()
    print(f"accuracy on unseen windows: {accuracy:.3f} (asked: {ENOUGH})")
    sys.exit(accuracy < ENOUGH)


if __name__ == "__main__":
    main()
