"""Detect the devices, threads and backends of this machine."""

import ctypes
import importlib.util
import logging
import os
import sys
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, cast

from shipdet.computing import BackendName, Device, DeviceSetting
from shipdet.errors import BackendUnavailable, BadOption, ShipdetError
from shipdet.extras import require
from shipdet.models.processors import is_x86

_CGROUP_CPU = Path("/sys/fs/cgroup/cpu.max")
_log = logging.getLogger(__name__)


class _Fork:
    """What a forked process inherits: PyTorch without its threads, and CUDA."""

    torch = False
    cuda = False
    #: recorded before the fork, because in the child PyTorch reports False
    cuda_in_parent = False


class BackendState(NamedTuple):
    """Whether a backend can run here; ``reason`` is its device, or why it cannot."""

    name: BackendName
    available: bool
    reason: str


#: Title and packages of each backend; its extra has the backend's name.
_PACKAGES: dict[BackendName, tuple[str, tuple[str, ...]]] = {
    "torch": ("PyTorch", ("torch",)),
    "onnx": ("ONNX Runtime", ("onnxruntime",)),
    "openvino": ("OpenVINO", ("openvino",)),
}


def available_backends() -> list[BackendState]:
    """List all backends, with the device that each uses or the reason why it cannot run."""
    return [_state(name) for name in _PACKAGES]


def _state(name: BackendName) -> BackendState:
    title, packages = _PACKAGES[name]
    if not all(map(importlib.util.find_spec, packages)):
        return BackendState(name, False, f"{title} is not installed")
    on_gpu = name != "openvino" and cuda_available()
    return BackendState(name, True, f"{title} on {'a CUDA GPU' if on_gpu else 'the CPU'}")


def pick_backend(wanted: str, device: DeviceSetting) -> tuple[BackendName, Device]:
    """Choose the backend and the device.

    ``auto`` is OpenVINO on an x86 CPU, if it is installed: it runs both networks fastest on all
    x86 CPUs measured. Otherwise it is PyTorch. Nothing is timed, so every start chooses the same.

    Args:
        wanted: auto, torch, onnx or openvino.
        device: See :func:`pick_device`.

    Raises:
        BadOption: There is no such backend or device.
        MissingExtra: The backend is not installed.
        BackendUnavailable: The device is missing, or the backend does not support it.
    """
    if wanted not in ("auto", *_PACKAGES):
        choice = ", ".join(("auto", *_PACKAGES))
        raise BadOption(f"There is no backend called '{wanted[:40]}': choose one of {choice}.")
    if wanted == "openvino":
        if device == "cuda":
            raise BackendUnavailable(
                "OpenVINO computes on the processor: choose the device cpu or auto, or another "
                "backend."
            )
        device = "cpu" if device == "auto" else device
    place = pick_device(device)
    if wanted == "auto":
        ready = place == "cpu" and is_x86() and _state("openvino").available
        return ("openvino" if ready else "torch"), place
    name = cast(BackendName, wanted)
    require(*_PACKAGES[name][1], extra=name)
    return name, place


def import_backend(wanted: str, device: DeviceSetting) -> None:
    """Import the packages of a backend, so that the first search does not wait for them.

    A backend that cannot run here is ignored; the search reports why.
    """
    with suppress(ShipdetError):
        backend, _ = pick_backend(wanted, device)
        for package in _PACKAGES[backend][1]:
            import_module(package)


@lru_cache(maxsize=1)
def cuda_available() -> bool:
    """Whether PyTorch sees a CUDA GPU; ONNX Runtime lists CUDA even without one.

    Without a driver, PyTorch is not imported, which takes seconds. (The package ``spaces`` lets
    PyTorch see a GPU before there is one.)
    """
    if not {"torch", "spaces"} & sys.modules.keys() and not has_gpu_driver():
        return False
    import torch

    return torch.cuda.is_available()


def has_gpu_driver() -> bool:
    """Return False if no GPU driver can be loaded; True if that is unknown."""
    if sys.platform != "linux" or Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def pick_device(wanted: DeviceSetting) -> Device:
    """Choose the device: ``auto`` is the GPU if there is one.

    Raises:
        BadOption: ``wanted`` is not auto, cpu or cuda.
        BackendUnavailable: There is no GPU, or this process cannot use it because it was forked
            from one that does.
    """
    if _Fork.cuda and wanted in ("auto", "cuda"):
        raise BackendUnavailable(
            "A process that was forked from one that uses the GPU cannot use it: start it with "
            'multiprocessing.get_context("spawn"), or choose the device cpu.'
        )
    if wanted == "auto":
        return "cuda" if cuda_available() else "cpu"
    if wanted == "cuda":
        if not cuda_available():
            raise BackendUnavailable(
                "This machine has no CUDA GPU that PyTorch can use: choose the device cpu or auto."
            )
        return "cuda"
    if wanted == "cpu":
        return "cpu"
    raise BadOption(f"There is no device called '{str(wanted)[:40]}': choose auto, cpu or cuda.")


def cpu_threads() -> int:
    """Return the number of threads: OMP_NUM_THREADS, else the usable processors.

    A container's quota (cgroup v2) limits these: more threads would wait for one another.
    """
    configured = os.environ.get("OMP_NUM_THREADS", "")
    if configured.isdecimal() and int(configured) > 0:
        return int(configured)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = _CGROUP_CPU.read_text().split()
        return max(1, min(usable or 1, int(quota) // int(period)))
    except (OSError, ValueError):  # no cgroup, or "max": no quota
        return max(1, usable or 1)


def torch_threads() -> int:
    """Return the number of threads for PyTorch: :func:`cpu_threads`, or 1 in a forked process.

    A process forked after PyTorch was imported inherits a thread pool without its threads, and
    would wait for them forever.
    """
    return 1 if _Fork.torch else cpu_threads()


def _before_fork() -> None:
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    _Fork.cuda_in_parent = bool(cuda and cuda.is_initialized())


def _after_fork_in_child() -> None:
    _Fork.cuda = _Fork.cuda or _Fork.cuda_in_parent
    set_threads = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if set_threads is not None:
        _Fork.torch = True
        set_threads(1)
        _log.info("forked after PyTorch was loaded: computing with one thread")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
