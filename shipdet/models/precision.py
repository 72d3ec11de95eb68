"""Convert a network's body to a number format.

The first layer reads pixels and the last one outputs pixels or scores. Half precision is coarser
than a gray level there, and both are a hundredth of the work, so they stay in float32.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from shipdet.computing import Precision

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def network_ends(net: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Return the first and the last layer of a ConvNeXt or Real-ESRGAN network."""
    if hasattr(net, "stem"):  # ConvNeXt
        return cast(nn.Module, net.stem), cast(nn.Module, net.head)
    if isinstance(net.body, nn.ModuleList):  # SRVGGNetCompact
        return net.body[0], net.body[-1]
    return cast(nn.Module, net.conv_first), cast(nn.Module, net.conv_last)


def lower_body(
    net: nn.Module, first: nn.Module | None, last: nn.Module, precision: Precision
) -> None:
    """Convert a network in place, except ``first`` and ``last``.

    Hooks convert the output of ``first`` and the input of ``last``. ``first`` is None if the
    network's input already has the format.
    """
    dtype = DTYPES[precision]
    if dtype == torch.float32:
        return
    ends = [module for module in (first, last) if module is not None]
    kept = {id(p) for module in ends for p in module.parameters()}
    for parameter in net.parameters():
        if id(parameter) not in kept:
            parameter.data = parameter.data.to(dtype)

    def lower(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        return output.to(dtype)

    def widen(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(value.float() for value in args)

    if first is not None:
        first.register_forward_hook(lower)
    last.register_forward_pre_hook(widen)
