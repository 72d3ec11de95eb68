"""Memory of a process, as Linux counts it."""

import re
from pathlib import Path


def resident_mb(line: str, process: int | str = "self") -> float:
    """``VmRSS``, what is in memory now, or ``VmHWM``, the most since the last reset.

    Not getrusage, whose peak a child takes over from its parent. Raises ValueError for a process
    without memory: one of the kernel's, or one that has ended; OSError for one that does not exist.
    """
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{line}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise ValueError(f"process {process} has no {line}")
    return int(found[1]) / 1024


def start_counting() -> float:
    """Forget the peak of what was before, imports for example; MB in memory now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resident_mb("VmRSS")
