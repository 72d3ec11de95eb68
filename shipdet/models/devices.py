"""What this machine can compute with: processors, threads, backends."""

import ctypes
import importlib.util
import logging
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from shipdet.errors import BackendUnavailable, BadOption
from shipdet.extras import require
from shipdet.models.runtime import BackendName, DeviceName

_CGROUP_CPU = Path("/sys/fs/cgroup/cpu.max")
_log = logging.getLogger(__name__)


class _Fork:
    """What a process that was forked has inherited: PyTorch without its threads, CUDA."""

    torch = False
    cuda = False
    #: noted before the fork, since PyTorch denies it in the child
    cuda_in_parent = False


class BackendState(NamedTuple):
    """Whether a backend can run here, and why or with what."""

    name: BackendName
    available: bool
    reason: str


def available_backends() -> list[BackendState]:
    """Both backends, with the device each would use, or the reason why it cannot run."""
    return [_torch_state(), _onnx_state()]


def _torch_state() -> BackendState:
    if importlib.util.find_spec("torch") is None:
        return BackendState("torch", False, "PyTorch is not installed")
    return BackendState("torch", True, f"PyTorch on {_device_title()}")


def _onnx_state() -> BackendState:
    if importlib.util.find_spec("onnxruntime") is None:
        return BackendState("onnx", False, "ONNX Runtime is not installed")
    return BackendState("onnx", True, f"ONNX Runtime on {_device_title()}")


def _device_title() -> str:
    return "a CUDA GPU" if cuda_available() else "the CPU"


def check_backend(name: str) -> BackendName:
    """The name, if it is that of a backend that can run here.

    Raises:
        BadOption: there is no such backend.
        MissingExtra: ONNX Runtime is not installed.
        BackendUnavailable: it cannot run on this machine.
    """
    for state in available_backends():
        if state.name == name:
            if not state.available:
                if name == "onnx":
                    require("onnxruntime", extra="onnx")
                raise BackendUnavailable(f"{state.reason}: choose the other backend.")
            return state.name
    raise BadOption(f"There is no backend called '{name[:40]}': choose torch or onnx.")


@lru_cache(maxsize=1)
def cuda_available() -> bool:
    """Whether PyTorch sees a CUDA GPU; ONNX Runtime's own list names CUDA without one, too.

    Importing PyTorch takes seconds, which a page that only wants to name the device need not
    wait for: without a driver the answer is known. (`spaces` lets PyTorch see a GPU before there
    is one.)
    """
    if not {"torch", "spaces"} & sys.modules.keys() and not has_gpu_driver():
        return False
    import torch

    return torch.cuda.is_available()


def has_gpu_driver() -> bool:
    """False where no GPU's driver can be loaded; True where that cannot be told."""
    if sys.platform != "linux" or Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def pick_device(wanted: DeviceName) -> Literal["cpu", "cuda"]:
    """The device to use: ``auto`` is the GPU where there is one.

    Raises:
        BadOption: not one of auto, cpu, cuda.
        BackendUnavailable: cuda was requested and is missing, or it cannot be used because
            this process was forked from one that uses it.
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
    """Threads to compute with: OMP_NUM_THREADS, else the processors this process may really use.

    A container's quota (cgroup v2) counts: with more threads than that they wait for one another.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = _CGROUP_CPU.read_text().split()
        return max(1, min(usable or 1, int(quota) // int(period)))
    except (OSError, ValueError):  # no cgroup, or "max": no quota
        return max(1, usable or 1)


def torch_threads() -> int:
    """Threads for PyTorch: :func:`cpu_threads`, but one where a fork has lost its threads.

    A forked process has PyTorch's pool of threads but none of its threads, and would wait for
    them without end.
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
