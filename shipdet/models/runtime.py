"""The protocols of all backends: uint8 batches in, arrays out; normalization is included."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shipdet.computing import BackendName, Device, Precision
from shipdet.errors import OutOfMemory
from shipdet.models.config import Calibration, ClassifierConfig, UpscalerConfig
from shipdet.mosaic import Pixels

Scores = npt.NDArray[np.float32]
Maps = npt.NDArray[np.float32]

_PASS_PIXELS: dict[Device, int] = {"cpu": 1 << 20, "cuda": 1 << 24}


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """The backend in use, for the interface and the run record.

    ``provider`` is the execution provider of ONNX Runtime, or the processor as PyTorch or OpenVINO
    names it.
    """

    name: BackendName
    device: Device
    provider: str
    precision: Precision


class Classifier(Protocol):
    """Scores how likely windows show a ship at their center."""

    @property
    def config(self) -> ClassifierConfig:
        """The model's config.json."""

    @property
    def window_px(self) -> int:
        """Side of a window in network pixels."""

    @property
    def cell_px(self) -> int:
        """Network pixels per cell of the last feature map: the stride of a dense pass."""

    @property
    def backend(self) -> BackendInfo:
        """Backend, device and number format in use."""

    def scores(self, windows: Pixels) -> Scores:
        """Compute the calibrated scores of single windows.

        Args:
            windows: uint8 (n, window_px, window_px, 3) RGB; n may be 0.

        Returns:
            float32 (n,) between 0 and 1.

        Raises:
            OutOfMemory: The device's memory is too small for a batch.
        """

    def dense(self, canvases: Pixels) -> Scores:
        """Compute the calibrated scores of all windows of canvases, at a stride of one cell.

        Args:
            canvases: uint8 (n, h, w, 3) RGB; h and w multiples of cell_px, at least window_px.

        Returns:
            float32 (n, (h - window_px) // cell_px + 1, (w - window_px) // cell_px + 1); row r,
            column c is the window whose top left pixel is (cell_px r, cell_px c).

        Raises:
            OutOfMemory: The device's memory is too small for one canvas.
        """

    def survey(self, canvases: Pixels) -> tuple[Scores, Maps]:
        """Compute the margins of all windows of canvases and the map, in one pass.

        Args:
            canvases: As for :meth:`dense`.

        Returns:
            Margins in the shape of :meth:`dense`, without calibration (logit of ship minus no
            ship), and the map float32 (n, 9, h // 4, w // 4) with the channels of
            :data:`shipdet.models.map_channels.MAP_CHANNELS`.

        Raises:
            BadModel: The model has no map head.
            OutOfMemory: The device's memory is too small for one canvas.
        """


class Upscaler(Protocol):
    """Enlarges images by super-resolution."""

    @property
    def config(self) -> UpscalerConfig:
        """The model's config.json."""

    @property
    def scale(self) -> int:
        """Factor of width and height."""

    @property
    def backend(self) -> BackendInfo:
        """Backend, device and number format in use."""

    def upscale(self, blocks: Pixels) -> Pixels:
        """Enlarge blocks of one size.

        Args:
            blocks: uint8 (n, h, w, 3) RGB.

        Returns:
            uint8 (n, scale * h, scale * w, 3) RGB.

        Raises:
            OutOfMemory: The device's memory is too small for these blocks.
        """


def calibrated(margins: npt.NDArray[np.floating], calibration: Calibration) -> Scores:
    """Compute scores from margins (logit of ship minus no ship): sigmoid(scale * x + bias).

    Not part of the networks, so that recalibrating a model changes two numbers only.
    """
    x = margins.astype(np.float64) * calibration.scale + calibration.bias
    # exp of a large number overflows; beyond 60 the score is 0 or 1 in float32.
    return (1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))).astype(np.float32)


def check_windows(windows: Pixels, side: int) -> None:
    """Raise ValueError unless the array is a batch of windows of this side."""
    if windows.dtype != np.uint8 or windows.ndim != 4 or windows.shape[1:] != (side, side, 3):
        raise ValueError(
            f"windows must be uint8 (n, {side}, {side}, 3), not {windows.dtype} {windows.shape}"
        )


def check_canvases(canvases: Pixels, side: int, cell: int) -> None:
    """Raise ValueError unless the array is a batch of canvases for windows of this side."""
    check_blocks(canvases)
    height, width = canvases.shape[1:3]
    if height % cell or width % cell or height < side or width < side:
        raise ValueError(
            f"canvas sides must be multiples of {cell} and at least {side}, not {height}x{width}"
        )


def check_blocks(blocks: Pixels) -> None:
    """Raise ValueError unless the array is a batch of RGB images."""
    if blocks.dtype != np.uint8 or blocks.ndim != 4 or blocks.shape[3] != 3:
        raise ValueError(f"images must be uint8 (n, h, w, 3), not {blocks.dtype} {blocks.shape}")


def canvases_at_once(device: Device, height: int, width: int) -> int:
    """Return the number of canvases of this size for one pass."""
    return max(1, _PASS_PIXELS[device] // (height * width))


def ran_out(error: Exception, words: Collection[str]) -> bool:
    """Whether an error means a lack of memory, by its type or by lowercase words in its text."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(word in said for word in words)


def no_memory(device: Device) -> OutOfMemory:
    """Return the error for a device with too little memory."""
    title = "GPU" if device == "cuda" else "machine"
    return OutOfMemory(
        f"The {title}'s memory is too small for this step: close other programs or choose a "
        "smaller area."
    )
