"""The lock that lets one run at a time use the processor."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shipdet.progress import HEARTBEAT_S, Progress, Steps

lock = threading.Lock()


def _after_fork_in_child() -> None:
    """Replace the lock: a run that holds it in the parent does not run in the child."""
    global lock
    lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def held() -> Iterator[None]:
    """Release the lock at the end; :func:`wait` has acquired it."""
    try:
        yield
    finally:
        lock.release()


def wait() -> Steps[None]:
    """Acquire the lock; yields while it waits, so that the run can be cancelled."""
    while not lock.acquire(timeout=HEARTBEAT_S):
        yield Progress("wait", 0, 0, note="another run is using the processor")
