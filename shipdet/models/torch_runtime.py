"""Both networks on PyTorch: channels last, and half precision where it pays (see precision.py)."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shipdet.errors import OutOfMemory
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.devices import torch_threads
from shipdet.models.hub import ModelFolder
from shipdet.models.networks import build_classifier, build_upscaler, load_weights
from shipdet.models.precision import lower_body, network_ends, pick_precision
from shipdet.models.runtime import (
    BackendInfo,
    Pixels,
    Precision,
    Scores,
    calibrated,
    check_blocks,
    check_canvases,
    check_windows,
)
from shipdet.settings import Settings

Device = Literal["cpu", "cuda"]

WINDOW_BATCH: dict[Device, int] = {"cpu": 32, "cuda": 256}
CANVAS_PIXELS: dict[Device, int] = {"cpu": 1 << 20, "cuda": 1 << 24}  # in one pass
_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")

_log = logging.getLogger(__name__)


class _Torch:
    """A network on a device, rebuilt in float32 should float16 turn out too small for it."""

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
        """What really runs."""
        return BackendInfo("torch", self._device, _provider(self._device), self._precision)

    def _prepare(self) -> None:
        net = self._build().requires_grad_(False)
        lower_body(net, *network_ends(net), self._precision)
        self._net: nn.Module = net.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        body = self._body(self._net)
        self._run_body = _Compiled(body) if self._compiled else body

    def _body(self, net: nn.Module) -> Callable[[Tensor], Tensor]:
        """The part of the network that takes the time."""
        return net

    def _forward(self, images: Tensor, whole: bool = False) -> Tensor:
        """From uint8 (n, 3, h, w) to a float32 result; ``whole`` is a classifier's affair."""
        raise NotImplementedError

    def _run(self, pictures: Pixels, whole: bool = False) -> Tensor:
        """The result for uint8 (n, h, w, 3), finite in every value."""
        with _memory(self._device), torch.inference_mode():
            # PyTorch warns of arrays that it could not write to, such as a picture's own pixels.
            nhwc = torch.from_numpy(np.require(pictures, requirements=("C", "W"))).to(self._device)
            images = nhwc.permute(0, 3, 1, 2)
            result = self._forward(images, whole)
            if self._precision == "fp16" and not bool(torch.isfinite(result).all()):
                # Seen on GTX 16xx cards, and with weights whose activations pass 65504.
                _log.info("float16 overflows on this device: going on in float32")
                self._precision = "fp32"
                self._prepare()
                result = self._forward(images, whole)
            return result


class _Compiled:
    """A network's body through torch.compile, or as it is from when that has failed."""

    def __init__(self, body: Callable[[Tensor], Tensor]) -> None:
        self._eager = body
        # Canvases and blocks come in many sizes: not one compilation for each.
        self._body: Callable[[Tensor], Tensor] = torch.compile(body, dynamic=True)

    def __call__(self, images: Tensor) -> Tensor:
        if self._body is not self._eager:
            try:
                return self._body(images)
            except Exception as error:  # of a compiler, of Python's headers, of the code made
                if _is_no_memory(error):
                    raise
                words = (str(error).splitlines() or [""])[0][:200]
                _log.warning("torch.compile failed (%s): going on without it", words)
                self._body = self._eager
        return self._eager(images)


class TorchClassifier(_Torch):
    """A ConvNeXt that scores windows, one by one or all those of a canvas at once."""

    def __init__(
        self,
        config: ClassifierConfig,
        build: Callable[[], nn.Module],
        device: Device = "cpu",
        precision: Precision | None = None,
        compiled: bool = False,
    ) -> None:
        """``build`` makes the network with its weights in float32; no precision means the best."""
        super().__init__(build, device, precision, compiled)
        self.config = config
        self.window_px = config.shipdet.window_px
        self.cell_px = config.cell_px
        self._mean, self._deviation = (
            torch.tensor(values, device=device).mul(255).view(1, 3, 1, 1)
            for values in (config.pretrained_cfg.mean, config.pretrained_cfg.std)
        )

    def scores(self, windows: Pixels) -> Scores:
        """See :class:`shipdet.models.runtime.Classifier`."""
        check_windows(windows, self.window_px)
        margins = np.empty((len(windows), 1, 1), np.float32)
        self._fill(margins, windows, WINDOW_BATCH[self._device], whole=True)
        return calibrated(margins.ravel(), self.config.shipdet.calibration)

    def dense(self, canvases: Pixels) -> Scores:
        """See :class:`shipdet.models.runtime.Classifier`."""
        return calibrated(self.margins(canvases), self.config.shipdet.calibration)

    def margins(self, canvases: Pixels) -> Scores:
        """Like :meth:`dense`, before calibration: the logit of ship minus that of no ship."""
        check_canvases(canvases, self.window_px, self.cell_px)
        count, height, width = canvases.shape[:3]
        rows, columns = ((side - self.window_px) // self.cell_px + 1 for side in (height, width))
        margins = np.empty((count, rows, columns), np.float32)
        self._fill(margins, canvases, max(1, CANVAS_PIXELS[self._device] // (height * width)))
        return margins

    def _fill(self, margins: Scores, pictures: Pixels, batch: int, whole: bool = False) -> None:
        """Margins (n, rows, columns) of pictures of one size, so many at a time."""
        for start in range(0, len(pictures), batch):
            part = slice(start, start + batch)
            margins[part] = self._run(pictures[part], whole).cpu().numpy()

    def _body(self, net: nn.Module) -> Callable[[Tensor], Tensor]:
        return cast(Callable[[Tensor], Tensor], cast(Any, net).forward_features)

    def _forward(self, images: Tensor, whole: bool = False) -> Tensor:
        normal = (images.float() - self._mean) / self._deviation
        features = self._run_body(normal).float()
        if whole:
            return whole_margins(self._net.head, features)[:, None, None]
        return window_margins(self._net.head, features, self.config)


class TorchUpscaler(_Torch):
    """Real-ESRGAN."""

    def __init__(
        self,
        config: UpscalerConfig,
        build: Callable[[], nn.Module],
        device: Device = "cpu",
        precision: Precision | None = None,
        compiled: bool = False,
    ) -> None:
        """``build`` makes the network with its weights in float32; no precision means the best."""
        super().__init__(build, device, precision, compiled)
        self.config = config
        self.scale: int = config.shipdet.scale

    def upscale(self, blocks: Pixels) -> Pixels:
        """See :class:`shipdet.models.runtime.Upscaler`."""
        check_blocks(blocks)
        with _memory(self._device), torch.inference_mode():
            grey = self._run(blocks).mul_(255).clamp_(0, 255).round_().byte()
            result: npt.NDArray[np.uint8] = grey.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return result

    def _forward(self, images: Tensor, whole: bool = False) -> Tensor:
        return self._run_body(images.float().div_(255)).float()


def whole_margins(head: Any, features: Tensor) -> Tensor:
    """Logit of ship minus no ship for whole feature maps (n, channels, rows, columns): (n,).

    What timm's own forward pass gives for windows on their own.
    """
    logits: Tensor = head.fc(head.norm(features.mean((2, 3), keepdim=True)).flatten(1))
    return logits[:, 1] - logits[:, 0]


def window_margins(head: Any, features: Tensor, config: ClassifierConfig) -> Tensor:
    """Logit of ship minus no ship for every window of a larger picture's feature map.

    Args:
        head: a ConvNeXt's head: pooling, norm, linear layer.
        features: float32 (n, channels, rows, columns), one cell for ``config.cell_px``.
        config: says how long a window is, and which of its cells are pooled.

    Returns:
        float32 (n, rows - cells + 1, columns - cells + 1), with so many cells along a window.
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
    """The classifier of a checked folder."""
    return TorchClassifier(
        config,
        lambda: load_weights(build_classifier(config), folder.weights),
        device,
        precision or pick_precision(device, settings.precision),
        settings.torch_compile,
    )


def open_upscaler(
    folder: ModelFolder,
    config: UpscalerConfig,
    device: Device,
    settings: Settings,
    precision: Precision | None = None,
) -> TorchUpscaler:
    """The upscaler of a checked folder."""
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
    """Whether memory ran out; the CPU allocator raises a plain RuntimeError, told by its words."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error) for words in _NO_MEMORY)


@contextmanager
def _memory(device: Device) -> Iterator[None]:
    """Turn the ways in which PyTorch runs out of memory into one error."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_no_memory(error):
            raise
        if device == "cuda":
            torch.cuda.empty_cache()
        title = "GPU" if device == "cuda" else "machine"
        raise OutOfMemory(
            f"The {title}'s memory is too small for this step: close other programs or choose a "
            "smaller area."
        ) from None
