"""The runs on disk: list, open, rename, delete."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipdet.errors import BadOption
from shipdet.report import PREVIEW, Run, read_run, run_folder, sole_writer
from shipdet.report.folder import PARTIAL, storage_errors
from shipdet.requests import check_name
from shipdet.settings import Settings, get_settings

#: What follows the name in a run's id: when it was made, and what nobody can guess.
_STAMP = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}$")


@dataclass(frozen=True)
class RunInfo:
    """A run in the list of runs.

    Attributes:
        id: The name of its folder.
        folder: Where it is.
        created: When it was written, ISO 8601 in UTC.
        source: The imagery provider's title or the image's file name.
        bbox: West, south, east, north in degrees; None for an image.
        zoom: The map zoom; None for an image.
        ships: How many ships count; None if imagery was only downloaded.
        reviewed: How many ships a reviewer has looked at.
        size_mb: Size of its files.
        thumbnail: A JPEG of the searched image.
    """

    id: str
    folder: Path
    created: str
    source: str
    bbox: tuple[float, float, float, float] | None
    zoom: int | None
    ships: int | None
    reviewed: int
    size_mb: float
    thumbnail: Path | None

    def open(self) -> Run:
        """The run itself."""
        return read_run(self.folder)


def runs(settings: Settings | None = None) -> list[RunInfo]:
    """List the finished runs of the runs folder, newest first.

    Runs that were written to another folder (``out``) are not listed. Each time a run ends, runs
    older than ``SHIPDET_RUNS_MAX_AGE_DAYS`` are removed, and the oldest ones while the folder is
    larger than ``SHIPDET_RUNS_MAX_GB``.

    Example:
        >>> shipdet.runs()[0].open().save("last.gpkg")
    """
    settings = settings or get_settings()
    if not settings.runs_dir.is_dir():
        return []
    found = []
    for folder in settings.runs_dir.iterdir():
        if folder.name.endswith(PARTIAL):
            continue
        try:
            record = json.loads((folder / "run.json").read_text())
            found.append(_info(folder, record))
        except (OSError, ValueError, KeyError, TypeError):  # no run, or one that is just removed
            continue
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def find_run(run_id: str | Path, settings: Settings | None = None) -> Run:
    """A run by its id or its folder.

    Raises:
        BadOption: There is no such run.
    """
    settings = settings or get_settings()
    folder = Path(run_id)
    if (folder / "run.json").is_file():
        return read_run(folder)
    return read_run(run_folder(str(run_id), settings))


def delete_run(run_id: str, settings: Settings | None = None) -> None:
    """Delete a run of the runs folder with all its files.

    Raises:
        BadOption: There is no such run.
    """
    folder = run_folder(run_id, settings or get_settings())
    with sole_writer(folder):
        shutil.rmtree(folder)


def rename_run(run_id: str, name: str, settings: Settings | None = None) -> Run:
    """Rename a run of the runs folder; its date and random part stay in the id.

    Args:
        run_id: The run.
        name: As for :class:`Search`; "" removes the name.
        settings: Replaces the settings of the environment.

    Returns:
        The run, with its new id.

    Raises:
        BadOption: There is no such run, the name cannot be used, or it belongs to another run.
    """
    settings = settings or get_settings()
    folder = run_folder(run_id, settings)
    stamp, name = _STAMP.search(run_id), check_name(name)
    parts = [part for part in (name, stamp[0] if stamp else "") if part]
    if not parts:
        raise BadOption("This run needs a name: it has no date in its id.")
    target = folder.with_name("-".join(parts))
    if target != folder:
        if target.exists():
            raise BadOption(f"There is a run {target.name} already: choose another name.")
        with sole_writer(folder), storage_errors(target):
            os.rename(folder, target)
    return read_run(target)


def _info(folder: Path, record: dict[str, Any]) -> RunInfo:
    inputs, source = record["inputs"], record["source"]
    thumbnail = folder / PREVIEW
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return RunInfo(
        id=folder.name,
        folder=folder,
        created=record["created"],
        source=source["title"] or source["source"],
        bbox=tuple(inputs["bbox"]) if "bbox" in inputs else None,
        zoom=inputs.get("zoom"),
        ships=record.get("ships"),
        reviewed=sum(record.get("review", {}).get("ships", {}).values()),
        size_mb=size / 1e6,
        thumbnail=thumbnail if thumbnail.is_file() else None,
    )
