"""Run folders: made beside their place, moved there when complete, removed when old."""

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from shipdet.errors import BadOption, Busy, StorageFull
from shipdet.settings import GB, Settings

RUN_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
PARTIAL = ".partial"  # suffix of a folder that is being written
_UNUSABLE = (  # errors that another folder remedies
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY,
    errno.ENAMETOOLONG,
)  # fmt: skip


def check_name(name: str) -> str:
    """A file name stem from a user: letters, digits, dot, dash, underscore; may be empty."""
    name = name.strip()
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BadOption(
            "A file name may have up to 64 letters, digits, dots, dashes and underscores, and "
            "begins with a letter or digit."
        )
    return name


def run_folder(run_id: str, settings: Settings) -> Path:
    """The folder of a finished run, by its id; never anything outside the runs folder."""
    folder = settings.runs_dir / run_id
    if not RUN_ID.fullmatch(run_id) or not (folder / "run.json").is_file():
        raise BadOption("This run is not on disk any more: run the detection again.")
    return folder


@contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Turn a full or forbidden disk into one sentence."""
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
def new_folder(out: Path | None, name: str, settings: Settings) -> Iterator[tuple[Path, Path]]:
    """A folder to write a run into: yields (where to write, where it will be).

    It appears at its place only when the block ends without an error, so a cancelled or failed
    run leaves nothing behind. ``out`` None means a new folder under the runs folder.
    """
    if out is None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        stem = f"{name}-{stamp}" if name else stamp
        final = settings.runs_dir / f"{stem}-{secrets.token_hex(3)}"
    else:
        final = out.resolve()  # "." has no name of its own
        with storage_errors(out):
            taken = final.exists() and (not final.is_dir() or any(final.iterdir()))
        if taken:
            raise BadOption(f"{out} exists and is not an empty folder: choose another one.")
    partial = final.with_name(final.name + PARTIAL)
    with storage_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.mkdir()
        except FileExistsError:
            raise Busy(
                f"Another run is writing to {final}: choose another folder, or remove {partial} "
                "if no run is active."
            ) from None
    try:
        with storage_errors(final):
            yield partial, final
            os.replace(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def prune(settings: Settings, keep: Path) -> None:
    """Remove runs that are too old, then the oldest ones until the size limit holds.

    ``keep`` is never removed. Only folders that a run wrote (they hold a run.json) are touched.
    """
    runs = []
    if not settings.runs_dir.is_dir():
        return
    for folder in settings.runs_dir.iterdir():
        record = folder / "run.json"
        if folder.is_symlink() or folder.name.endswith(PARTIAL):
            continue
        with suppress(FileNotFoundError, NotADirectoryError):  # no run, or just removed
            runs.append((record.stat().st_mtime, folder, _size(folder)))
    runs.sort()
    total = sum(size for _, _, size in runs)
    oldest = time.time() - settings.runs_max_age_days * 86_400
    for written, folder, size in runs:
        too_much = total > settings.runs_max_gb * GB
        if folder.resolve() != keep.resolve() and (written < oldest or too_much):
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
