"""Both networks on ONNX Runtime: on CUDA if PyTorch sees a GPU, else on the CPU."""

from pathlib import Path
from typing import Any

import onnxruntime as ort
from onnxruntime.capi import (
    onnxruntime_pybind11_state as ort_errors,
)

from shipdet.computing import Device
from shipdet.errors import BackendUnavailable, BadModel
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.devices import cpu_threads
from shipdet.models.graph_format import Format
from shipdet.models.graph_runtime import Arrays, Graph, GraphClassifier, GraphUpscaler
from shipdet.models.graphs import graph_file
from shipdet.models.hub import ModelFolder
from shipdet.models.processors import no_int8
from shipdet.models.runtime import BackendInfo, no_memory, ran_out
from shipdet.mosaic import Pixels
from shipdet.settings import Settings

_UNLOADABLE = (
    ort_errors.Fail,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_FAILED = (MemoryError, RuntimeError, ort_errors.Fail, ort_errors.RuntimeException)
_NO_MEMORY = ("failed to allocate", "out of memory", "bad_alloc", "bad allocation")


class OnnxGraph(Graph):
    """A model's session on a device."""

    def __init__(
        self, folder: ModelFolder, device: Device, settings: Settings, precision: Format
    ) -> None:
        self._folder, self._settings = folder, settings
        super().__init__(device, precision)

    @property
    def backend(self) -> BackendInfo:
        """Backend, device and number format in use."""
        provider = self._session.get_providers()[0]
        return BackendInfo("onnx", self.device, provider, self.precision)

    def open(self) -> None:
        """See :class:`Graph`."""
        precision: Format = "fp16" if self.precision == "fp16" else "fp32"
        file = graph_file(self._folder, precision, self._settings)
        self._session = open_session(file, self.device, self._folder.name)

    def compute(self, pixels: Pixels) -> Arrays:
        """See :class:`Graph`."""
        try:
            if self.device == "cpu":
                outputs: Arrays = self._session.run(None, {"pixels": pixels}, _shrinking())
                return outputs
            binding = self._session.io_binding()
            binding.bind_ortvalue_input(
                "pixels", ort.OrtValue.ortvalue_from_numpy(pixels, "cuda", 0)
            )
            for output in self._session.get_outputs():
                binding.bind_output(output.name, "cuda")
            self._session.run_with_iobinding(binding)
            bound: Arrays = binding.copy_outputs_to_cpu()
            return bound
        except _FAILED as error:
            if not ran_out(error, _NO_MEMORY):
                raise
            raise no_memory(self.device) from None


def pick_format(device: Device, settings: Settings) -> Format:
    """Choose the number format: the setting ``precision``, or the best for the device.

    Raises:
        BackendUnavailable: The setting is bf16 or int8, which this backend does not support.
    """
    wanted = settings.precision
    if wanted == "int8":
        raise no_int8()
    if wanted == "bf16":
        raise BackendUnavailable(
            "ONNX Runtime cannot compute in bf16: choose the number format auto, fp32 or fp16, or "
            "another backend."
        )
    if wanted == "auto":
        return "fp16" if device == "cuda" else "fp32"
    return wanted


def _shrinking() -> ort.RunOptions:
    """Return options with which ONNX Runtime frees its memory after a run on the CPU.

    Otherwise its arena keeps the size that the largest canvas or block needed.
    """
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def open_session(file: Path, device: Device, name: str) -> ort.InferenceSession:
    """Open a session that runs on this device only.

    Raises:
        BadModel: ONNX Runtime cannot load the graph.
        BackendUnavailable: ONNX Runtime fell back from CUDA to the CPU.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = cpu_threads()
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # one is cached per shape, and shapes vary
    # Spinning threads would take cores from PyTorch, downloads and other runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: a fallback to the CPU is detected below
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == "cuda":
        import torch  # noqa: F401  # its wheels bring the CUDA and cuDNN libraries

        ort.preload_dlls()
        cuda = {
            # An exhaustive search would run for each new shape.
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
) -> GraphClassifier:
    """Open the classifier of a checked folder."""
    chosen = precision or pick_format(device, settings)
    return GraphClassifier(config, OnnxGraph(folder, device, settings, chosen))


def open_upscaler(
    folder: ModelFolder,
    config: UpscalerConfig,
    device: Device,
    settings: Settings,
    precision: Format | None = None,
) -> GraphUpscaler:
    """Open the upscaler of a checked folder."""
    chosen = precision or pick_format(device, settings)
    return GraphUpscaler(config, OnnxGraph(folder, device, settings, chosen))
