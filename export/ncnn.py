"""Reading Real-ESRGAN's ncnn form: a .param file (layers) and a .bin file (their numbers).

Only convolutions and PReLU slopes carry numbers in these networks. They stand in the order in which
they run, which is also that of the PyTorch networks' state; so they are matched by order, and by
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
    """A layer with numbers: (outputs, inputs, 3, 3) weights and a bias, or slopes alone."""

    kind: str
    weight: Array
    bias: Array | None


def read(param: Path, binary: Path) -> list[Layer]:
    """The layers that carry numbers, in running order.

    Raises:
        BadModel: not an ncnn model, or of another kind than Real-ESRGAN's networks.
    """
    try:
        lines = param.read_text(encoding="ascii").split("\n")
        data = binary.read_bytes()
    except (OSError, UnicodeDecodeError):
        raise BadModel(f"{param} and {binary.name} beside it are not readable.") from None
    if lines[0].strip() != _MAGIC:
        raise BadModel(f"{param} is not an ncnn .param file in text form.")
    try:
        layers = list(_layers(lines[2:], data))
    except (ValueError, KeyError, IndexError):
        raise BadModel(f"{binary} does not fit {param.name}: one of them is damaged.") from None
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
        raise ValueError("numbers are left over")


def _numbers(data: bytes, at: int, count: int, flag: int) -> tuple[Array, int]:
    """Numbers from an offset on, and the offset after them; float16 is padded to 4 bytes."""
    kinds: dict[int, type[np.floating]] = {_FLOAT16: np.float16, _FLOAT32: np.float32}
    kind = kinds[flag]
    values = np.frombuffer(data, np.dtype(kind).newbyteorder("<"), count, at)
    end = at + (values.nbytes + 3) // 4 * 4
    return values.astype(kind), end
