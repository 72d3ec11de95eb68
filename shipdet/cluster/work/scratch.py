"""Folders for what a worker writes, removed by the next worker when their own was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "shipdet-block-"
NEW = "shipdet-new-"  # of a folder that is not locked yet, so that nobody takes it for abandoned


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder in the system's temporary one, removed when the block ends.

    Its owner holds a lock on it, which the kernel opens when the process dies, however it dies:
    that is how :func:`remove_abandoned` tells whose owner is gone.
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
    """Remove this machine's scratch folders whose owner was killed; returns how many."""
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
