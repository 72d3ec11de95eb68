"""Build a PyTorch network in evaluation mode from a config and a safetensors file."""

from pathlib import Path
from typing import Any, cast

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers.classifier import NormMlpClassifierHead
from torch import Tensor, nn

from shipdet.errors import BadModel
from shipdet.models.config import ClassifierConfig, ModelConfig, RRDBParams, UpscalerConfig
from shipdet.models.map_channels import no_map_head
from shipdet.models.map_head import MapHead, use_phased_convolutions


def build_classifier(config: ClassifierConfig) -> nn.Module:
    """Build the timm network of a classifier, with random weights.

    Raises:
        BadModel: timm has no such architecture, or its head cannot score densely.
    """
    name = config.architecture
    if not timm.is_model(name):
        raise BadModel(f"This version of timm has no architecture called {name}.")
    net = timm.create_model(
        name,
        pretrained=False,
        num_classes=config.num_classes,
        output_stride=config.cell_px,
    )
    head = net.head
    # Dense scoring pools cells, then applies the head's norm and layer to each position.
    if not isinstance(head, NormMlpClassifierHead) or not isinstance(head.pre_logits, nn.Identity):
        raise BadModel(f"{name} has a head that cannot score windows of a larger image.")
    if net.num_features != config.num_features:
        raise BadModel(
            f"{name} has {net.num_features} features, but config.json says {config.num_features}."
        )
    return use_phased_convolutions(net).eval()


def build_map_head(config: ClassifierConfig, net: nn.Module) -> MapHead:
    """Build the map head for a classifier's feature maps, with random weights.

    Raises:
        BadModel: The model has no map head.
    """
    block = config.shipdet.map
    if block is None:
        raise no_map_head()
    channels = [info["num_chs"] for info in cast(Any, net).feature_info]
    return MapHead(channels, block.width).eval()


def stage_features(net: nn.Module, images: Tensor) -> list[Tensor]:
    """Return the feature maps of a ConvNeXt's four stages, finest first.

    The last one equals the result of ``forward_features``.

    Args:
        images: Normalized (n, 3, h, w).
    """
    convnext = cast(Any, net)
    found = []
    features = convnext.stem(images)
    for stage in convnext.stages:
        features = stage(features)
        found.append(features)
    found[-1] = convnext.norm_pre(features)
    return found


def build_upscaler(config: UpscalerConfig) -> nn.Module:
    """Build the Real-ESRGAN network of an upscaler, with random weights.

    Its input and output are (n, 3, h, w) from 0 to 1.

    Raises:
        BadModel: The parameters do not fit the network.
    """
    from shipdet.models.compat import RRDBNet, SRVGGNetCompact

    params, scale = config.params, config.shipdet.scale
    net: nn.Module
    if isinstance(params, RRDBParams):
        net = RRDBNet(scale=scale, **params.model_dump())
    else:
        net = SRVGGNetCompact(upscale=scale, **params.model_dump())
    return net.eval()


def build(config: ModelConfig) -> nn.Module:
    """Build the network of either kind of model, with random weights."""
    if isinstance(config, ClassifierConfig):
        return build_classifier(config)
    return build_upscaler(config)


def load_weights(net: nn.Module, file: Path) -> nn.Module:
    """Load a safetensors file into a network; all tensors must match.

    Raises:
        BadModel: The file is corrupt, or belongs to another network.
    """
    try:
        state = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadModel(
            f"{file} is corrupt ({_line(error)}): fetch or export the model again."
        ) from None
    expected = net.state_dict()
    for name in (*expected, *state):
        if name not in state:
            raise _other(file, f"'{name}' is missing")
        if name not in expected:
            raise _other(file, f"'{name}' does not belong to it")
        if state[name].shape != expected[name].shape:
            shapes = f"{list(state[name].shape)} instead of {list(expected[name].shape)}"
            raise _other(file, f"'{name}' is {shapes}")
        if not torch.isfinite(state[name]).all():
            raise BadModel(f"{file} has values in '{name}' that are not finite numbers.")
    net.load_state_dict(state, strict=True)
    return net


def _other(file: Path, why: str) -> BadModel:
    return BadModel(f"{file} does not match the network that its config.json describes: {why}.")


def _line(error: Exception) -> str:
    """Return the first line of a library's message, without its final period."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
