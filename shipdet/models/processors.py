"""What this machine's CPU is, and the number format that suits it; imports no PyTorch on Linux."""

import platform
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Literal

from shipdet.computing import Device, Precision, PrecisionSetting
from shipdet.errors import BackendUnavailable

_CPUINFO = Path("/proc/cpuinfo")


def pick_precision(device: Device, wanted: PrecisionSetting = "auto") -> Precision:
    """The number format to run in, the same on every start of a machine.

    ``auto`` is fp16 on CUDA, and on a CPU what :func:`cpu_precision` says.

    Args:
        device: where the network runs.
        wanted: the setting ``precision``.

    Raises:
        BackendUnavailable: int8, which only OpenVINO has graphs for.
    """
    if wanted == "int8":
        raise no_int8()
    if wanted != "auto":
        return wanted
    return "fp16" if device == "cuda" else cpu_precision()


def no_int8() -> BackendUnavailable:
    """The error of a backend that has no 8-bit graphs."""
    return BackendUnavailable(
        "Only OpenVINO computes in int8: choose the backend openvino, or another number format."
    )


def cpu_precision() -> Literal["fp32", "bf16"]:
    """bf16 on a CPU that multiplies bf16 matrices faster than fp32 ones, fp32 on all others.

    The same on every start of a machine, and for every backend that has both.
    """
    return "bf16" if cpu_prefers_bf16(cpu_flags(), cpu_vendor()) else "fp32"


def cpu_prefers_bf16(flags: Collection[str], vendor: str) -> bool:
    """Whether a CPU is faster in bf16.

    An Intel CPU is with AMX: with AVX-512 BF16 alone it runs the networks 1.5 times slower in bf16.
    An AMD CPU (from Zen 4 on) is with AVX-512 BF16: an EPYC runs them three times faster.

    Args:
        flags: see :func:`cpu_flags`.
        vendor: see :func:`cpu_vendor`.
    """
    return "amx_bf16" in flags or (vendor == "AuthenticAMD" and "avx512_bf16" in flags)


@lru_cache(maxsize=1)
def cpu_flags() -> frozenset[str]:
    """Instruction sets as Linux names them, such as avx512_bf16."""
    value = _cpuinfo_field("flags")
    if value is not None:
        return frozenset(value.split())
    import torch  # not Linux, or a CPU whose flags have another name

    return frozenset(name for name, there in torch.cpu.get_capabilities().items() if there is True)


@lru_cache(maxsize=1)
def cpu_vendor() -> str:
    """The CPU's vendor as the CPU itself names it, such as AuthenticAMD; empty where unknown."""
    if not _CPUINFO.exists():  # on Windows the name ends with the vendor
        return platform.processor().rpartition(", ")[2]
    return _cpuinfo_field("vendor_id") or ""


def is_x86() -> bool:
    """Whether the processor is an x86 one of 64 bits."""
    return platform.machine().lower() in ("x86_64", "amd64")


def _cpuinfo_field(name: str) -> str | None:
    """A field of the first processor in /proc/cpuinfo; None where it is not there."""
    try:
        lines = _CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        return None
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(values, None)
