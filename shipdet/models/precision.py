"""Which number format a network's body runs in, and how it is put into it.

The first layer takes pixels and the last one makes pixels or scores; there a half-precision number
is coarser than a grey level, and both are a hundredth of the work, so they stay in float32.
"""

import copy
import time
from functools import lru_cache
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from shipdet.models.runtime import Precision

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
GAIN = 1.5
"""How many times faster bf16 must be on a CPU to be worth its rounding."""
TRIALS = 12


def pick_precision(device: Literal["cpu", "cuda"]) -> Precision:
    """The format to run in: fp16 on CUDA, bf16 on a CPU that is really faster in it, else fp32."""
    if device == "cuda":
        return "fp16"
    return "bf16" if _cpu_has_bf16() and _bf16_gain() >= GAIN else "fp32"


def _cpu_has_bf16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "amx_tile"))


@lru_cache(maxsize=1)
def _bf16_gain() -> float:
    """Time of a 3x3 convolution in fp32 over that in bf16, tried for some 50 ms.

    The processor's flags do not tell: an AMD EPYC with AVX-512 BF16 runs it three times faster in
    bf16, an Intel Xeon with the same flag but without AMX 1.5 times slower. Both formats take
    turns and the fastest of each counts, so that other work on the machine hits both alike.
    """
    with torch.inference_mode():
        layer = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
        picture = torch.rand(1, 64, 64, 64).to(memory_format=torch.channels_last)
        half_layer, half_picture = copy.deepcopy(layer).bfloat16(), picture.bfloat16()
        full, half = [], []
        for _ in range(TRIALS):
            full.append(_seconds(layer, picture))
            half.append(_seconds(half_layer, half_picture))
    return min(full) / min(half)


def _seconds(layer: nn.Module, picture: Tensor) -> float:
    start = time.perf_counter()
    layer(picture)
    return time.perf_counter() - start


def network_ends(net: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The first and the last layer of one of our networks."""
    if hasattr(net, "stem"):  # ConvNeXt
        return cast(nn.Module, net.stem), cast(nn.Module, net.head)
    if isinstance(net.body, nn.ModuleList):  # SRVGGNetCompact
        return net.body[0], net.body[-1]
    return cast(nn.Module, net.conv_first), cast(nn.Module, net.conv_last)


def lower_body(net: nn.Module, first: nn.Module, last: nn.Module, precision: Precision) -> None:
    """Put all of a network into a format, but ``first`` and ``last``, in place.

    Hooks convert what ``first`` returns and what ``last`` takes.
    """
    dtype = DTYPES[precision]
    if dtype == torch.float32:
        return
    kept = {id(p) for module in (first, last) for p in module.parameters()}
    for parameter in net.parameters():
        if id(parameter) not in kept:
            parameter.data = parameter.data.to(dtype)

    def lower(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        return output.to(dtype)

    def widen(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(value.float() for value in args)

    first.register_forward_hook(lower)
    last.register_forward_pre_hook(widen)
