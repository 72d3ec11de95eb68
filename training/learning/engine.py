"""The training loop of all stages: schedule, moving average, checkpoints, CSV log."""

from __future__ import annotations

import csv
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from shipdet.models.processors import pick_precision
from training.recipe import Schedule

Batch = dict[str, Tensor]
LossFn = Callable[[nn.Module, Batch], tuple[Tensor, dict[str, float]]]
Keep = Callable[[dict[str, Tensor]], dict[str, float]]
"""Called with the averaged weights at every checkpoint; returns figures to log, or {}."""


def use_threads(count: int) -> None:
    """Set the number of threads of PyTorch, all of which round denormal numbers to zero.

    The gradients of clearly empty cells are denormal, and make a step take more than twice as long.
    Threads inherit the mode when they start, so this must precede the first parallel operation.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(count)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return two parameter groups, with weight decay only for matrices and kernels."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


class _Endless(IterableDataset[Batch]):
    """Wraps an iterator of batches for the worker of a `DataLoader`."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return self.batches


def made_ahead(batches: Iterator[Batch], depth: int = 4) -> DataLoader[Batch]:
    """Prefetch up to ``depth`` batches in another process.

    The process is forked, so that the iterator does not need to be picklable. OpenCV's threads do
    not survive a fork, so they are disabled first.
    """
    cv2.setNumThreads(1)
    return DataLoader(
        _Endless(batches),
        batch_size=None,
        num_workers=1,
        prefetch_factor=depth,
        multiprocessing_context="fork",
    )


class CsvLog:
    """Appends rows to a CSV file; a resumed run continues the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, row: dict[str, float]) -> None:
        names = list(row)
        if self.path.exists():
            with self.path.open(newline="") as handle:
                names = next(csv.reader(handle))
        with self.path.open("a", newline="") as handle:
            writer = csv.DictWriter(handle, fieldnames=names, extrasaction="ignore")
            if handle.tell() == 0:
                writer.writeheader()
            writer.writerow(row)


def fit(
    model: nn.Module,
    loss_fn: LossFn,
    batches: Iterator[Batch],
    schedule: Schedule,
    out: Path,
    on_save: Keep | None = None,
    groups: list[dict[str, Any]] | None = None,
) -> dict[str, Tensor]:
    """Train a model and return its averaged weights.

    Args:
        model: Model, trained in place.
        loss_fn: Maps (model, batch) to (scalar loss, figures to log).
        batches: Endless iterator, consumed by another process.
        schedule: Length and learning rate.
        out: Folder of `log.csv` and of `checkpoint.pt`, from which training resumes if it exists.
        on_save: Called at every checkpoint.
        groups: Parameter groups; those of `parameter_groups` if None. The `lr_scale` of a group
            multiplies its learning rate.

    Returns:
        The state dict of the moving average.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(
        groups or parameter_groups(model, schedule.weight_decay), lr=schedule.lr, weight_decay=1e-4
    )
    scheduler = schedule.scheduler(optimizer)
    # The decay is min((step - 1) / (step + 9), schedule.ema), so early weights are forgotten.
    average = ModelEmaV3(
        model, decay=schedule.ema, use_warmup=True, warmup_gamma=10, warmup_power=1
    )
    first, spent_s = 0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        average.module.load_state_dict(saved["average"])
        first, spent_s = saved["step"], saved["spent_s"]
    half = schedule.bf16 and pick_precision("cuda" if device.type == "cuda" else "cpu") != "fp32"
    log = CsvLog(out / "log.csv")
    began = last_save = time.monotonic()
    running: dict[str, float] = {}

    def save(step: int, progress: float) -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        elapsed = spent_s + time.monotonic() - began
        partial = checkpoint.with_suffix(".part")
        averaged = average.module.state_dict()
        torch.save({**state, "average": averaged, "step": step, "spent_s": elapsed}, partial)
        partial.replace(checkpoint)
        figures = on_save(averaged) if on_save else {}
        log.add({"step": step, "minutes": elapsed / 60, "progress": progress, **running, **figures})

    model.train()
    bar = tqdm(total=schedule.steps, initial=first, desc=out.name, mininterval=10)
    for step, batch in zip(itertools.count(first), made_ahead(batches), strict=False):
        progress = schedule.progress(step, spent_s + time.monotonic() - began)
        if progress >= 1.0:
            save(step, progress)
            break
        scheduler.step(progress)
        batch = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss, figures = loss_fn(model, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimizer.step()
        average.update(model, step + 1)
        for name, value in {"loss": float(loss.detach()), **figures}.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        bar.update()
        if step % 20 == 0:
            bar.set_postfix({k: f"{v:.3f}" for k, v in running.items()}, refresh=False)
        if time.monotonic() - last_save > schedule.save_every_s:
            save(step + 1, progress)
            last_save = time.monotonic()
    bar.close()
    return dict(average.module.state_dict())
