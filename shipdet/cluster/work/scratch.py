"""Temporary folders of workers; those of killed workers are removed by the next one."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "shipdet-block-"
NEW = "shipdet-new-"  # of a folder that is not locked yet, and must not be removed


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty temporary folder, removed at the end of the ``with`` block.

    The owner holds a lock on it. The kernel frees the lock when the process dies, so
    :func:`remove_abandoned` finds the folders of dead processes.
    """
    new = Path(tempfile.mkdtemp(prefix=NEW))
    folder = new.with_name(PREFIX + new.name.removeprefix(NEW))
    lock = os.open(new, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        new.rename(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned() -> int:
    """Remove the folders of killed workers of this machine; returns how many."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, or just removed
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                removed += 1
            finally:
                os.close(lock)
    return removed
