"""Read Real-ESRGAN models in ncnn format: a .param file (layers) and a .bin file (weights).

Only convolutions and PReLU layers have weights in these networks. They are stored in order of
execution, which is also the order of the PyTorch state dict, so they are matched by order and by
shape. Format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shipdet.errors import BadModel

_MAGIC = "7767517"
_FLOAT16 = 0x01306B47
_FLOAT32 = 0

Array = npt.NDArray[np.floating]


class Layer(NamedTuple):
    """A layer with weights.

    Attributes:
        kind: "Convolution" or "PReLU".
        weight: (outputs, inputs, k, k) of a convolution, or slopes (outputs,) of PReLU.
        bias: (outputs,), or None.
    """

    kind: str
    weight: Array
    bias: Array | None


def read(param: Path, binary: Path) -> list[Layer]:
    """Read the layers that have weights, in order of execution.

    Args:
        param: The .param file.
        binary: The .bin file.

    Raises:
        BadModel: The files are not an ncnn model, or do not fit each other.
    """
    try:
        lines = param.read_text(encoding="ascii").split("\n")
        data = binary.read_bytes()
    except (OSError, UnicodeDecodeError):
        raise BadModel(f"{param}, or {binary.name} beside it, cannot be read.") from None
    if lines[0].strip() != _MAGIC:
        raise BadModel(f"{param} is not an ncnn .param file in text form.")
    try:
        layers = list(_layers(lines[2:], data))
    except (ValueError, KeyError, IndexError):
        raise BadModel(f"{binary} does not match {param.name}: one of them is damaged.") from None
    return layers


def _layers(lines: list[str], data: bytes) -> Iterator[Layer]:
    at = 0
    for line in lines:
        words = line.split()
        if not words or words[0] not in ("Convolution", "PReLU"):
            continue
        values = dict(word.split("=", 1) for word in words if "=" in word)
        outputs = int(values["0"])
        if words[0] == "PReLU":
            slopes, at = _numbers(data, at, outputs, _FLOAT32)
            yield Layer("PReLU", slopes, None)
            continue
        kernel, size = int(values["1"]), int(values["6"])
        flag = int.from_bytes(data[at : at + 4], "little")
        weight, at = _numbers(data, at + 4, size, flag)
        bias, at = _numbers(data, at, outputs, _FLOAT32) if values.get("5") == "1" else (None, at)
        yield Layer("Convolution", weight.reshape(outputs, -1, kernel, kernel), bias)
    if at != len(data):
        raise ValueError("the file has more weights than the layers")


def _numbers(data: bytes, at: int, count: int, flag: int) -> tuple[Array, int]:
    """Read ``count`` numbers at an offset; return them and the next offset, padded to 4 bytes."""
    kinds: dict[int, type[np.floating]] = {_FLOAT16: np.float16, _FLOAT32: np.float32}
    kind = kinds[flag]
    values = np.frombuffer(data, np.dtype(kind).newbyteorder("<"), count, at)
    end = at + (values.nbytes + 3) // 4 * 4
    return values.astype(kind), end
