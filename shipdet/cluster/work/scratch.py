"""Temporary folders of workers; the next worker removes those of killed workers."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "shipdet-block-"
NEW = "shipdet-new-"  # prefix of a folder that is not locked yet


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty temporary folder that is removed at the end of the ``with`` block.

    The folder is locked. The kernel releases the lock when the process dies, so
    :func:`remove_abandoned` recognizes the folders of dead processes.
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
    """Remove the folders of killed workers on this machine; return how many."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # locked, another user's, or just removed
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                removed += 1
            finally:
                os.close(lock)
    return removed
