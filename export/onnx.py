"""``python -m export.onnx weights/MODEL``: export a model to ONNX and compare it with PyTorch.

Writes onnx/model.onnx and onnx/model_fp16.onnx (shipdet.models.onnx_graph describes the graphs),
and adds their checksums and differences to config.json, without which the runtime does not use
them. The comparison uses generated images, real images (``--image``), and the ships that a
classifier finds in whole images (``--scene FILE GSD_M``). If a difference exceeds its tolerance,
the command fails without changing the folder.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from export.command import run, write_config
from export.parity import compare, excess
from shipdet.errors import BadImage, BadModel, BadOption
from shipdet.imagery import open_raster
from shipdet.models.graph_format import FILES, GRAPH, OPSET, Format
from shipdet.models.hub import MAP_WEIGHTS, WEIGHTS, ModelFolder, file_sha256, resolve
from shipdet.models.onnx_graph import write_graph
from shipdet.mosaic import Mosaic
from shipdet.settings import get_settings


def export(
    folder: ModelFolder,
    pictures: Sequence[Path],
    formats: Sequence[Format],
    scenes: Sequence[Mosaic] = (),
) -> dict[str, dict[str, Any]]:
    """Export a model to ONNX, compare it with PyTorch, and add the files to its folder.

    Args:
        folder: The model, to whose folder the files are added.
        pictures: Real images, whose centers are compared in addition to generated images.
        formats: Number formats to export.
        scenes: Images that are searched whole with both backends.

    Returns:
        For each file, its entry in config.json: sha256, opset and differences.

    Raises:
        BadModel: A difference exceeds its tolerance.
    """
    # The draft is on the same file system, so that moving a file is atomic.
    with tempfile.TemporaryDirectory(prefix=".onnx-", dir=folder.path.parent) as place:
        draft = replace(folder, path=Path(place))
        shutil.copy2(folder.weights, draft.path / WEIGHTS)
        if folder.map_weights is not None:
            shutil.copy2(folder.map_weights, draft.path / MAP_WEIGHTS)
        raw = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
        entries = raw["shipdet"].setdefault("onnx", {})
        for precision in formats:
            entries[FILES[precision]] = _written(draft, raw, precision, pictures, scenes)
        (folder.path / "onnx").mkdir(exist_ok=True)
        for precision in formats:
            os.replace(draft.path / FILES[precision], folder.path / FILES[precision])
        write_config(draft.path, raw)
        os.replace(draft.path / "config.json", folder.path / "config.json")
    return {FILES[precision]: entries[FILES[precision]] for precision in formats}


def _written(
    draft: ModelFolder,
    raw: dict[str, Any],
    precision: Format,
    pictures: Sequence[Path],
    scenes: Sequence[Mosaic],
) -> dict[str, Any]:
    """Write and compare one file; return its entry for config.json."""
    name = FILES[precision]
    write_graph(draft.config, draft.weights, draft.path / name, precision, draft.map_weights)
    entry: dict[str, Any] = {
        "sha256": file_sha256(draft.path / name),
        "weights_sha256": draft.sha256,
        "map_sha256": draft.map_sha256,
        "graph": GRAPH,
        "opset": OPSET,
    }
    # With its entry in config.json the draft is a complete model folder: the comparison loads it in
    # the same way as the runtime.
    raw["shipdet"]["onnx"][name] = entry
    write_config(draft.path, raw)
    vouched = resolve(str(draft.path), get_settings())
    difference = compare(vouched, precision, pictures, scenes)
    figures = ", ".join(f"{key} {value:.3g}" for key, value in difference.items())
    print(f"{name}: {figures}")
    if wrong := excess(difference, precision):
        raise BadModel(f"{name} differs too much from PyTorch ({', '.join(wrong)}): {figures}.")
    return {**entry, "difference": difference}


def read_scene(path: str, gsd_m: str) -> Mosaic:
    """Read a whole image.

    Args:
        path: Image file.
        gsd_m: Meters per pixel, as text.

    Raises:
        BadImage: The image cannot be read, or is too large for memory.
        BadOption: The scale is not a number, or out of range.
    """
    try:
        scale = float(gsd_m)
    except ValueError:
        raise BadOption(f"'{gsd_m}' is not a number of meters per pixel.") from None
    scene = open_raster(path, scale)
    if not isinstance(scene, Mosaic):
        raise BadImage(f"{path} is too large to be read whole: cut it into smaller images.")
    return scene


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m export.onnx", description=__doc__)
    parser.add_argument("model", help="a model folder, e.g. weights/shipdet-pico")
    parser.add_argument("--image", type=Path, action="append", help="real image to compare on")
    parser.add_argument("--scene", nargs=2, metavar=("FILE", "GSD_M"), action="append",
                        help="image of GSD_M meters per pixel to compare ships in")  # fmt: skip
    parser.add_argument("--format", choices=get_args(Format), action="append")
    arguments = parser.parse_args()
    folder = resolve(arguments.model, get_settings())
    scenes = [read_scene(*scene) for scene in arguments.scene or ()]
    if scenes and folder.task != "ship-classification":
        raise BadOption(f"{folder.name} finds no ships: omit --scene.")
    export(folder, arguments.image or (), arguments.format or get_args(Format), scenes)


if __name__ == "__main__":
    run(main)
