"""Old runs, and what killed processes left, are removed from the runs folder."""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from shipdet.report.folder import ASIDE, PARTIAL, try_lock
from shipdet.settings import GB, Settings

ABANDONED_H = 6.0  # nothing was written for so long, and no living process holds it
_LEFT = re.compile(rf"-[0-9a-f]{{6}}{re.escape(PARTIAL)}$")  # as folder.py names them
_ASIDE = re.compile(rf"(.+)-[0-9a-f]{{6}}{re.escape(ASIDE)}")


def prune(settings: Settings, keep: Path) -> None:
    """Remove what killed runs left, runs that are too old, then the oldest until the size fits.

    ``keep`` is never removed, nor is the folder of a living run. Only folders that a run wrote
    are touched: they hold a run.json, or are named like one that is being written. The latter
    count in the size, too.
    """
    if not settings.runs_dir.is_dir():
        return
    _bring_back(settings.runs_dir)
    runs, total = [], 0
    for folder in settings.runs_dir.iterdir():
        if folder.is_symlink():
            continue
        with suppress(OSError):  # no run, just removed, or a folder of another user's
            if not folder.name.endswith(PARTIAL):
                runs.append(((folder / "run.json").stat().st_mtime, folder, folder_bytes(folder)))
                total += runs[-1][2]
            elif _LEFT.search(folder.name) and not _removed(folder):
                total += folder_bytes(folder)
    oldest = time.time() - settings.runs_max_age_days * 86_400
    for written, folder, size in sorted(runs):
        too_much = total > settings.runs_max_gb * GB
        if folder.resolve() != keep.resolve() and (written < oldest or too_much):
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def _bring_back(runs_dir: Path) -> None:
    """Put runs back that a killed process has left aside, unless the new version is there."""
    for folder in runs_dir.iterdir():
        if named := _ASIDE.fullmatch(folder.name):
            with suppress(OSError):  # another process does the same
                if (runs_dir / named[1]).exists():
                    shutil.rmtree(folder)
                else:
                    os.rename(folder, runs_dir / named[1])


def _removed(partial: Path) -> bool:
    """Remove a folder that is being written, if its process is gone and it is old."""
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
    """The size of all files of a folder, in bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
