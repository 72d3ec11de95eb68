"""``python -m export.checkpoint IN OUT``: convert a checkpoint to a model folder.

IN is a .pth file (read with ``weights_only``, so that code in it does not run) or an ncnn .param
file with its .bin file beside it. Real-ESRGAN networks are recognized by their tensors. A
classifier needs config.json beside IN, and map_head.safetensors if that describes a map head.
"""

import argparse
import json
import pickle
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from export import ncnn
from export.command import run, write_config
from shipdet.errors import BadModel
from shipdet.models.config import ClassifierConfig, parse_config
from shipdet.models.hub import MAP_WEIGHTS, WEIGHTS, file_sha256
from shipdet.models.networks import build, build_map_head, load_weights

State = dict[str, Tensor]


def convert(source: Path, target: Path) -> Path:
    """Write a model folder from a checkpoint, after loading its weights strictly.

    Args:
        source: The checkpoint, .pth or .param.
        target: The model folder. If the checkpoint is rejected, an existing model in it is kept.

    Returns:
        ``target``.

    Raises:
        BadModel: The file is not a checkpoint of a supported network.

    Example:
        >>> convert(Path("RealESRGAN_x4plus.pth"), Path("weights/my-upscaler"))
    """
    state: State
    if source.suffix == ".param":
        layers = ncnn.read(source, source.with_suffix(".bin"))
        raw, state = _from_ncnn(layers, source)
    else:
        state = _from_pickle(source)
        raw = _raw_config(state, source)
    block, head = raw["shipdet"], source.parent / MAP_WEIGHTS
    has_map = block.get("map") is not None
    if has_map and not head.is_file():
        raise BadModel(
            f"The config.json beside {source} describes a map head: put {MAP_WEIGHTS} beside it."
        )
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target, prefix=".draft-") as draft:
        weights, map_weights = Path(draft) / WEIGHTS, Path(draft) / MAP_WEIGHTS
        save_file({name: value.contiguous() for name, value in state.items()}, weights)
        block["sha256"] = file_sha256(weights)
        for graphs in ("onnx", "int8"):  # entries of a copied config.json are for other weights
            block.pop(graphs, None)
        if has_map:
            shutil.copyfile(head, map_weights)
            block["map"]["sha256"] = file_sha256(map_weights)
        config = parse_config(json.dumps(raw), str(target))
        net = load_weights(build(config), weights)
        if has_map:
            assert isinstance(config, ClassifierConfig)
            load_weights(build_map_head(config, net), map_weights)
        # Only after the strict load, so that a rejected checkpoint keeps the existing model.
        for file in (weights, map_weights) if has_map else (weights,):
            file.replace(target / file.name)
    write_config(target, raw)
    return target


def _from_pickle(source: Path) -> State:
    """Read the weights of a .pth file, preferably the averaged ones."""
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadModel(f"{source} does not exist.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError):
        raise BadModel(
            f"{source} is not a checkpoint, or contains more than tensors, which is never loaded."
        ) from None
    for key in ("params_ema", "params", "state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise BadModel(f"{source} is not a checkpoint of a network.")
    return content


def _raw_config(state: State, source: Path) -> dict[str, Any]:
    """Derive config.json from the tensors, or read the file beside the checkpoint."""
    if "conv_first.weight" in state and "body.0.rdb1.conv1.weight" in state:
        first = state["conv_first.weight"]
        if first.shape[1] != 3:
            raise BadModel(f"{source} does not enlarge x4: only x4 models are supported.")
        params: dict[str, Any] = {
            "num_feat": first.shape[0],
            "num_block": _count(state, r"body\.(\d+)\.rdb1\.conv1\.weight"),
            "num_grow_ch": state["body.0.rdb1.conv1.weight"].shape[0],
        }
        return _upscaler("RRDBNet", params)
    if "body.0.weight" in state and state["body.0.weight"].ndim == 4:
        if "body.1.weight" not in state:
            raise BadModel(f"{source} has activations without weights: only PReLU is supported.")
        params = {
            "num_feat": state["body.0.weight"].shape[0],
            # num_conv excludes the first and last convolution; PReLU follows all but the last.
            "num_conv": (_count(state, r"body\.(\d+)\.weight") - 3) // 2,
            "act_type": "prelu",
        }
        return _upscaler("SRVGGNetCompact", params)
    beside = source.parent / "config.json"
    if not beside.is_file():
        raise BadModel(
            f"{source} is not a Real-ESRGAN model: put the model's config.json beside it."
        )
    raw: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
    parse_config(json.dumps(raw), str(beside))
    return raw


def _count(state: State, pattern: str) -> int:
    """Return one more than the largest index in the names that match."""
    return 1 + max(int(m[1]) for name in state if (m := re.fullmatch(pattern, name)))


def _upscaler(architecture: str, params: dict[str, Any]) -> dict[str, Any]:
    block = {"format": 1, "task": "super-resolution", "scale": 4}
    channels = {"num_in_ch": 3, "num_out_ch": 3}
    return {
        "architecture": architecture,
        "shipdet": {**block, "params": channels | params, "sha256": "0" * 64},
    }


def _from_ncnn(layers: list[ncnn.Layer], source: Path) -> tuple[dict[str, Any], State]:
    """Assign the tensors of an ncnn model, in order, to the names of the network that fits them."""
    convolutions = [layer for layer in layers if layer.kind == "Convolution"]
    if len(convolutions) < 3:
        raise BadModel(f"{source} is not a Real-ESRGAN network.")
    feat = convolutions[0].weight.shape[0]
    if len(convolutions) != len(layers):
        count = len(convolutions) - 2
        params = {"num_feat": feat, "num_conv": count, "act_type": "prelu"}
        raw = _upscaler("SRVGGNetCompact", params)
    else:
        # conv_first, 15 in each block, conv_body, conv_up1, conv_up2, conv_hr, conv_last
        params = {
            "num_feat": feat,
            "num_block": (len(convolutions) - 6) // 15,
            "num_grow_ch": convolutions[1].weight.shape[0],
        }
        raw = _upscaler("RRDBNet", params)
    numbers = [n for layer in layers for n in (layer.weight, layer.bias) if n is not None]
    expected = build(parse_config(json.dumps(raw), str(source))).state_dict()
    if [tuple(v.shape) for v in expected.values()] != [n.shape for n in numbers]:
        raise BadModel(f"{source} is not a Real-ESRGAN network: its layers differ.")
    tensors = (torch.from_numpy(n.copy()) for n in numbers)
    return raw, dict(zip(expected, tensors, strict=True))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m export.checkpoint", description=__doc__)
    parser.add_argument("source", type=Path, metavar="IN", help=".pth, or .param with .bin")
    parser.add_argument("target", type=Path, metavar="OUT", help="the model folder to write")
    arguments = parser.parse_args()
    folder = convert(arguments.source, arguments.target)
    print(f"Wrote {folder}. Describe the model in {folder / 'README.md'}.")


if __name__ == "__main__":
    run(main)
