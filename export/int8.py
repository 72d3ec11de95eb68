"""``python -m export.int8 weights/MODEL --labels FILE``: quantize a model to 8 bits and verify it.

NNCF measures the range of each layer's activations on canvases of real images (``--images``, by
default those of the labels) and writes a graph for OpenVINO whose backbone multiplies in 8 bits
(see :data:`MULTIPLICATIONS`). The float and the 8-bit graph then search the labeled images. If F1
drops by more than 0.3 points, nothing is written. Otherwise openvino/int8.xml and .bin are added to
the folder, and their checksums to config.json, without which the runtime does not use them.

F1 on images that a model was trained on hides the loss. ``--held-out MODEL`` names a model that was
not trained on the labeled images; it is quantized in the same way and evaluated instead.

Requires the package nncf. For the format of the labels, see export.labeled_pictures.
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
from shipdet.mosaic import Pixels
from shipdet.settings import get_settings

#: Largest accepted loss of F1.
MOST_LOST = 0.003
#: Largest number of canvases on which ranges are measured, one per image, and their side in network
#: pixels.
CANVASES, CANVAS_PX = 96, 256
#: Operations that run in 8 bits: convolutions and matrix products of the backbone, whose names
#: start with IN_8_BITS. The first layer, the map head, the margins, sums and layer norms would
#: cause most of the error but take little of the time; see docs/experiments.md.
MULTIPLICATIONS = ("Convolution", "GroupConvolution", "MatMul")
IN_8_BITS = "/stages."


def export(
    folder: ModelFolder,
    canvases: Sequence[Pixels],
    labeled: Sequence[LabeledPicture],
    held_out: ModelFolder | None = None,
) -> dict[str, float]:
    """Quantize a classifier, verify the 8-bit graph, and add it to the model folder.

    Args:
        folder: The model, to whose folder the graph is added.
        canvases: uint8 (1, h, w, 3), crops of real images at the network's scale.
        labeled: Images that are searched with both graphs.
        held_out: Model that is evaluated instead of ``folder``.

    Returns:
        ``f1`` and ``f1_fp32``, the number of ``ships``, and the size of the graph in ``bytes``.

    Raises:
        BadModel: The model has no map head, or F1 drops by more than :data:`MOST_LOST`.
        MissingExtra: NNCF is not installed.
    """
    # The draft is on the same file system, so that moving a file is atomic.
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
                f"In 8 bits, F1 of {judged.name} drops from {full.f1:.3f} to {short.f1:.3f}: "
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
    """Copy a model and add its 8-bit graph, so that the verified files are the ones that run."""
    config = folder.config
    if not isinstance(config, ClassifierConfig) or config.shipdet.map is None:
        raise BadModel(f"{folder.name} has no map head, so it cannot run in 8 bits.")
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
    """Quantize an ONNX graph to ``target`` (.xml) and a .bin file beside it.

    Args:
        graph: The ONNX file.
        canvases: uint8 (1, h, w, 3), inputs on which ranges are measured.
        target: The .xml file to write.

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
        # Asymmetric activations: GELU is hardly negative.
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=_kept(full), validate=False),
    )
    ov.save_model(model, str(target), compress_to_fp16=False)


def _kept(model: Any) -> list[str]:
    """Return the names of the operations that stay in float32."""
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
    """Cut canvases from images, alternately around a ship and at random.

    Raises:
        BadImage: An image cannot be read.
    """
    random = np.random.default_rng(0)
    order = random.permutation(len(pictures))[:CANVASES]
    return [
        _canvas(pictures[which], config, random, around_ship=number % 2 == 0)
        for number, which in enumerate(order)
    ]


def _canvas(
    picture: LabeledPicture,
    config: ClassifierConfig,
    random: np.random.Generator,
    around_ship: bool,
) -> Pixels:
    raster = picture.read()
    view = NetworkView(raster, config.network_gsd_m(raster.grid.gsd_m))
    place = random.random(2) * (view.width, view.height)
    if around_ship and picture.corners:
        ship = picture.corners[random.integers(len(picture.corners))]
        place = view.from_mosaic(ship.mean(axis=0))[0]
    left, top = (int(middle) - CANVAS_PX // 2 for middle in place)
    pixels, _ = view.cut(left, top, CANVAS_PX, CANVAS_PX)
    return np.ascontiguousarray(pixels)[None]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.int8",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a model folder, e.g. weights/shipdet-pico")
    parser.add_argument("--labels", type=Path, action="append", required=True, metavar="FILE",
                        help="labels of the images to evaluate on")  # fmt: skip
    parser.add_argument("--images", type=Path, action="append", metavar="FILE",
                        help="labels of the images to measure ranges on")  # fmt: skip
    parser.add_argument("--held-out", metavar="MODEL",
                        help="evaluate this model, not trained on the labeled images")  # fmt: skip
    arguments = parser.parse_args()
    settings = get_settings()
    folder = resolve(arguments.model, settings)
    held_out = resolve(arguments.held_out, settings) if arguments.held_out else None
    labeled = _not_empty(read_labels(arguments.labels))
    measured = _not_empty(read_labels(arguments.images)) if arguments.images else labeled
    if not isinstance(folder.config, ClassifierConfig):
        raise BadModel(f"{folder.name} finds no ships: only ship models can run in 8 bits.")
    export(folder, canvases_of(measured, folder.config), labeled, held_out)


def _not_empty(pictures: Iterable[LabeledPicture]) -> list[LabeledPicture]:
    found = list(pictures)
    if not found:
        raise BadOption("The labels contain no images.")
    return found


if __name__ == "__main__":
    run(main)
