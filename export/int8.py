"""``python -m export.int8 weights/MODEL --labels FILE``: an 8-bit graph, judged before it stays.

NNCF measures the range of every layer's values on canvases of real pictures (``--images``, by
default those of the labels) and makes a graph for OpenVINO whose backbone multiplies in 8 bits; see
:data:`MULTIPLICATIONS`. Both graphs then search the labeled pictures. Where F1 is
lower by more than 0.3 points nothing is written; else openvino/int8.xml and .bin come into the
folder and config.json vouches for them, without which the runtime does not use them.

A model that was trained on the labeled pictures judges itself too well. ``--held-out MODEL`` names
one that has not seen them: it is made and judged in the same way, and decides.
Needs the package nncf. Labels: see export.labeled_pictures.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from export.command import run, write_config
from export.labeled_pictures import LabeledPicture, Tally, read_labels, tallied
from shipdet.detect.view import NetworkView
from shipdet.errors import BadModel, BadOption
from shipdet.extras import require
from shipdet.models.config import ClassifierConfig
from shipdet.models.graph_format import INT8_FILES
from shipdet.models.graphs import graph_file
from shipdet.models.hub import MAP_WEIGHTS, WEIGHTS, ModelFolder, file_sha256, resolve
from shipdet.models.openvino_runtime import open_classifier
from shipdet.models.runtime import Pixels
from shipdet.settings import get_settings

#: F1 may fall by this much.
MOST_LOST = 0.003
#: Canvases on which ranges are measured, and their side in network pixels.
CANVASES, CANVAS_PX = 96, 256
#: What runs in 8 bits: convolutions and matrix products of the backbone, whose names begin so. The
#: first layer, whose input is pixels, the map head and the margins are most of the error and little
#: of the time, and so are sums and layer norms; see docs/experiments.md.
MULTIPLICATIONS = ("Convolution", "GroupConvolution", "MatMul")
IN_8_BITS = "/stages."


def export(
    folder: ModelFolder,
    canvases: Sequence[Pixels],
    labeled: Sequence[LabeledPicture],
    held_out: ModelFolder | None = None,
) -> dict[str, float]:
    """Write, judge and enter a classifier's 8-bit graph.

    Args:
        folder: the model; its folder is written to.
        canvases: uint8 (1, h, w, 3), of real pictures at the network's scale.
        labeled: searched with both graphs.
        held_out: judged instead of the model itself.

    Returns:
        ``f1`` and ``f1_fp32``, ``ships``, and ``bytes`` of the graph.

    Raises:
        BadModel: the model has no map head, or finds too little in 8 bits.
    """
    # Beside the folder: moving within a disk cannot fail halfway.
    with tempfile.TemporaryDirectory(prefix=".int8-", dir=folder.path.parent) as place:
        draft = _draft(folder, canvases, Path(place, "model"))
        judged = folder if held_out is None else held_out
        other = draft if held_out is None else _draft(held_out, canvases, Path(place, "held_out"))
        full, short = (
            _tallied(which, labeled, precision)
            for which, precision in ((judged, "fp32"), (other, "int8"))
        )
        difference = {
            "f1_fp32": full.f1,
            "f1": short.f1,
            "ships": float(full.ships),
            "bytes": float(sum((draft.path / name).stat().st_size for name in INT8_FILES)),
        }
        print(f"float32: {full}\nint8: {short}")
        if not short.f1 >= full.f1 - MOST_LOST:
            raise BadModel(
                f"In 8 bits {judged.name} has an F1 of {short.f1:.3f} instead of {full.f1:.3f}: "
                "nothing was written."
            )
        raw = json.loads((draft.path / "config.json").read_text(encoding="utf-8"))
        raw["shipdet"]["int8"]["difference"] = difference
        write_config(draft.path, raw)
        for name in (*INT8_FILES, "config.json"):
            (folder.path / name).parent.mkdir(exist_ok=True)
            os.replace(draft.path / name, folder.path / name)
    return difference


def _draft(folder: ModelFolder, canvases: Sequence[Pixels], place: Path) -> ModelFolder:
    """A copy of a model with its 8-bit graph: what is judged is what will run."""
    config = folder.config
    if not isinstance(config, ClassifierConfig) or config.shipdet.map is None:
        raise BadModel(f"{folder.name} does not search pictures: only such models run in int8.")
    place.mkdir()
    for name in (WEIGHTS, MAP_WEIGHTS):
        shutil.copy2(folder.path / name, place / name)
    quantize(graph_file(folder, "fp32", get_settings()), canvases, place / INT8_FILES[0])
    raw: dict[str, Any] = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    raw["shipdet"]["int8"] = {
        "sha256": {name: file_sha256(place / name) for name in INT8_FILES},
        "weights_sha256": [folder.sha256, config.shipdet.map.sha256],
    }
    write_config(place, raw)
    return replace(resolve(str(place), get_settings()), name=folder.name)


def quantize(graph: Path, canvases: Sequence[Pixels], target: Path) -> None:
    """Write the 8-bit form of an ONNX graph as ``target`` (.xml) and the .bin beside it.

    Raises:
        MissingExtra: NNCF is not installed.
    """
    require("nncf", extra="training")
    import nncf
    import openvino as ov

    target.parent.mkdir(parents=True, exist_ok=True)
    full = ov.Core().read_model(str(graph))
    model = nncf.quantize(
        full,
        nncf.Dataset(list(canvases)),
        subset_size=len(canvases),
        # Activations of this network are not symmetric: GELU hardly goes below zero.
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=_kept(full), validate=False),
    )
    ov.save_model(model, str(target), compress_to_fp16=False)


def _kept(model: Any) -> list[str]:
    """Names of the operations that stay in float32."""
    return [
        operation.get_friendly_name()
        for operation in model.get_ordered_ops()
        if operation.get_type_name() not in MULTIPLICATIONS
        or not operation.get_friendly_name().startswith(IN_8_BITS)
    ]


def _tallied(folder: ModelFolder, labeled: Sequence[LabeledPicture], precision: Any) -> Tally:
    assert isinstance(folder.config, ClassifierConfig)
    settings = get_settings()
    return tallied(labeled, open_classifier(folder, folder.config, "cpu", settings, precision))


def canvases_of(pictures: Sequence[LabeledPicture], config: ClassifierConfig) -> list[Pixels]:
    """Canvases of pictures in turn, one around a ship, the next one anywhere.

    Raises:
        BadImage: a picture cannot be read.
    """
    random = np.random.default_rng(0)
    order = random.permutation(len(pictures))[:CANVASES]
    return [
        _canvas(pictures[which], config.gsd_m, random, around_ship=number % 2 == 0)
        for number, which in enumerate(order)
    ]


def _canvas(
    picture: LabeledPicture, gsd_m: float, random: np.random.Generator, around_ship: bool
) -> Pixels:
    view = NetworkView(picture.read(), gsd_m)
    place = random.random(2) * (view.width, view.height)
    if around_ship and picture.corners:
        ship = picture.corners[random.integers(len(picture.corners))]
        place = view.from_mosaic(ship.mean(axis=0))[0]
    left, top = (int(middle) - CANVAS_PX // 2 for middle in place)
    pixels, _ = view.cut(left, top, CANVAS_PX, CANVAS_PX)
    return np.ascontiguousarray(pixels)[None]


def main() -> None:
    """Read the command line, make the graph and judge it."""
    parser = argparse.ArgumentParser(
        prog="python -m export.int8",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a model folder, e.g. weights/shipdet-pico")
    parser.add_argument("--labels", type=Path, action="append", required=True, metavar="FILE",
                        help="labels of pictures to judge by")  # fmt: skip
    parser.add_argument("--images", type=Path, action="append", metavar="FILE",
                        help="labels of the pictures whose canvases are measured")  # fmt: skip
    parser.add_argument("--held-out", metavar="MODEL", help="has not seen the labeled pictures")
    arguments = parser.parse_args()
    settings = get_settings()
    folder = resolve(arguments.model, settings)
    held_out = resolve(arguments.held_out, settings) if arguments.held_out else None
    labeled = _some(read_labels(arguments.labels))
    measured = _some(read_labels(arguments.images)) if arguments.images else labeled
    if not isinstance(folder.config, ClassifierConfig):
        raise BadModel(f"{folder.name} finds no ships: only ship models run in int8.")
    export(folder, canvases_of(measured, folder.config), labeled, held_out)


def _some(pictures: Iterable[LabeledPicture]) -> list[LabeledPicture]:
    found = list(pictures)
    if not found:
        raise BadOption("The labels name no pictures.")
    return found


if __name__ == "__main__":
    run(main)
