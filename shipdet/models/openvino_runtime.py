"""Both networks on OpenVINO, on the CPU: two to three times faster than ONNX Runtime.

OpenVINO computes in bf16 or float16 from the float32 ONNX graph, so one file serves these formats.
A classifier's 8-bit graph, if its folder has one, is the fastest.
"""

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from shipdet.computing import Device, Precision
from shipdet.errors import BadModel, BadOption
from shipdet.models.config import ClassifierConfig, UpscalerConfig
from shipdet.models.devices import cpu_threads
from shipdet.models.graph_runtime import Arrays, Graph, GraphClassifier, GraphUpscaler
from shipdet.models.graphs import graph_file, int8_file
from shipdet.models.hub import ModelFolder
from shipdet.models.processors import cpu_precision, pick_precision
from shipdet.models.runtime import BackendInfo, no_memory, ran_out
from shipdet.mosaic import Pixels
from shipdet.settings import Settings

# With this package installed, importing openvino sends a report to Google Analytics.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_NO_MEMORY = ("bad_alloc", "bad allocation", "out of memory", "allocate memory")


class OpenVinoGraph(Graph):
    """A model compiled for the CPU; requests run one at a time, since each uses all threads."""

    def __init__(self, folder: ModelFolder, settings: Settings, precision: Precision) -> None:
        """Open a folder's graph; a missing float32 graph is exported first.

        Raises:
            BadOption: The folder has no int8 graph.
        """
        self._name = folder.name
        self._file = _int8(folder) if precision == "int8" else graph_file(folder, "fp32", settings)
        self._turn = threading.Lock()
        super().__init__("cpu", precision)

    @property
    def backend(self) -> BackendInfo:
        """Backend, device and number format in use."""
        return BackendInfo("openvino", "cpu", self._processor, self.precision)

    def open(self) -> None:
        """See :class:`Graph`.

        Raises:
            BadModel: OpenVINO cannot load the graph.
        """
        core = ov.Core()
        wanted: dict[str, Any] = {
            # In an 8-bit graph, for the layers that are not in 8 bits.
            "INFERENCE_PRECISION_HINT": _HINTS[
                cpu_precision() if self.precision == "int8" else self.precision
            ],
            "INFERENCE_NUM_THREADS": cpu_threads(),
            "NUM_STREAMS": 1,
            # Two threads per core, and no thread pinned to a core, since other processes may use
            # the cores too.
            "ENABLE_HYPER_THREADING": True,
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": 0,  # one entry is cached per shape, and shapes vary
        }
        try:
            self._compiled = core.compile_model(str(self._file), "CPU", wanted)
        except RuntimeError as error:
            reason = (str(error).strip().splitlines() or [""])[-1][:120].rstrip(".")
            raise BadModel(f"The ONNX file of {self._name} cannot be loaded ({reason}).") from None
        if self.precision != "int8":
            # On a CPU without the instructions, OpenVINO computes in float32, or bf16 for fp16.
            hint = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
            self.precision = {name: precision for precision, name in _HINTS.items()}[hint]
        self._processor = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        self._request = self._compiled.create_infer_request()

    def compute(self, pixels: Pixels) -> Arrays:
        """See :class:`Graph`."""
        with self._turn:
            try:
                self._request.infer([pixels])
                outputs: Arrays = [np.array(found.data) for found in self._request.output_tensors]
                # Otherwise it keeps the memory that the largest canvas or block needed.
                self._compiled.release_memory()
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error, _NO_MEMORY):
                    raise
                raise no_memory("cpu") from None
        return outputs


def open_classifier(
    folder: ModelFolder,
    config: ClassifierConfig,
    device: Device,
    settings: Settings,
    precision: Precision | None = None,
) -> GraphClassifier:
    """Open the classifier of a checked folder; ``device`` is the CPU."""
    wanted = precision or settings.precision
    if wanted == "auto" and int8_file(folder):
        wanted = "int8"
    if wanted != "int8":
        wanted = pick_precision("cpu", wanted)
    return GraphClassifier(config, OpenVinoGraph(folder, settings, wanted))


def open_upscaler(
    folder: ModelFolder,
    config: UpscalerConfig,
    device: Device,
    settings: Settings,
    precision: Precision | None = None,
) -> GraphUpscaler:
    """Open the upscaler of a checked folder; ``device`` is the CPU."""
    chosen = precision or pick_precision("cpu", settings.precision)
    return GraphUpscaler(config, OpenVinoGraph(folder, settings, chosen))


def _int8(folder: ModelFolder) -> Path:
    file = int8_file(folder)
    if file is None:
        raise BadOption(
            f"{folder.name} has no int8 graph: choose another number format (auto, fp32 or bf16)."
        )
    return file
