"""Run folders: written under a temporary name and renamed when complete."""

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
LOCKED_WITHIN_S = 2.0  # a newer folder may not be locked yet
PARTIAL = ".partial"  # suffix of a file or folder that is being written
ASIDE = f".aside{PARTIAL}"  # suffix of a finished run while it is being replaced
_MARK = f".shipdet{PARTIAL}"  # a file in every folder that a run is writing
GONE = "This run is no longer on disk: run the detection again."
_WRITING: dict[str, threading.Lock] = {}  # by path of the run
_UNUSABLE = (  # errors that choosing another folder solves
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY,
    errno.ENAMETOOLONG, errno.EFBIG, errno.EINVAL, errno.ELOOP, errno.EISDIR,
    errno.EBUSY, errno.EXDEV,
)  # fmt: skip
_MOUNT_POINT = (errno.EBUSY, errno.EXDEV)  # errors of replacing one


def run_folder(run_id: str, settings: Settings) -> Path:
    """Return the folder of a finished run by its id, always inside the runs folder.

    Raises:
        BadOption: There is no such run.
    """
    folder = settings.runs_dir / run_id
    partial = run_id.endswith(PARTIAL)
    if partial or not RUN_ID.fullmatch(run_id) or not (folder / "run.json").is_file():
        raise BadOption(GONE)
    return folder


@contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Convert errors of a full or unwritable disk to StorageFull.

    Args:
        where: The file or folder, for the message.
    """
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
def _creation_errors(path: Path) -> Iterator[None]:
    """Convert errors of creating a file or folder (/proc, deleted parent, loop) to StorageFull.

    Args:
        path: The file or folder, for the message.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # storage_errors has its own message
        raise StorageFull(f"{path} cannot be written: choose another results folder.") from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path and rename it to ``path`` if the block ends without an error.

    Raises:
        StorageFull: The file cannot be written; an existing file does not change.
    """
    with _draft_of(path) as draft:
        yield draft
        os.replace(draft, path)


def check_file(path: Path) -> None:
    """Check that :func:`new_file` can write a file; creates missing parent folders.

    Raises:
        StorageFull: The file cannot be written.
    """
    with _draft_of(path):
        pass


@contextmanager
def _draft_of(path: Path) -> Iterator[Path]:
    """Create an empty temporary file next to a file, and remove it if it is still there."""
    path = Path(os.path.abspath(path))
    draft = path.with_name(f".{secrets.token_hex(4)}{PARTIAL}")
    with storage_errors(path):
        with _creation_errors(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            make_parents(path)
            draft.touch()
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)


def save_file(path: Path, content: str | bytes) -> None:
    """Write a file atomically; raises the errors of :func:`new_file`."""
    with new_file(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def as_text(name: str) -> str:
    """Return a file name with replacement characters for bytes that are not UTF-8.

    Example:
        >>> as_text("caf\\udce9.tif")
        'caf�.tif'
    """
    return os.fsencode(name).decode("utf-8", "replace")


@contextmanager
def new_folder(out: Path | None, name: str, settings: Settings) -> Iterator[tuple[Path, Path]]:
    """Yield a temporary folder and its final path, to which it is renamed at the end.

    If the block raises, the temporary folder is removed, so a cancelled or failed run leaves no
    files.

    Args:
        out: The final path, new or empty; None for a new folder in the runs folder.
        name: Start of the new folder's name.
        settings: ``runs_dir``.

    Raises:
        BadOption: ``out`` exists and is not an empty folder, or its name is not UTF-8.
        Busy: Another run is writing to it.
        StorageFull: It cannot be written.
    """
    if out is None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        stem = f"{name}-{stamp}" if name else stamp
        final = settings.runs_dir / f"{stem}-{secrets.token_hex(3)}"
    else:
        final = check_new(out)
    shown = as_text(str(final))
    if shown != str(final):
        raise BadOption(
            f"The results folder '{shown}' has a name that is not UTF-8, which GDAL "
            "cannot write to: choose another one."
        )
    partial = final.with_name(final.name + PARTIAL)
    with storage_errors(final), ExitStack() as stack:
        with _creation_errors(final):
            make_parents(final)
            partial = stack.enter_context(_locked_folder(partial))
        yield partial, final
        (partial / _MARK).unlink()
        _put_in_place(partial, final)


def _put_in_place(partial: Path, final: Path) -> None:
    """Rename a folder to a path that is new or an empty folder.

    A mount point cannot be replaced, so the files are copied into it, run.json last: the run
    appears when it is complete. After an error the mount point is empty again.
    """
    try:
        os.replace(partial, final)
        return
    except OSError as error:
        if error.errno not in _MOUNT_POINT:
            raise
    try:
        for source in sorted(partial.rglob("*"), key=lambda path: (path.name == "run.json", path)):
            target = final / source.relative_to(partial)
            if source.is_dir():
                target.mkdir()
            else:
                shutil.copyfile(source, target)
    except BaseException:
        for path in final.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def check_new(out: Path) -> Path:
    """Return the absolute path of a folder that is new or empty.

    Raises:
        BadOption: The path exists and is not an empty folder.
        StorageFull: The path cannot be read.
    """
    with storage_errors(out), _creation_errors(out):
        final = out.resolve()  # the path "." has an empty name
        taken = final.exists() and (not final.is_dir() or any(final.iterdir()))
    if taken:
        raise BadOption(f"{out} exists and is not an empty folder: choose another one.")
    return final


def make_parents(path: Path) -> None:
    """Create the parent folders of a path.

    Raises:
        OSError: They cannot be created; PermissionError where the system reports a missing folder,
            such as below /proc.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from error


@contextmanager
def sole_writer(final: Path) -> Iterator[None]:
    """Let one writer at a time change a finished run, across threads and processes (flock).

    Raises:
        BadOption: The run was deleted in the meantime.
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
                held.close()  # the locked folder was replaced: lock the new one
            except FileNotFoundError:
                raise BadOption(GONE) from None
            except OSError:  # the file system has no locks
                break
        yield


@contextmanager
def replaced_folder(final: Path) -> Iterator[Path]:
    """Yield a temporary folder that atomically replaces a finished run when the block ends.

    Readers see either the complete old folder or the complete new one. After an error the old
    folder remains.

    Raises:
        BadOption: The run was deleted in the meantime.
        StorageFull: The new folder cannot be written.
    """
    partial = final.with_name(f"{final.name}-{secrets.token_hex(3)}{PARTIAL}")
    try:
        with storage_errors(final), _locked_folder(partial):
            yield partial
            (partial / _MARK).unlink()
            exchange(partial, final, partial.with_suffix(ASIDE))
    except FileNotFoundError:
        raise BadOption(GONE) from None


@contextmanager
def _locked_folder(partial: Path) -> Iterator[Path]:
    """Create a folder, keep it locked during the block, and remove what is left of it at the end.

    A folder left by a killed process is replaced. A file or folder that no run wrote is kept: the
    name of the new folder then has the suffix once more.

    Raises:
        Busy: Another process is writing to the folder.
    """
    while os.path.lexists(partial) and not _from_run(partial):
        partial = partial.with_name(partial.name + PARTIAL)
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
        (partial / _MARK).touch()
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _from_run(partial: Path) -> bool:
    """Return whether a run wrote a folder. A killed run may leave one that has no content yet."""
    if partial.is_symlink() or not partial.is_dir():
        return False
    files = (path for path in partial.rglob("*") if not path.is_dir())
    return (partial / _MARK).exists() or not any(path.lstat().st_size for path in files)


def _abandoned(partial: Path) -> bool:
    """Return whether the process that wrote a folder was killed: the folder is not locked."""
    lock = try_lock(partial)
    if lock is None:
        return False
    os.close(lock)
    return time.time() - partial.stat().st_mtime > LOCKED_WITHIN_S


def try_lock(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed or the process ends.

    Returns:
        The descriptor; None if another process holds the lock, or the system has no such locks.
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
