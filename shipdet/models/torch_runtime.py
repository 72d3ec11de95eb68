"""Both networks on PyTorch: channels last, and half precision where it is faster."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shipdet.computing import Device, Precision
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.devices import torch_threads
from shipdet.models.hub import ModelFolder
from shipdet.models.map_channels import no_map_head
from shipdet.models.map_head import MapHead
from shipdet.models.networks import (
    build_classifier,
    build_map_head,
    build_upscaler,
    load_weights,
    stage_features,
)
from shipdet.models.precision import lower_body, network_ends
from shipdet.models.processors import pick_precision
from shipdet.models.runtime import (
    BackendInfo,
    Maps,
    Scores,
    calibrated,
    canvases_at_once,
    check_blocks,
    check_canvases,
    check_windows,
    no_memory,
    ran_out,
)
from shipdet.mosaic import Pixels
from shipdet.settings import Settings

Body = Callable[[Tensor], Any]
#: Outputs of a classifier: all windows of canvases, single windows, or all windows and the map.
Answer = Literal["windows", "alone", "survey"]

WINDOW_BATCH: dict[Device, int] = {"cpu": 32, "cuda": 256}
_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")

_log = logging.getLogger(__name__)


class _Torch:
    """A network on a device, rebuilt in float32 if float16 overflows."""

    def __init__(
        self,
        build: Callable[[], nn.Module],
        device: Device,
        precision: Precision | None,
        compiled: bool,
    ) -> None:
        self._build, self._compiled = build, compiled
        self._device: Device = device
        self._precision: Precision = precision or pick_precision(device)
        if device == "cpu":
            torch.set_num_threads(torch_threads())
        self._prepare()

    @property
    def backend(self) -> BackendInfo:
        """Backend, device and number format in use."""
        return BackendInfo("torch", self._device, _provider(self._device), self._precision)

    def _prepare(self) -> None:
        net = self._build().requires_grad_(False)
        lower_body(net, *network_ends(net), self._precision)
        self._net: nn.Module = net.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        body = self._body(self._net)
        self._run_body = _Compiled(body) if self._compiled else body

    def _body(self, net: nn.Module) -> Body:
        """Return the part of the network that takes most of the time."""
        return net

    def _forward(self, images: Tensor, answer: Answer) -> tuple[Tensor, ...]:
        """Compute float32 results from uint8 (n, 3, h, w); only classifiers use ``answer``."""
        raise NotImplementedError

    def _run(self, pictures: Pixels, answer: Answer = "windows") -> tuple[Tensor, ...]:
        """Compute the results for uint8 (n, h, w, 3), in float32 if float16 overflows."""
        with _memory(self._device), torch.inference_mode():
            # PyTorch warns about read-only arrays, such as the pixels of an image.
            nhwc = torch.from_numpy(np.require(pictures, requirements=("C", "W"))).to(self._device)
            images = nhwc.permute(0, 3, 1, 2)
            results = self._forward(images, answer)
            finite = all(bool(torch.isfinite(result).all()) for result in results)
            if self._precision == "fp16" and not finite:
                # Happens on GTX 16xx cards, and with weights whose activations exceed 65504.
                _log.info("float16 overflows on this device: continuing in float32")
                self._precision = "fp32"
                self._prepare()
                results = self._forward(images, answer)
            return results


class _Compiled:
    """A network's body through torch.compile, or uncompiled once that fails."""

    def __init__(self, body: Body) -> None:
        self._eager = body
        # dynamic: no compilation for each of the many sizes of canvases and blocks.
        self._body: Body = torch.compile(body, dynamic=True)

    def __call__(self, images: Tensor) -> Any:
        if self._body is not self._eager:
            try:
                return self._body(images)
            except Exception as error:  # the compiler, Python's headers, generated code
                if _is_no_memory(error):
                    raise
                words = (str(error).splitlines() or [""])[0][:200]
                _log.warning("torch.compile failed (%s): continuing without it", words)
                self._body = self._eager
        return self._eager(images)


class TorchClassifier(_Torch):
    """A ConvNeXt that scores single windows or all windows of a canvas, with its map head."""

    def __init__(
        self,
        config: ClassifierConfig,
        build: Callable[[], nn.Module],
        device: Device = "cpu",
        precision: Precision | None = None,
        compiled: bool = False,
        build_map: Callable[[nn.Module], MapHead] | None = None,
    ) -> None:
        """
        Args:
            config: The model's config.
            build: Builds the classifier, with its weights in float32.
            device: The device to use.
            precision: None for the best of the device.
            compiled: Whether to use torch.compile for the body.
            build_map: Builds the map head of a classifier, with its weights in float32.
        """
        self.config = config
        self.window_px = config.shipdet.window_px
        self.cell_px = config.cell_px
        self._build_map = build_map
        super().__init__(build, device, precision, compiled)
        self._mean, self._deviation = (
            torch.tensor(values, device=device).mul(255).view(1, 3, 1, 1)
            for values in (config.pretrained_cfg.mean, config.pretrained_cfg.std)
        )

    def scores(self, windows: Pixels) -> Scores:
        """See :class:`shipdet.models.runtime.Classifier`."""
        check_windows(windows, self.window_px)
        batch = WINDOW_BATCH[self._device]
        parts = [
            self._run(windows[start : start + batch], "alone")[0].cpu().numpy()
            for start in range(0, len(windows), batch)
        ]
        margins = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return calibrated(margins, self.config.shipdet.calibration)

    def dense(self, canvases: Pixels) -> Scores:
        """See :class:`shipdet.models.runtime.Classifier`."""
        return calibrated(self._canvases(canvases, "windows")[0], self.config.shipdet.calibration)

    def survey(self, canvases: Pixels) -> tuple[Scores, Maps]:
        """See :class:`shipdet.models.runtime.Classifier`."""
        margins, maps = self._canvases(canvases, "survey")
        return margins, maps

    def _canvases(self, canvases: Pixels, answer: Answer) -> tuple[npt.NDArray[np.float32], ...]:
        """Compute the outputs for canvases of one size, in batches that fit the device."""
        check_canvases(canvases, self.window_px, self.cell_px)
        height, width = canvases.shape[1:3]
        batch = canvases_at_once(self._device, height, width)
        parts = [
            [found.cpu().numpy() for found in self._run(canvases[start : start + batch], answer)]
            for start in range(0, len(canvases), batch)
        ]
        return tuple(np.concatenate(answers) for answers in zip(*parts, strict=True))

    def _prepare(self) -> None:
        super()._prepare()
        self._map: nn.Module | None = None
        if self._build_map is not None:
            head = self._build_map(self._net).requires_grad_(False)
            lower_body(head, None, head.answer[-1], self._precision)
            self._map = head.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _body(self, net: nn.Module) -> Body:
        return partial(stage_features, net)

    def _forward(self, images: Tensor, answer: Answer) -> tuple[Tensor, ...]:
        normal = (images.float() - self._mean) / self._deviation
        features = self._run_body(normal)
        head, last = self._net.head, features[-1].float()
        if answer == "alone":
            return (whole_margins(head, last),)
        margins = window_margins(head, last, self.config)
        if answer == "windows":
            return (margins,)
        if self._map is None:
            raise no_map_head()
        return margins, self._map(features).float()


class TorchUpscaler(_Torch):
    """Super-resolution with Real-ESRGAN."""

    def __init__(
        self,
        config: UpscalerConfig,
        build: Callable[[], nn.Module],
        device: Device = "cpu",
        precision: Precision | None = None,
        compiled: bool = False,
    ) -> None:
        """Arguments as for :class:`TorchClassifier`."""
        super().__init__(build, device, precision, compiled)
        self.config = config
        self.scale: int = config.shipdet.scale

    def upscale(self, blocks: Pixels) -> Pixels:
        """See :class:`shipdet.models.runtime.Upscaler`."""
        check_blocks(blocks)
        with _memory(self._device), torch.inference_mode():
            gray = self._run(blocks)[0].mul_(255).clamp_(0, 255).round_().byte()
            result: npt.NDArray[np.uint8] = gray.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return result

    def _forward(self, images: Tensor, answer: Answer) -> tuple[Tensor, ...]:
        return (self._run_body(images.float().div_(255)).float(),)


def whole_margins(head: Any, features: Tensor) -> Tensor:
    """Compute the margins (n,) of whole feature maps (n, channels, rows, columns).

    Equals timm's forward pass for single windows.
    """
    logits: Tensor = head.fc(head.norm(features.mean((2, 3), keepdim=True)).flatten(1))
    return logits[:, 1] - logits[:, 0]


def window_margins(head: Any, features: Tensor, config: ClassifierConfig) -> Tensor:
    """Compute the margins (logit of ship minus no ship) of all windows of a canvas.

    Args:
        head: A ConvNeXt's head: pooling, norm, linear layer.
        features: float32 (n, channels, rows, columns), one cell per ``config.cell_px``.
        config: Determines the side of a window, and which of its cells are pooled.

    Returns:
        float32 (n, rows - cells + 1, columns - cells + 1) for windows of ``cells`` x ``cells``.
    """
    margin = config.margin_cells
    pool = config.shipdet.window_px // config.cell_px - 2 * margin
    rows, columns = features.shape[2] - 2 * margin, features.shape[3] - 2 * margin
    middle = features.narrow(2, margin, rows).narrow(3, margin, columns)
    pooled = F.avg_pool2d(middle, pool, stride=1)
    logits: Tensor = head.fc(head.norm(pooled).permute(0, 2, 3, 1))
    return logits[..., 1] - logits[..., 0]


def open_classifier(
    folder: ModelFolder,
    config: ClassifierConfig,
    device: Device,
    settings: Settings,
    precision: Precision | None = None,
) -> TorchClassifier:
    """Open the classifier of a checked folder."""
    return TorchClassifier(
        config,
        lambda: load_weights(build_classifier(config), folder.weights),
        device,
        precision or pick_precision(device, settings.precision),
        settings.torch_compile,
        partial(_built_map, config, folder.map_weights) if folder.map_weights else None,
    )


def _built_map(config: ClassifierConfig, weights: Path, net: nn.Module) -> MapHead:
    return cast(MapHead, load_weights(build_map_head(config, net), weights))


def open_upscaler(
    folder: ModelFolder,
    config: UpscalerConfig,
    device: Device,
    settings: Settings,
    precision: Precision | None = None,
) -> TorchUpscaler:
    """Open the upscaler of a checked folder."""
    return TorchUpscaler(
        config,
        lambda: load_weights(build_upscaler(config), folder.weights),
        device,
        precision or pick_precision(device, settings.precision),
        settings.torch_compile,
    )


def _provider(device: Device) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU {torch.backends.cpu.get_cpu_capability()}"


def _is_no_memory(error: Exception) -> bool:
    """Whether memory ran out; the CPU allocator raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError) or ran_out(error, _NO_MEMORY)


@contextmanager
def _memory(device: Device) -> Iterator[None]:
    """Raise OutOfMemory for every error with which PyTorch reports a lack of memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_no_memory(error):
            raise
        if device == "cuda":
            torch.cuda.empty_cache()
        raise no_memory(device) from None
