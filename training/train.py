"""Train a classifier, or the teacher it is distilled from, after a recipe.

    python -m training.train --config training/configs/shipdet_pico.yaml --stage teacher \
        --sharpened runs/train/sharpened.npz --out runs/train/teacher
    python -m training.train --config training/configs/shipdet_pico.yaml --stage dense \
        --init runs/train/backbone/pupil.pt --teacher training/weights/teacher.safetensors \
        --sharpened runs/train/sharpened.npz --out runs/train/dense
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from functools import partial
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from training.canvases import CanvasMaker
from training.config import (
    DenseStage,
    Recipe,
    SceneStage,
    TeacherStage,
    WindowStage,
    read_recipe,
)
from training.engine import Batch, Keep, LossFn, fit
from training.models import (
    ANSWER,
    CELL_PX,
    Pupil,
    Student,
    Teacher,
    build,
    imagenet_body,
    load_teacher,
    maps_loss,
    read_state,
)
from training.windows import EDGE_PX

RARE = 0.01
"""What a window without a ship adds to the number by which a focal sum is divided."""

PUPIL = "student.net."
"""How the names of a classifier's weights begin in a pupil's."""

Figures = dict[str, float]


def window_loss(margins: Tensor, labels: Tensor, stage: SceneStage) -> Tensor:
    """Loss of margins against labels of the same shape, of which those below 0 do not count.

    "weighted": cross-entropy, positives times `positive_weight`; for windows drawn evenly.
    "balanced": the mean over positives and the mean over negatives weigh the same; for canvases,
    on which one window in fifty is positive, while features are learnt: the quickest way to a
    lower focal loss is to say no everywhere, and the features of a small network collapse.
    "focal" (Lin et al. 2017): every window counts by how wrong it is; for precision, once there
    are features. The sum is divided by the number of positives plus a hundredth of all, so that
    canvases without ships still teach.
    """
    known = labels >= 0
    margin = margins[known]
    target = labels[known].to(margin.dtype)
    smooth = target * (1 - stage.smoothing) + (1 - target) * stage.smoothing / 10
    positives = target.sum()
    if stage.loss == "focal":
        return margin_loss(margin, smooth, positives, stage.focus)
    entropy = F.binary_cross_entropy_with_logits(margin, smooth, reduction="none")
    if stage.loss == "weighted":
        weight = 1 + (stage.positive_weight - 1) * target
        return (weight * entropy).sum() / max(1, len(target))
    weight = target / (positives + 1) + (1 - target) / (len(target) - positives + 1)
    return (weight * entropy).sum()


def rates(margins: Tensor, labels: Tensor) -> Figures:
    """Recall and false-alarm rate at equal odds, and the area under the ROC curve."""
    margin = margins.detach()
    ships, none = margin[labels == 1], margin[labels == 0]
    if not len(ships) or not len(none):
        return {}
    return {
        "recall": float((ships > 0).float().mean()),
        "false_rate": float((none > 0).float().mean()),
        "roc_area": float((ships[:, None] > none[None, :]).float().mean()),
    }


def margin_loss(margin: Tensor, target: Tensor, positives: Tensor, focus: float) -> Tensor:
    """Focal cross-entropy of margins (n,) with soft targets (n,); see `window_loss` for the sum."""
    entropy = F.binary_cross_entropy_with_logits(margin, target, reduction="none")
    missed = (torch.sigmoid(margin) - target).abs()
    return (missed**focus * entropy).sum() / (positives + RARE * len(target) + 1)


def ship_margin(logits: Tensor) -> Tensor:
    """Logit of ship minus that of no ship (n,), of two-class logits (n, 2)."""
    return logits[:, 1] - logits[:, 0]


def plain_loss(stage: WindowStage, model: nn.Module, batch: Batch) -> tuple[Tensor, Figures]:
    """Loss of plain windows."""
    margins = ship_margin(model(batch["windows"]).float())
    labels = batch["window_labels"]
    return window_loss(margins, labels, stage), rates(margins, labels)


def asked(margins: Tensor) -> Tensor:
    """Of the margins at all corners between cells, those that have a label."""
    off = EDGE_PX // CELL_PX - 1
    return margins[:, off:-off, off:-off] if off else margins


def teacher_loss(stage: TeacherStage, model: nn.Module, batch: Batch) -> tuple[Tensor, Figures]:
    """Loss of the teacher's answers on canvases."""
    margins = asked(model.dense(model.maps(batch["canvases"])[ANSWER])).float()
    labels = batch["canvas_labels"]
    return window_loss(margins, labels, stage), rates(margins, labels)


def dense_loss(
    stage: DenseStage, teacher: Teacher | None, model: nn.Module, batch: Batch
) -> tuple[Tensor, Figures]:
    """Loss of the windows of canvases, of plain windows, and of the teacher's maps.

    Where there is a label, the target lies between it and what the teacher says; where there is
    none, it is what the teacher says. Without a teacher, labels are all there is.
    """
    maps = model.student.maps(batch["canvases"])
    margins = asked(model.student.dense(maps[ANSWER])).float()
    labels = batch["canvas_labels"]
    plain = window_loss(
        ship_margin(model.student(batch["windows"]).float()), batch["window_labels"], stage
    )
    figures = {"plain_loss": float(plain.detach()), **rates(margins, labels)}
    if teacher is None:
        return window_loss(margins, labels, stage) + stage.plain_weight * plain, figures
    with torch.no_grad():
        theirs = teacher.maps(batch["canvases"])
        believed = torch.sigmoid(asked(teacher.dense(theirs[ANSWER])).float())
    truth = labels.to(believed.dtype)
    mixed = torch.lerp(truth, believed, stage.belief)
    target = torch.where(labels >= 0, mixed, believed).flatten()
    answers = margin_loss(margins.flatten(), target, target.sum(), stage.focus)
    likeness = maps_loss(model, maps, theirs)
    figures |= {"answer_loss": float(answers.detach()), "maps_loss": float(likeness.detach())}
    return answers + stage.maps_weight * likeness + stage.plain_weight * plain, figures


def new_student(recipe: Recipe) -> Student:
    """The classifier of a recipe, without weights."""
    return build(recipe.architecture, 2, output_stride=recipe.output_stride, **recipe.train_options)


def load_student(net: nn.Module, state: dict[str, Tensor]) -> None:
    """Fill a network with a shipped folder's or a stage's weights."""
    own = net.state_dict()
    state = {
        k: v.float().reshape(own[k].shape) if k in own and v.numel() == own[k].numel() else v
        for k, v in state.items()
    }
    net.load_state_dict(state)


def load_pupil(pupil: Pupil, state: dict[str, Tensor]) -> None:
    """Fill a pupil: all of it, or its student alone with what `load_student` takes."""
    if any(name.startswith("translate.") for name in state):
        pupil.load_state_dict(state)
    else:
        load_student(pupil.student.net, state)


def keep_student(out: Path, prefix: str = "net.") -> Keep:
    """What `fit` is to call at checkpoints: writes the classifier in a model, whose weights' names
    begin so, as weights.pt."""

    def keep(state: dict[str, Tensor]) -> Figures:
        net = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        torch.save(net, out / "weights.pt")
        return {}

    return keep


def keep_pupil(out: Path) -> Keep:
    """As `keep_student`; writes all of the pupil, too, as pupil.pt."""
    keep_net = keep_student(out, PUPIL)

    def keep(state: dict[str, Tensor]) -> Figures:
        torch.save(state, out / "pupil.pt")
        return keep_net(state)

    return keep


def train_teacher(
    recipe: Recipe,
    stage: TeacherStage,
    init: Path | None,
    mined: Path | None,
    sharpened: Path | None,
    out: Path,
) -> None:
    """Train the teacher, from ImageNet's weights unless there are later ones."""
    model = Teacher().to(memory_format=torch.channels_last)
    if init is not None:
        model.load_state_dict(read_state(init))
    else:
        model.body.load_state_dict(imagenet_body())
    body = list(model.body.parameters())
    mine = {id(p) for p in body}
    groups = [
        {"params": body, "boost": stage.body_lr},
        {"params": [p for p in model.parameters() if id(p) not in mine]},
    ]
    maker = CanvasMaker(stage, mined, recipe.seed, sharpened)

    def keep(state: dict[str, Tensor]) -> dict[str, float]:
        halves = {
            k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in state.items()
        }
        save_file(halves, out / "weights.safetensors")
        return {}

    fit(model, partial(teacher_loss, stage), maker.batches(), stage.schedule, out, keep, groups)


def train_stage(
    recipe: Recipe,
    stage: WindowStage | DenseStage,
    init: Path | None,
    mined: Path | None,
    sharpened: Path | None,
    taught: Path | None,
    out: Path,
    held_out: Collection[str] = (),
) -> Student:
    """Run one stage of a recipe, resuming what is in `out`; returns averaged weights.

    Args:
        taught: the teacher's weights, for a dense stage.
        held_out: names of scenes that are not to be shown.
    """
    torch.manual_seed(recipe.seed)
    student = new_student(recipe)
    maker = CanvasMaker(stage, mined, recipe.seed, sharpened, held_out)
    model: nn.Module = student
    loss: LossFn
    state = None if init is None else read_state(init)
    if isinstance(stage, DenseStage):
        pupil = Pupil(student)
        if state is not None:
            load_pupil(pupil, state)
        if stage.new_head:
            nn.init.trunc_normal_(student.net.head.fc.weight, std=0.02)
            student.net.head.fc.bias.data = torch.tensor([2.0, -2.0])
        teacher = None if taught is None else load_teacher(taught)
        model, loss, keep = pupil, partial(dense_loss, stage, teacher), keep_pupil(out)
    else:
        if state is not None:
            load_student(student.net, state)
        loss, keep = partial(plain_loss, stage), keep_student(out)
    model.to(memory_format=torch.channels_last)
    model.load_state_dict(fit(model, loss, maker.batches(), stage.schedule, out, keep))
    return student


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--stage", default="windows", help="a stage of the recipe")
    parser.add_argument("--init", type=Path, help="weights to begin with")
    parser.add_argument("--mined", type=Path, help="false alarms found by training.mine")
    parser.add_argument("--sharpened", type=Path, help="canvases made by training.sharpen")
    parser.add_argument("--teacher", type=Path, help="weights of the teacher of a dense stage")
    parser.add_argument("--hold-out", nargs="*", default=[], help="scenes not to be shown")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    torch.set_num_threads(recipe.threads)
    cv2.setNumThreads(1)  # pictures are made in a thread of their own beside the optimiser
    stage, init, out = recipe.stages[arguments.stage], arguments.init, arguments.out
    mined, sharpened = arguments.mined, arguments.sharpened
    if isinstance(stage, TeacherStage):
        train_teacher(recipe, stage, init, mined, sharpened, out)
    else:
        taught, held_out = arguments.teacher, arguments.hold_out
        train_stage(recipe, stage, init, mined, sharpened, taught, out, held_out)


if __name__ == "__main__":
    main()
