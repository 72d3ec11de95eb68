"""Both networks as ONNX graphs, independent of the runtime."""

import logging
from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from shipdet.computing import Device, Precision
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.graph_format import OUTPUTS
from shipdet.models.map_channels import no_map_head
from shipdet.models.runtime import (
    BackendInfo,
    Maps,
    Scores,
    calibrated,
    canvases_at_once,
    check_blocks,
    check_canvases,
    check_windows,
)
from shipdet.mosaic import Pixels

Arrays = list[npt.NDArray[Any]]

WINDOW_BATCH: dict[Device, int] = {"cpu": 16, "cuda": 256}

_log = logging.getLogger(__name__)


class Graph(ABC):
    """A model's graph on a device, reopened in float32 if float16 overflows."""

    def __init__(self, device: Device, precision: Precision) -> None:
        self.device: Device = device
        self.precision: Precision = precision
        self.open()

    @property
    @abstractmethod
    def backend(self) -> BackendInfo:
        """Backend, device and number format in use."""

    @abstractmethod
    def open(self) -> None:
        """Open the graph in ``precision``."""

    @abstractmethod
    def compute(self, pixels: Pixels) -> Arrays:
        """Compute the outputs for contiguous uint8 (n, h, w, 3).

        Raises:
            OutOfMemory: The device's memory is too small.
        """

    def run(self, pixels: Pixels) -> Arrays:
        """Compute the outputs for uint8 (n, h, w, 3), in float32 if float16 overflows."""
        pixels = np.ascontiguousarray(pixels)
        outputs = self.compute(pixels)
        finite = all(np.isfinite(o).all() for o in outputs if o.dtype == np.float32)
        if self.precision == "fp16" and not finite:
            _log.info("float16 overflows on this device: continuing in float32")
            self.precision = "fp32"
            self.open()
            outputs = self.compute(pixels)
        return outputs

    def batches(self, pictures: Pixels, batch: int) -> list[Arrays]:
        """Compute the outputs for images of one size, in batches.

        On CUDA a short last batch is padded, since CUDA tunes convolutions for each new shape.
        """
        results = []
        for start in range(0, len(pictures), batch):
            part = pictures[start : start + batch]
            missing = batch - len(part)
            if self.device == "cuda" and missing and start:
                filled = np.concatenate([part, np.zeros((missing, *part.shape[1:]), np.uint8)])
                results.append([out[: len(part)] if out.ndim else out for out in self.run(filled)])
            else:
                results.append(self.run(part))
        return results


class GraphClassifier:
    """A ConvNeXt that scores single windows or all windows of a canvas, with its map head."""

    def __init__(self, config: ClassifierConfig, graph: Graph) -> None:
        self.config = config
        self.window_px = config.shipdet.window_px
        self.cell_px = config.cell_px
        self._graph = graph

    @property
    def backend(self) -> BackendInfo:
        """Backend, device and number format in use."""
        return self._graph.backend

    def scores(self, windows: Pixels) -> Scores:
        """See :class:`shipdet.models.runtime.Classifier`."""
        check_windows(windows, self.window_px)
        return self._all(windows, WINDOW_BATCH[self._graph.device], "whole").ravel()

    def dense(self, canvases: Pixels) -> Scores:
        """See :class:`shipdet.models.runtime.Classifier`."""
        check_canvases(canvases, self.window_px, self.cell_px)
        return self._all(canvases, self._canvases_at_once(canvases), "margins")

    def survey(self, canvases: Pixels) -> tuple[Scores, Maps]:
        """See :class:`shipdet.models.runtime.Classifier`."""
        check_canvases(canvases, self.window_px, self.cell_px)
        if self.config.shipdet.map is None:
            raise no_map_head()
        parts = self._graph.batches(canvases, self._canvases_at_once(canvases))
        margins, maps = (
            np.concatenate([part[OUTPUTS.index(name)] for part in parts])
            for name in ("margins", "map")
        )
        return margins, maps

    def _canvases_at_once(self, canvases: Pixels) -> int:
        return canvases_at_once(self._graph.device, *canvases.shape[1:3])

    def _all(self, pictures: Pixels, batch: int, output: Literal["margins", "whole"]) -> Scores:
        if not len(pictures):
            return np.zeros((0, 1, 1), np.float32)
        which = OUTPUTS.index(output)
        margins = np.concatenate([out[which] for out in self._graph.batches(pictures, batch)])
        return calibrated(margins, self.config.shipdet.calibration)


class GraphUpscaler:
    """Super-resolution with Real-ESRGAN."""

    def __init__(self, config: UpscalerConfig, graph: Graph) -> None:
        self.config = config
        self.scale: int = config.shipdet.scale
        self._graph = graph

    @property
    def backend(self) -> BackendInfo:
        """Backend, device and number format in use."""
        return self._graph.backend

    def upscale(self, blocks: Pixels) -> Pixels:
        """See :class:`shipdet.models.runtime.Upscaler`."""
        check_blocks(blocks)
        enlarged: Pixels = self._graph.run(blocks)[0]
        return enlarged
