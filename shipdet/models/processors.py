"""Detect the CPU and its best number format; imports no PyTorch on Linux."""

import platform
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Literal

from shipdet.computing import Device, Precision, PrecisionSetting
from shipdet.errors import BackendUnavailable

_CPUINFO = Path("/proc/cpuinfo")


def pick_precision(device: Device, wanted: PrecisionSetting = "auto") -> Precision:
    """Choose the number format; the same at every start of a machine.

    ``auto`` is fp16 on CUDA, and :func:`cpu_precision` on a CPU.

    Args:
        device: The device of the network.
        wanted: The setting ``precision``.

    Raises:
        BackendUnavailable: ``wanted`` is int8, which only OpenVINO supports.
    """
    if wanted == "int8":
        raise no_int8()
    if wanted != "auto":
        return wanted
    return "fp16" if device == "cuda" else cpu_precision()


def no_int8() -> BackendUnavailable:
    """Return the error of a backend without 8-bit graphs."""
    return BackendUnavailable(
        "Only OpenVINO computes in int8: choose the backend openvino, or another number format."
    )


def cpu_precision() -> Literal["fp32", "bf16"]:
    """Return bf16 if the CPU multiplies bf16 matrices faster than fp32 ones, else fp32.

    The same at every start of a machine, and for all backends that have both.
    """
    return "bf16" if cpu_prefers_bf16(cpu_flags(), cpu_vendor()) else "fp32"


def cpu_prefers_bf16(flags: Collection[str], vendor: str) -> bool:
    """Whether a CPU is faster in bf16.

    Intel CPUs are, if they have AMX: with only AVX-512 BF16, bf16 is 1.5 times slower. AMD CPUs
    are, if they have AVX-512 BF16 (Zen 4 and later): on an EPYC, bf16 is three times faster.

    Args:
        flags: See :func:`cpu_flags`.
        vendor: See :func:`cpu_vendor`.
    """
    return "amx_bf16" in flags or (vendor == "AuthenticAMD" and "avx512_bf16" in flags)


@lru_cache(maxsize=1)
def cpu_flags() -> frozenset[str]:
    """Return the instruction sets as Linux names them, such as avx512_bf16."""
    value = _cpuinfo_field("flags")
    if value is not None:
        return frozenset(value.split())
    import torch  # not Linux, or a CPU whose flags have another name

    return frozenset(name for name, there in torch.cpu.get_capabilities().items() if there is True)


@lru_cache(maxsize=1)
def cpu_vendor() -> str:
    """Return the vendor id of the CPU, such as AuthenticAMD; "" if unknown."""
    if not _CPUINFO.exists():  # on Windows the name ends with the vendor
        return platform.processor().rpartition(", ")[2]
    return _cpuinfo_field("vendor_id") or ""


def is_x86() -> bool:
    """Whether the processor is a 64-bit x86."""
    return platform.machine().lower() in ("x86_64", "amd64")


def _cpuinfo_field(name: str) -> str | None:
    """Return a field of the first processor in /proc/cpuinfo; None if it is missing."""
    try:
        lines = _CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        return None
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(values, None)
