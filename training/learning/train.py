"""Train both answers of one network: windows and the map.

    python -m training.learning.train --init weights/shipdet-pico --out runs/train/all --minutes 60
    python -m training.learning.train --init training/folds/shipdet-pico/b --fold 0 \
        --out runs/train/fold0 --minutes 60
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shipdet.models.map_head import MapHead, use_phased_convolutions
from training.canvases.sampling import Sampler, read_hard
from training.canvases.windows import EDGE_PX
from training.data.folds import seen_by
from training.data.labelled import everything
from training.learning.engine import Batch, Schedule, fit
from training.learning.loss import map_loss, rates, ship_margin, window_loss
from training.learning.networks import CELL_PX, Student

ARCHITECTURE = "convnext_pico_ols"
#: What the window answer counts beside the map.
WINDOW_WEIGHT, SINGLE_WEIGHT = 0.5, 0.2


class TwoAnswers(Student):
    """The classifier and, on its feature maps, the map head."""

    def __init__(self, architecture: str = ARCHITECTURE) -> None:
        net = timm.create_model(architecture, num_classes=2, output_stride=CELL_PX, conv_mlp=False)
        super().__init__(use_phased_convolutions(net))
        self.head = MapHead([info["num_chs"] for info in net.feature_info])

    def freeze(self, stages: int) -> None:
        """Keep the stem and the first stages as they are."""
        if stages:
            self.net.stem.requires_grad_(False)
        for stage in self.net.stages[:stages]:
            stage.requires_grad_(False)


def loss_of(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """The map's loss, that of the windows of canvases, and that of windows on their own."""
    maps = model.maps(batch["canvases"])
    loss, figures = map_loss(model.head(maps[:4]).float(), batch)
    labels = batch["windows"]
    edge = EDGE_PX // CELL_PX - 1  # positions too near to the canvas's edge are not asked
    margins = model.dense(maps[3])[:, edge:-edge, edge:-edge].float()
    windows = window_loss(margins, labels)
    single = ship_margin(model(batch["single"]).float())
    alone = window_loss(single, batch["single_labels"])
    figures |= {"windows": float(windows.detach()), "alone": float(alone.detach())}
    figures |= rates(margins, labels)
    return loss + WINDOW_WEIGHT * windows + SINGLE_WEIGHT * alone, figures


def groups(model: TwoAnswers, weight_decay: float, head_boost: float) -> list[dict[str, object]]:
    """Parameter groups: the head learns faster; norms, biases and scales do not decay."""
    result: list[dict[str, object]] = []
    for part, boost in ((model.net, 1.0), (model.head, head_boost)):
        trained = [p for p in part.parameters() if p.requires_grad]
        for matrix in (True, False):
            result.append(
                {
                    "params": [p for p in trained if (p.ndim > 1) == matrix],
                    "weight_decay": weight_decay if matrix else 0.0,
                    "boost": boost,
                }
            )
    return result


def load_state(model: TwoAnswers, folder: Path) -> None:
    """Fill a model from a folder: the classifier, and the map head where there is one."""
    _fill(model.net, load_file(folder / "model.safetensors"))
    if (folder / "map_head.safetensors").exists():
        _fill(model.head, load_file(folder / "map_head.safetensors"))


def _fill(module: nn.Module, state: dict[str, Tensor]) -> None:
    own = module.state_dict()
    # timm's 1x1 convolutions and linear layers hold the same numbers in other shapes.
    module.load_state_dict({k: v.reshape(own[k].shape) for k, v in state.items()}, strict=True)


def save_state(average: dict[str, Tensor], out: Path) -> None:
    """Write averaged weights as the two files of a model folder."""
    save_classifier({k[4:]: v for k, v in average.items() if k.startswith("net.")}, out)
    head = {k[5:]: v.contiguous() for k, v in average.items() if k.startswith("head.")}
    _write(head, out / "map_head.safetensors")


def save_classifier(state: dict[str, Tensor], out: Path) -> None:
    """Write a classifier's weights to model.safetensors, in the shapes of the unmodified timm."""
    reference = timm.create_model(ARCHITECTURE, num_classes=2).state_dict()
    shaped = {k: v.reshape(reference[k].shape).contiguous() for k, v in state.items()}
    _write(shaped, out / "model.safetensors")


def _write(state: dict[str, Tensor], file: Path) -> None:
    part = file.with_suffix(".part")
    save_file(state, part, metadata={"format": "pt"})
    part.replace(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--init", type=Path, required=True, help="model folder to begin with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, help="hold this fold's places out")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument("--head-boost", type=float, default=4.0)
    parser.add_argument("--frozen-stages", type=int, default=1)
    parser.add_argument("--hard", type=Path, help="mined hard negatives")
    parser.add_argument("--batch", type=int, nargs=2, default=(3, 3), help="large, mosaics")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = TwoAnswers()
    load_state(model, args.init)
    model.freeze(args.frozen_stages)
    model.to(memory_format=torch.channels_last)
    images = seen_by(everything(), args.fold)
    sampler = Sampler(images, args.seed + os.getpid(), read_hard(args.hard))
    schedule = Schedule(
        steps=args.steps, minutes=args.minutes, lr=args.lr, weight_decay=0.05, warmup=0.04,
        clip=5.0, ema=0.997, save_every_s=180,
    )  # fmt: skip

    def keep(average: dict[str, Tensor]) -> dict[str, float]:
        save_state(average, args.out)
        return {}

    average = fit(
        model, loss_of, sampler.batches(*args.batch, windows=6), schedule, args.out, keep,
        groups(model, 0.05, args.head_boost),
    )  # fmt: skip
    save_state(average, args.out)


if __name__ == "__main__":
    main()
