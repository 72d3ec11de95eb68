"""The one processor of this machine: runs use it in turn."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shipdet.progress import HEARTBEAT_S, Progress, Steps

lock = threading.Lock()


def _after_fork_in_child() -> None:
    """A run of another thread of the parent goes on there, and not in the child."""
    global lock
    lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


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
