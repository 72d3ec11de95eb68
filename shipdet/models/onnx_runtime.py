"""Both networks on ONNX Runtime: CUDA where PyTorch sees a GPU, else the CPU."""

import hashlib
import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import (
    onnxruntime_pybind11_state as ort_errors,
)

from shipdet.errors import BackendUnavailable, BadModel, OutOfMemory, StorageFull
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.devices import cpu_threads
from shipdet.models.hub import ModelFolder, file_sha256
from shipdet.models.map_channels import no_map_head
from shipdet.models.runtime import (
    BackendInfo,
    Maps,
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
Format = Literal["fp32", "fp16"]

FILES: dict[Format, str] = {"fp32": "onnx/model.onnx", "fp16": "onnx/model_fp16.onnx"}
OUTPUTS = ("margins", "whole", "map")
"""Of a classifier's graph, in their order; see onnx_graph."""
WINDOW_BATCH: dict[Device, int] = {"cpu": 16, "cuda": 256}
CANVAS_PIXELS: dict[Device, int] = {"cpu": 1 << 20, "cuda": 1 << 24}  # in one pass
_UNLOADABLE = (
    ort_errors.Fail,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_FAILED = (MemoryError, RuntimeError, ort_errors.Fail, ort_errors.RuntimeException)
_NO_MEMORY = ("failed to allocate", "out of memory", "bad_alloc", "bad allocation")

_log = logging.getLogger(__name__)


class _Graph:
    """A model's session on a device."""

    def __init__(
        self, folder: ModelFolder, device: Device, settings: Settings, precision: Format | None
    ) -> None:
        self._folder, self._device, self._settings = folder, device, settings
        self._format: Format = precision or pick_format(device, settings)
        self._session = self._opened()

    @property
    def backend(self) -> BackendInfo:
        """What really runs."""
        precision: Precision = self._format
        return BackendInfo("onnx", self._device, self._session.get_providers()[0], precision)

    def run(self, pixels: Pixels) -> list[npt.NDArray[Any]]:
        """The graph's outputs for uint8 (n, h, w, 3), finite in every value."""
        outputs = self._computed(pixels)
        finite = all(np.isfinite(o).all() for o in outputs if o.dtype == np.float32)
        if self._format == "fp16" and not finite:
            _log.info("float16 overflows on this device: going on in float32")
            self._format = "fp32"
            self._session = self._opened()
            outputs = self._computed(pixels)
        return outputs

    def _opened(self) -> ort.InferenceSession:
        file = graph_file(self._folder, self._format, self._settings)
        return open_session(file, self._device, self._folder.name)

    def _computed(self, pixels: Pixels) -> list[npt.NDArray[Any]]:
        pixels = np.ascontiguousarray(pixels)
        try:
            if self._device == "cpu":
                outputs: list[npt.NDArray[Any]] = self._session.run(
                    None, {"pixels": pixels}, _shrinking()
                )
                return outputs
            binding = self._session.io_binding()
            binding.bind_ortvalue_input(
                "pixels", ort.OrtValue.ortvalue_from_numpy(pixels, "cuda", 0)
            )
            for output in self._session.get_outputs():
                binding.bind_output(output.name, "cuda")
            self._session.run_with_iobinding(binding)
            bound: list[npt.NDArray[Any]] = binding.copy_outputs_to_cpu()
            return bound
        except _FAILED as error:
            words = str(error).lower()
            if not isinstance(error, MemoryError) and not any(w in words for w in _NO_MEMORY):
                raise
            title = "GPU" if self._device == "cuda" else "machine"
            raise OutOfMemory(
                f"The {title}'s memory is too small for this step: close other programs or choose "
                "a smaller area."
            ) from None

    def batches(self, pictures: Pixels, batch: int) -> list[list[npt.NDArray[Any]]]:
        """Outputs for images of one size, in batches.

        On CUDA a short batch is padded: its convolutions are tuned again for each shape.
        """
        results = []
        for start in range(0, len(pictures), batch):
            part = pictures[start : start + batch]
            missing = batch - len(part)
            if self._device == "cuda" and missing and start:
                filled = np.concatenate([part, np.zeros((missing, *part.shape[1:]), np.uint8)])
                results.append([out[: len(part)] if out.ndim else out for out in self.run(filled)])
            else:
                results.append(self.run(part))
        return results


class OnnxClassifier:
    """A ConvNeXt that scores windows, one by one or all those of a canvas at once."""

    def __init__(
        self,
        folder: ModelFolder,
        config: ClassifierConfig,
        device: Device,
        settings: Settings,
        precision: Format | None = None,
    ) -> None:
        """Open the folder's graph, made first when there is none; no precision means the best."""
        self.config = config
        self.window_px = config.shipdet.window_px
        self.cell_px = config.cell_px
        self._device: Device = device
        self._graph = _Graph(folder, device, settings, precision)

    @property
    def backend(self) -> BackendInfo:
        """What really runs."""
        return self._graph.backend

    def scores(self, windows: Pixels) -> Scores:
        """See :class:`shipdet.models.runtime.Classifier`."""
        check_windows(windows, self.window_px)
        return self._all(windows, WINDOW_BATCH[self._device], "whole").ravel()

    def dense(self, canvases: Pixels) -> Scores:
        """See :class:`shipdet.models.runtime.Classifier`."""
        check_canvases(canvases, self.window_px, self.cell_px)
        pixels = canvases.shape[1] * canvases.shape[2]
        return self._all(canvases, max(1, CANVAS_PIXELS[self._device] // pixels), "margins")

    def survey(self, canvases: Pixels) -> tuple[Scores, Maps]:
        """See :class:`shipdet.models.runtime.Classifier`."""
        check_canvases(canvases, self.window_px, self.cell_px)
        if self.config.shipdet.map is None:
            raise no_map_head()
        pixels = canvases.shape[1] * canvases.shape[2]
        parts = self._graph.batches(canvases, max(1, CANVAS_PIXELS[self._device] // pixels))
        margins, maps = (
            np.concatenate([part[OUTPUTS.index(name)] for part in parts])
            for name in ("margins", "map")
        )
        return margins, maps

    def _all(self, pictures: Pixels, batch: int, output: Literal["margins", "whole"]) -> Scores:
        if not len(pictures):
            return np.zeros((0, 1, 1), np.float32)
        which = OUTPUTS.index(output)
        margins = np.concatenate([out[which] for out in self._graph.batches(pictures, batch)])
        return calibrated(margins, self.config.shipdet.calibration)


class OnnxUpscaler:
    """Real-ESRGAN."""

    def __init__(
        self,
        folder: ModelFolder,
        config: UpscalerConfig,
        device: Device,
        settings: Settings,
        precision: Format | None = None,
    ) -> None:
        """Open the folder's graph, made first when there is none; no precision means the best."""
        self.config = config
        self.scale: int = config.shipdet.scale
        self._graph = _Graph(folder, device, settings, precision)

    @property
    def backend(self) -> BackendInfo:
        """What really runs."""
        return self._graph.backend

    def upscale(self, blocks: Pixels) -> Pixels:
        """See :class:`shipdet.models.runtime.Upscaler`."""
        check_blocks(blocks)
        enlarged: Pixels = self._graph.run(blocks)[0]
        return enlarged


def pick_format(device: Device, settings: Settings) -> Format:
    """The number format of the graph to run: the setting ``precision``, or the device's best.

    Raises:
        BackendUnavailable: the setting is bf16, which ONNX Runtime has no kernels for.
    """
    wanted = settings.precision
    if wanted == "bf16":
        raise BackendUnavailable(
            "ONNX Runtime cannot compute in bf16: set SHIPDET_PRECISION to auto, fp32 or fp16, or "
            "choose the torch backend."
        )
    if wanted == "auto":
        return "fp16" if device == "cuda" else "fp32"
    return wanted


def graph_file(folder: ModelFolder, precision: Format, settings: Settings) -> Path:
    """The ONNX file of a model: the one that came with it, else one made in the cache folder.

    A file that came with the model is used only if config.json vouches for it, by its sha256 and
    that of the weights from which it was exported.

    Raises:
        StorageFull: the cache folder cannot be written.
    """
    shipped = folder.path / FILES[precision]
    entry = folder.config.shipdet.onnx.get(FILES[precision])
    ours = entry is not None and entry.weights_sha256 == folder.sha256
    if entry and ours and shipped.is_file() and file_sha256(shipped) == entry.sha256:
        return shipped
    from shipdet.models.onnx_graph import GRAPH, OPSET, write_graph

    # What else shapes the graph: the architecture, and the normalization or parameters.
    config = folder.config
    rest: object
    if isinstance(config, ClassifierConfig):
        head = config.shipdet.map.sha256 if config.shipdet.map else None
        rest = (config.pretrained_cfg, config.cell_px, config.margin_cells, head)
    else:
        rest = config.params
    key = f"{folder.sha256} {config.architecture} {rest!r} {GRAPH} {OPSET}"
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    made = settings.cache_dir / "onnx" / name / Path(FILES[precision]).name
    if not made.is_file():
        try:
            write_graph(folder.config, folder.weights, made, precision, folder.map_weights)
        except OSError as error:
            raise StorageFull(
                f"The ONNX form of {folder.name} cannot be written to {made.parent} "
                f"({error.strerror}): free some space or set SHIPDET_CACHE_DIR."
            ) from None
    return made


def _shrinking() -> ort.RunOptions:
    """Options of a run on the CPU after which ONNX Runtime gives back the memory that it took.

    Otherwise its arena stays as large as the largest canvas or block that was ever given to it.
    """
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def open_session(file: Path, device: Device, name: str) -> ort.InferenceSession:
    """A session that runs on the device and nowhere else.

    Raises:
        BadModel: not a graph that ONNX Runtime can load.
        BackendUnavailable: ONNX Runtime fell back from CUDA to the CPU.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = cpu_threads()
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # a pattern is kept per shape, and shapes vary
    # Threads that wait must not burn the cores that PyTorch, downloads or another run could use.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: what falls back is checked below
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == "cuda":
        import torch  # noqa: F401  # its wheels bring the CUDA and cuDNN libraries

        ort.preload_dlls()
        cuda = {
            # An exhaustive search runs again for each new shape.
            "cudnn_conv_algo_search": "HEURISTIC",
            "arena_extend_strategy": "kSameAsRequested",
        }
        providers.insert(0, ("CUDAExecutionProvider", cuda))
    try:
        session = ort.InferenceSession(str(file), options, providers=providers)
    except _UNLOADABLE as error:
        reason = (str(error).splitlines() or [""])[0][:120].rstrip(".")
        raise BadModel(f"The ONNX file of {name} cannot be loaded ({reason}).") from None
    if device == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise BackendUnavailable(
            "ONNX Runtime cannot use this machine's GPU (CUDA or cuDNN not found): choose the "
            "torch backend or the device cpu."
        )
    return session


def open_classifier(
    folder: ModelFolder,
    config: ClassifierConfig,
    device: Device,
    settings: Settings,
    precision: Format | None = None,
) -> OnnxClassifier:
    """The classifier of a checked folder."""
    return OnnxClassifier(folder, config, device, settings, precision)


def open_upscaler(
    folder: ModelFolder,
    config: UpscalerConfig,
    device: Device,
    settings: Settings,
    precision: Format | None = None,
) -> OnnxUpscaler:
    """The upscaler of a checked folder."""
    return OnnxUpscaler(folder, config, device, settings, precision)
