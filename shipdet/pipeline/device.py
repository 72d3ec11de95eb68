"""The one processor of this machine: runs use it in turn."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shipdet.progress import HEARTBEAT_S, Progress, Steps

lock = threading.Lock()


@contextmanager
def held() -> Iterator[None]:
    """Give the processor back at the end, after :func:`wait` has taken it."""
    try:
        yield
    finally:
        lock.release()


def wait() -> Steps[None]:
    """One run computes at a time; the others wait, and can be cancelled while they do."""
    while not lock.acquire(timeout=HEARTBEAT_S):
        yield Progress("wait", 0, 0, note="another run is using the processor")
