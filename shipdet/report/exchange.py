"""Atomically swap two directories."""

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100  # fcntl.h
_RENAME_EXCHANGE = 2  # linux/fs.h
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)  # by kernel or file system


def exchange(one: Path, other: Path, aside: Path) -> None:
    """Swap two directories of the same file system, atomically on Linux.

    On other systems, and on file systems without this operation, ``other`` is briefly moved to
    ``aside``, and moved back after an error.

    Args:
        one: A directory.
        other: The directory to swap it with.
        aside: An unused path on the same file system.

    Raises:
        OSError: A directory does not exist or cannot be renamed.
    """
    library = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    rename = getattr(library, "renameat2", None)
    if rename is not None:
        paths = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
        if rename(*paths, _RENAME_EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _UNSUPPORTED:
            raise OSError(code, os.strerror(code), str(other))
    os.replace(other, aside)
    try:
        os.replace(one, other)
    except BaseException:
        os.replace(aside, other)
        raise
    os.replace(aside, one)
