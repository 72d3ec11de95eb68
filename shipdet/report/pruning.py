"""Remove old runs and the leftovers of killed processes from the runs folder."""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from shipdet.report.folder import ASIDE, PARTIAL, try_lock
from shipdet.settings import GB, Settings

ABANDONED_H = 6.0  # an unlocked folder without changes for this long is removed
_DRAFT = re.compile(rf"-[0-9a-f]{{6}}{re.escape(PARTIAL)}$")  # names of folder.py
_ASIDE = re.compile(rf"(.+)-[0-9a-f]{{6}}{re.escape(ASIDE)}")


def prune(settings: Settings, keep: Path) -> None:
    """Remove leftovers of killed runs, expired runs, and the oldest runs above the size limit.

    Only folders written by runs are removed: those with a run.json, and those with the name of a
    folder that is being written. The latter also count toward the size. The folder of an active
    run is never removed.

    Args:
        settings: ``runs_dir``, ``runs_max_age_days`` and ``runs_max_gb``.
        keep: A run that is never removed.
    """
    if not settings.runs_dir.is_dir():
        return
    _restore(settings.runs_dir)
    runs, total = [], 0
    for folder in settings.runs_dir.iterdir():
        if folder.is_symlink():
            continue
        with suppress(OSError):  # not a run, just removed, or another user's
            if not folder.name.endswith(PARTIAL):
                runs.append(((folder / "run.json").stat().st_mtime, folder, folder_bytes(folder)))
                total += runs[-1][2]
            elif _DRAFT.search(folder.name) and not _remove_abandoned(folder):
                total += folder_bytes(folder)
    oldest = time.time() - settings.runs_max_age_days * 86_400
    for written, folder, size in sorted(runs):
        too_much = total > settings.runs_max_gb * GB
        if folder.resolve() != keep.resolve() and (written < oldest or too_much):
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def _restore(runs_dir: Path) -> None:
    """Restore runs that a killed process moved aside, unless the new version is in place."""
    for folder in runs_dir.iterdir():
        if named := _ASIDE.fullmatch(folder.name):
            with suppress(OSError):  # another process may do the same
                if (runs_dir / named[1]).exists():
                    shutil.rmtree(folder)
                else:
                    os.rename(folder, runs_dir / named[1])


def _remove_abandoned(partial: Path) -> bool:
    """Remove a partial folder if it is old and its process is gone; return whether it was."""
    newest = max(path.stat().st_mtime for path in (partial, *partial.rglob("*")))
    if newest > time.time() - ABANDONED_H * 3600:
        return False
    lock = try_lock(partial)
    if lock is None:
        return False
    shutil.rmtree(partial, ignore_errors=True)
    os.close(lock)
    return True


def folder_bytes(folder: Path) -> int:
    """Return the total size of all files in a folder, in bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
