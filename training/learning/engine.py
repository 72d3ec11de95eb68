"""One training loop for every stage: schedule, moving average, checkpoints, CSV log."""

from __future__ import annotations

import contextlib
import csv
import itertools
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from shipdet.models.precision import pick_precision

Batch = dict[str, Tensor]
LossFn = Callable[[nn.Module, Batch], tuple[Tensor, dict[str, float]]]
Keep = Callable[[dict[str, Tensor]], dict[str, float]]
"""Takes averaged weights at every checkpoint; may return figures to log."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage learns.

    Attributes:
        steps: optimiser updates of the whole stage.
        minutes: time limit; the cosine is compressed so that it still ends at zero.
        lr: peak learning rate of AdamW, reached after `warmup` (a fraction of the stage).
        clip: largest norm of the gradient.
        ema: decay of the weights' moving average, per step.
        bf16: mixed precision, on machines that are faster in it.
    """

    steps: int
    minutes: float = math.inf
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    clip: float = 1.0
    ema: float = 0.998
    bf16: bool = False
    save_every_s: float = 120.0

    def progress(self, step: int, elapsed_s: float) -> float:
        """Part of the stage that is done, 0 to 1."""
        return min(1.0, max(step / self.steps, elapsed_s / (60 * self.minutes)))

    def rate(self, progress: float) -> float:
        """Learning rate: linear warm-up, then half a cosine down to zero."""
        if progress < self.warmup:
            return self.lr * (0.02 + 0.98 * progress / self.warmup)
        return (
            self.lr * 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))
        )


class MovingAverage:
    """Exponential moving average of a model's weights, with a decay that grows at the start."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay matrices and kernels; leave biases, norms and layer scales alone."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def prefetch(batches: Iterator[Batch], depth: int = 4) -> Generator[Batch, None, None]:
    """Make batches in a background thread (OpenCV and NumPy release the interpreter lock).

    Closing the generator ends the thread: one that still makes pictures while the interpreter
    shuts down takes the process with it.
    """
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def hand_over(item: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def fill() -> None:
        try:
            for batch in batches:
                hand_over(batch)
                if stopped.is_set():
                    return
            hand_over(None)
        except BaseException as error:  # handed to the consumer, which raises it
            hand_over(error)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


class CsvLog:
    """A table that grows by one row at a time and survives a restart."""

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
    """Train `model` and return the averaged weights.

    Args:
        loss_fn: (model, batch) -> (scalar loss, figures to log).
        batches: an endless iterator; it is consumed from a background thread.
        out: folder of `checkpoint.pt` (resumed from when it exists) and `log.csv`.
        groups: of parameters, as `parameter_groups` makes them when there are none; `boost`
            multiplies a group's learning rate.
        on_save: called at every checkpoint.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    device = next(model.parameters()).device
    optimiser = torch.optim.AdamW(
        groups or parameter_groups(model, schedule.weight_decay), lr=schedule.lr, weight_decay=1e-4
    )
    average = MovingAverage(model, schedule.ema)
    first, spent_s = 0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        average.state = saved["average"]
        first, spent_s = saved["step"], saved["spent_s"]
    half = schedule.bf16 and pick_precision("cuda" if device.type == "cuda" else "cpu") != "fp32"
    log = CsvLog(out / "log.csv")
    began = last_save = time.monotonic()
    running: dict[str, float] = {}

    def save(step: int, progress: float) -> None:
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
        elapsed = spent_s + time.monotonic() - began
        partial = checkpoint.with_suffix(".part")
        torch.save({**state, "average": average.state, "step": step, "spent_s": elapsed}, partial)
        partial.replace(checkpoint)
        figures = on_save(average.state) if on_save else {}
        log.add({"step": step, "minutes": elapsed / 60, "progress": progress, **running, **figures})

    model.train()
    bar = tqdm(total=schedule.steps, initial=first, desc=out.name, mininterval=10)
    made = prefetch(batches)
    for step, batch in zip(itertools.count(first), made, strict=False):
        progress = schedule.progress(step, spent_s + time.monotonic() - began)
        if progress >= 1.0:
            save(step, progress)
            break
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(progress) * group.get("boost", 1.0)
        batch = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss, figures = loss_fn(model, batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimiser.step()
        average.update(model, step)
        for name, value in {"loss": float(loss.detach()), **figures}.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        bar.update()
        if step % 20 == 0:
            bar.set_postfix({k: f"{v:.3f}" for k, v in running.items()}, refresh=False)
        if time.monotonic() - last_save > schedule.save_every_s:
            save(step + 1, progress)
            last_save = time.monotonic()
    bar.close()
    made.close()
    return average.state
