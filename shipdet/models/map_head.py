"""The map head: water, hulls and ships in each cell, from a ConvNeXt's feature maps.

A small feature pyramid (Lin et al. 2017) over the four stages of the classifier's backbone, and
two convolutions at a quarter of the network's resolution that predict each cell, as in CenterNet
(Zhou et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from shipdet.models.map_channels import MAP_CHANNELS


class MapHead(nn.Module):
    """Predicts the map's channels at stride 4 from the feature maps of a ConvNeXt's four stages.

    The channels are :data:`shipdet.models.map_channels.MAP_CHANNELS`.
    """

    def __init__(self, channels: Sequence[int], width: int = 64) -> None:
        """
        Args:
            channels: Channels of the four stages, finest first.
            width: Channels of the pyramid.
        """
        super().__init__()
        self.norms = nn.ModuleList(LayerNorm2d(count) for count in channels)
        self.laterals = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.mixes = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels[1:])
        last = nn.Conv2d(width, len(MAP_CHANNELS), 1)
        self.answer = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.GELU(), last)
        bias = torch.zeros(len(MAP_CHANNELS))
        # The values of an average cell before training: probabilities as logits, lengths as
        # logarithms of meters.
        bias[MAP_CHANNELS.index("center")] = -4.0
        bias[MAP_CHANNELS.index("hull")] = -3.0
        bias[MAP_CHANNELS.index("log_length")] = 3.3
        bias[MAP_CHANNELS.index("log_width")] = 1.8
        last.bias = nn.Parameter(bias)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map features (n, channels, rows, columns), finest first, to (n, 9, h / 4, w / 4)."""
        laterals = [
            lateral(norm(found))
            for norm, lateral, found in zip(self.norms, self.laterals, features, strict=True)
        ]
        merged = laterals[-1]
        for lateral, mix in zip(laterals[-2::-1], reversed(self.mixes), strict=True):
            if merged.shape[2:] != lateral.shape[2:]:
                merged = F.interpolate(merged, size=lateral.shape[2:], mode="nearest")
            merged = F.gelu(mix(merged + lateral))
        answers: Tensor = self.answer(merged)
        return answers


class PhasedConv2d(nn.Conv2d):
    """A depthwise convolution of dilation 2, computed as four of dilation 1 on every second pixel.

    The sums are the same, but fast: CPU libraries run dilated depthwise convolutions in reference
    code, several times slower forward and backward.
    """

    def forward(self, images: Tensor) -> Tensor:
        """As :class:`torch.nn.Conv2d` with ``dilation=2`` and 'same' padding."""
        count, channels, height, width = images.shape
        even = F.pad(images, (0, width % 2, 0, height % 2))
        rows, columns = even.shape[2] // 2, even.shape[3] // 2
        split = even.view(count, channels, rows, 2, columns, 2).permute(3, 5, 0, 1, 2, 4)
        phases = split.reshape(4 * count, channels, rows, columns)
        phases = phases.contiguous(memory_format=torch.channels_last)
        side = self.kernel_size[0] // 2
        result = F.conv2d(phases, self.weight, self.bias, padding=side, groups=self.groups)
        joined = result.view(2, 2, count, channels, rows, columns).permute(2, 3, 4, 0, 5, 1)
        whole = joined.reshape(count, channels, 2 * rows, 2 * columns)
        return whole[:, :, :height, :width].contiguous(memory_format=torch.channels_last)


def use_phased_convolutions(net: nn.Module) -> nn.Module:
    """Replace a network's depthwise convolutions of dilation 2 in place, and keep their weights."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if (
                type(child) is nn.Conv2d
                and child.dilation == (2, 2)
                and child.groups == child.in_channels
            ):
                side = child.kernel_size[0]
                new = PhasedConv2d(
                    child.in_channels,
                    child.out_channels,
                    side,
                    padding=side - 1,
                    dilation=2,
                    groups=child.groups,
                    bias=child.bias is not None,
                )
                new.load_state_dict(child.state_dict())
                setattr(module, name, new)
    return net
