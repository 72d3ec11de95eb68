"""Memory of a process on Linux."""

import re
from pathlib import Path


def resident_mb(line: str, process: int | str = "self") -> float:
    """Read a value from /proc/PID/status, in MB.

    This avoids getrusage, whose peak a child inherits from its parent.

    Args:
        line: ``VmRSS``, the current resident memory, or ``VmHWM``, its peak since the last reset.
        process: Process id, or "self".

    Raises:
        ValueError: The process has no memory: it is a kernel thread or has ended.
        OSError: The process does not exist.
    """
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{line}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise ValueError(f"process {process} has no {line}")
    return int(found[1]) / 1024


def start_counting() -> float:
    """Reset the peak of this process, to exclude e.g. imports; return its current MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resident_mb("VmRSS")
