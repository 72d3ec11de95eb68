"""Run folders: written under a temporary name, and renamed when complete."""

import errno
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from shipdet.errors import BadOption, Busy, StorageFull
from shipdet.report.exchange import exchange
from shipdet.settings import Settings

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

RUN_ID = re.compile(r"^\w[\w .-]{0,99}$")
LOCKED_WITHIN_S = 2.0  # a younger folder may be about to be locked
PARTIAL = ".partial"  # suffix of a folder that is being written
ASIDE = f".aside{PARTIAL}"  # suffix of a finished run while another version takes its place
GONE = "This run is not on disk any more: run the detection again."
_WRITING: dict[str, threading.Lock] = {}  # by the path of a run
_UNUSABLE = (  # errors that another folder remedies
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY,
    errno.ENAMETOOLONG, errno.EFBIG, errno.EINVAL, errno.ELOOP, errno.EISDIR,
)  # fmt: skip


def run_folder(run_id: str, settings: Settings) -> Path:
    """The folder of a finished run, by its id; never anything outside the runs folder."""
    folder = settings.runs_dir / run_id
    partial = run_id.endswith(PARTIAL)
    if partial or not RUN_ID.fullmatch(run_id) or not (folder / "run.json").is_file():
        raise BadOption(GONE)
    return folder


@contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Convert errors of a full or read-only disk to StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"The disk that holds {where} is full: free some space and run again; "
                "downloaded tiles are kept."
            ) from error
        if error.errno in _UNUSABLE:
            raise StorageFull(
                f"{where} cannot be written: choose another results folder."
            ) from error
        raise


@contextmanager
def _making(folder: Path) -> Iterator[None]:
    """Convert errors of creating a folder to StorageFull: /proc, a deleted parent, a loop."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # another remedy
        raise StorageFull(f"{folder} cannot be written: choose another results folder.") from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path, and rename it to ``path`` if the block ends without an error.

    Raises:
        StorageFull: The file cannot be written; an existing file is unchanged.
    """
    path = Path(os.path.abspath(path))
    with storage_errors(path):
        make_parents(path)
        draft = path.with_name(f".{secrets.token_hex(4)}{PARTIAL}")
        try:
            yield draft
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def save_file(path: Path, content: str | bytes) -> None:
    """Write a file atomically; raises as :func:`new_file`."""
    with new_file(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def new_folder(out: Path | None, name: str, settings: Settings) -> Iterator[tuple[Path, Path]]:
    """Yield a temporary folder and its final path, to which it is renamed at the end.

    If the block raises, the temporary folder is removed, so a cancelled or failed run leaves no
    files. ``out`` None creates a new folder under the runs folder.
    """
    if out is None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        stem = f"{name}-{stamp}" if name else stamp
        final = settings.runs_dir / f"{stem}-{secrets.token_hex(3)}"
    else:
        final = check_new(out)
    partial = final.with_name(final.name + PARTIAL)
    with storage_errors(final), ExitStack() as stack:
        with _making(final):
            make_parents(final)
            stack.enter_context(_made(partial))
        yield partial, final
        os.replace(partial, final)


def check_new(out: Path) -> Path:
    """The absolute path of a folder that is new or empty.

    Raises:
        BadOption: Something is there.
        StorageFull: It cannot be looked at.
    """
    with storage_errors(out), _making(out):
        final = out.resolve()  # "." has no name of its own
        taken = final.exists() and (not final.is_dir() or any(final.iterdir()))
    if taken:
        raise BadOption(f"{out} exists and is not an empty folder: choose another one.")
    return final


def make_parents(path: Path) -> None:
    """Make the folders above a path.

    Raises:
        OSError: They cannot be made; where the system says that a folder of them does not exist,
            as below /proc, PermissionError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from error


@contextmanager
def sole_writer(final: Path) -> Iterator[None]:
    """Whoever changes a finished run waits here for the others: threads and, by flock, processes.

    Raises BadOption when the run has been removed meanwhile.
    """
    path = os.path.realpath(final)
    with _WRITING.setdefault(path, threading.Lock()), ExitStack() as held:
        while fcntl is not None:
            try:
                descriptor = os.open(path, os.O_RDONLY)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    break
                held.close()  # another folder has taken the place of the one that was locked
            except FileNotFoundError:
                raise BadOption(GONE) from None
            except OSError:  # a file system without locks
                break
        yield


@contextmanager
def replaced_folder(final: Path) -> Iterator[Path]:
    """Yield a temporary folder that atomically replaces a finished run when the block ends.

    Readers see either the old or the new folder, each complete. After an error the old one stays.

    Raises:
        BadOption: The run was removed meanwhile.
    """
    partial = final.with_name(f"{final.name}-{secrets.token_hex(3)}{PARTIAL}")
    try:
        with storage_errors(final), _made(partial):
            yield partial
            exchange(partial, final, partial.with_suffix(ASIDE))
    except FileNotFoundError:
        raise BadOption(GONE) from None


@contextmanager
def _made(partial: Path) -> Iterator[None]:
    """Create a folder, locked while its process lives, and remove it at the end.

    A folder left by a killed process is replaced.

    Raises:
        Busy: A living process writes to the folder.
    """
    try:
        partial.mkdir()
    except FileExistsError:
        if not _abandoned(partial):
            raise Busy(
                f"Another run is writing to {partial.with_suffix('')}: choose another folder, or "
                f"remove {partial} if no run is active."
            ) from None
        shutil.rmtree(partial)
        partial.mkdir()
    lock = try_lock(partial)
    try:
        yield
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _abandoned(partial: Path) -> bool:
    """Whether the process that wrote a folder was killed: nobody holds its lock."""
    lock = try_lock(partial)
    if lock is None:
        return False
    os.close(lock)
    return time.time() - partial.stat().st_mtime > LOCKED_WITHIN_S


def try_lock(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed or the process ends.

    Returns:
        The descriptor; None if the lock is held elsewhere, or the system has no such locks.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
