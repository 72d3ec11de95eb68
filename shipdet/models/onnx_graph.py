"""Export a PyTorch network to an ONNX file.

Classifier: ``pixels`` uint8 (n, h, w, 3) -> ``margins`` float32 (n, rows, columns), the logit of
ship minus no ship of every window at a stride of one cell; ``whole`` float32 (n,), the logit of
each whole image as a single window; and, if the model has a map head, ``map`` float32
(n, 9, h / 4, w / 4). One graph serves all modes. As with PyTorch, it excludes the calibration.

Upscaler: ``pixels`` uint8 (n, h, w, 3) -> ``enlarged`` uint8 (n, 4 h, 4 w, 3) and ``mean`` float32
(), the mean before rounding, which is not finite if half precision overflows anywhere.

The graphs include normalization; n, h and w are dynamic. PyTorch's older exporter writes the same
graphs as the newer one, which needs another package (onnxscript).
"""

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any, Literal, cast

import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from shipdet.models.config import ClassifierConfig, ModelConfig
from shipdet.models.graph_format import OPSET
from shipdet.models.networks import build, build_map_head, load_weights, stage_features
from shipdet.models.precision import lower_body, network_ends
from shipdet.models.torch_runtime import whole_margins, window_margins


class ClassifierGraph(nn.Module):
    """Normalization, features, the head at every window, and the map head."""

    def __init__(
        self, config: ClassifierConfig, net: nn.Module, map_head: nn.Module | None = None
    ) -> None:
        """Wrap networks whose weights are loaded."""
        super().__init__()
        self.net = net
        self.map_head = map_head
        self.config = config
        self.mean, self.deviation = (
            torch.tensor(values).mul(255).view(1, 3, 1, 1)
            for values in (config.pretrained_cfg.mean, config.pretrained_cfg.std)
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the margins of all windows and of the whole images, and the map."""
        images = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        features = stage_features(self.net, images)
        head, last = self.net.head, features[-1].float()
        windows = window_margins(head, last, self.config), whole_margins(head, last)
        if self.map_head is None:
            return windows
        return (*windows, self.map_head(features).float())


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (n, c, h, w) without transpositions.

    timm's LayerNorm2d moves the channels to the end and back. OpenVINO copies all values for each
    of these two steps, which takes a quarter of the time of an 8-bit graph.
    """

    def __init__(self, norm: LayerNorm2d) -> None:
        """Take weight, bias and epsilon of a norm whose weights are loaded."""
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(values.detach().float().view(1, -1, 1, 1), requires_grad=False)
            for values in (norm.weight, norm.bias)
        )
        self.eps = norm.eps

    def forward(self, images: Tensor) -> Tensor:
        """Normalize in float32, since squares overflow in half precision."""
        wide = images.float()
        centered = wide - wide.mean(1, keepdim=True)
        variance = centered.square().mean(1, keepdim=True)
        normal = centered / torch.sqrt(variance + self.eps)
        return (normal * self.weight + self.bias).to(images.dtype)


def use_channel_norms(net: nn.Module) -> None:
    """Replace timm's layer norms of feature maps in place by :class:`ChannelNorm`."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, LayerNorm2d):
                setattr(module, name, ChannelNorm(child))


class UpscalerGraph(nn.Module):
    """Super-resolution from uint8 to uint8."""

    def __init__(self, net: nn.Module) -> None:
        """Wrap a network whose weights are loaded."""
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the enlarged images, and their mean before rounding."""
        result = self.net(pixels.permute(0, 3, 1, 2).float() / 255).float() * 255
        gray = result.clamp(0, 255).round().to(torch.uint8)
        return gray.permute(0, 2, 3, 1), result.mean()


def write_graph(
    config: ModelConfig,
    weights: Path,
    target: Path,
    precision: Literal["fp32", "fp16"],
    map_weights: Path | None = None,
) -> None:
    """Atomically write a model's graph to ``target``.

    Args:
        config: The model's config.
        weights: Its model.safetensors.
        target: The ONNX file.
        precision: Number format of the network's body.
        map_weights: Its map_head.safetensors, if any.

    Raises:
        BadModel: The weights do not fit the config.
        OSError: The target cannot be written.
    """
    net = load_weights(build(config), weights).requires_grad_(False)
    lower_body(net, *network_ends(net), precision)
    graph: nn.Module
    outputs: dict[str, tuple[str, ...]]
    if isinstance(config, ClassifierConfig):
        head = None
        outputs = {"margins": ("n", "rows", "columns"), "whole": ("n",)}
        if map_weights is not None:
            head = load_weights(build_map_head(config, net), map_weights).requires_grad_(False)
            lower_body(head, None, cast(Any, head).answer[-1], precision)
            outputs["map"] = ("n", "channels", "map_rows", "map_columns")
        for part in (cast(Any, net).stem, cast(Any, net).stages, head):
            if part is not None:
                use_channel_norms(part)
        graph = ClassifierGraph(config, net, head)
        size = (config.shipdet.window_px + 32, config.shipdet.window_px)
    else:
        graph, outputs = UpscalerGraph(net), {"enlarged": ("n", "H", "W"), "mean": ()}
        # The graph is the same for all sizes. The exporter computes the sample, slowly in fp16.
        size = (12, 8)
    sample = torch.zeros(2, *size, 3, dtype=torch.uint8)
    axes = {"pixels": ("n", "h", "w"), **outputs}
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch deprecates this exporter
        draft = Path(folder) / target.name
        torch.onnx.export(
            graph.eval(),
            (sample,),
            str(draft),
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_axes={name: dict(enumerate(names)) for name, names in axes.items()},
            opset_version=OPSET,
            dynamo=False,
        )
        os.replace(draft, target)
