"""Description of the machine that runs the benchmarks."""

import importlib.metadata
import os
import platform
from pathlib import Path

from shipdet.models.devices import cpu_threads
from shipdet.models.processors import cpu_precision


def machine() -> dict[str, object]:
    """Return processor, threads, memory, versions, and the ``load`` from other work."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": cpu_threads(),
        "precision": cpu_precision(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{
            name: _version(name) for name in ("torch", "onnxruntime-gpu", "onnxruntime", "openvino")
        },
    }


def _cpu() -> str:
    """Return the model name of the processor, with family and model number.

    Virtual machines often report a generic name, which the numbers make specific.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    entries = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in entries.items()}
    name = facts.get("model name", platform.processor())
    return f"{name} (family {facts.get('cpu family')}, model {facts.get('model')})"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
