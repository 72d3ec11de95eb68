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
from shipdet.report.record import corners_of, grid_of
from shipdet.requests import check_name
from shipdet.settings import Settings, get_settings

#: Suffix of a run's id: date, time and a random part.
_STAMP = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}$")


@dataclass(frozen=True)
class RunInfo:
    """A run in the list of runs.

    Attributes:
        id: The name of its folder.
        folder: The path of its folder.
        created: Time of writing, ISO 8601 in UTC.
        source: The imagery provider's title or the image's file name.
        bbox: West, south, east, north in degrees, the east beyond 180 across the antimeridian;
            None for an image without a georeference.
        zoom: The map zoom; None for an image.
        ships: Number of ships that count; None if imagery was only downloaded.
        reviewed: Number of reviewed ships.
        size_mb: Size of its files in megabytes.
        thumbnail: Path of a JPEG of the searched image; None for a run without one.
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
        """Open the run.

        Raises:
            BadOption: The run was deleted.
        """
        return read_run(self.folder)


def runs(settings: Settings | None = None) -> list[RunInfo]:
    """List the finished runs of the runs folder, newest first.

    Runs written to another folder (``out``) are not listed. Whenever a run ends, runs older than
    ``SHIPDET_RUNS_MAX_AGE_DAYS`` are removed, and then the oldest until the folder is at most
    ``SHIPDET_RUNS_MAX_GB`` large.

    Args:
        settings: Replaces the settings of the environment.

    Returns:
        One entry per run; empty if there is no runs folder.

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
        except (OSError, ValueError, KeyError, TypeError):  # not a run, or being removed
            continue
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def find_run(run_id: str | Path, settings: Settings | None = None) -> Run:
    """Open a run by its id or its folder.

    Raises:
        BadOption: The run does not exist.
    """
    settings = settings or get_settings()
    folder = Path(run_id)
    if (folder / "run.json").is_file():
        return read_run(folder)
    return read_run(run_folder(str(run_id), settings))


def delete_run(run_id: str, settings: Settings | None = None) -> None:
    """Delete a run of the runs folder with all its files.

    Args:
        run_id: The id of the run.
        settings: Replaces the settings of the environment.

    Raises:
        BadOption: The run does not exist.

    Example:
        >>> shipdet.delete_run(shipdet.runs()[-1].id)
    """
    folder = run_folder(run_id, settings or get_settings())
    with sole_writer(folder):
        shutil.rmtree(folder)


def rename_run(run_id: str, name: str, settings: Settings | None = None) -> Run:
    """Rename a run of the runs folder. Its id keeps the date and the random part.

    Args:
        run_id: The id of the run.
        name: The new name, as in :class:`Search`; "" removes the name.
        settings: Replaces the settings of the environment.

    Returns:
        The run, with its new id.

    Raises:
        BadOption: The run does not exist, or the name is invalid or taken.
        StorageFull: The runs folder is not writable.

    Example:
        >>> shipdet.rename_run(shipdet.runs()[0].id, "gibraltar").folder.name
        'gibraltar-20240630-120000-1f2e3d'
    """
    settings = settings or get_settings()
    folder = run_folder(run_id, settings)
    stamp, name = _STAMP.search(run_id), check_name(name)
    parts = [part for part in (name, stamp[0] if stamp else "") if part]
    if not parts:
        raise BadOption("This run needs a name: its id has no date.")
    target = folder.with_name("-".join(parts))
    if target != folder:
        if target.exists():
            raise BadOption(f"A run {target.name} already exists: choose another name.")
        with sole_writer(folder), storage_errors(target):
            os.rename(folder, target)
    return read_run(target)


def _extent(record: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """Return the bounding box of a run's image in degrees; None without a georeference."""
    if not grid_of(record).georeferenced:
        return None
    corners = corners_of(record)
    (west, south), (east, north) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return west, south, east, north


def _info(folder: Path, record: dict[str, Any]) -> RunInfo:
    inputs, source = record["inputs"], record["source"]
    thumbnail = folder / PREVIEW
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return RunInfo(
        id=folder.name,
        folder=folder,
        created=record["created"],
        source=source["title"] or source["source"],
        bbox=tuple(inputs["bbox"]) if "bbox" in inputs else _extent(record),
        zoom=inputs.get("zoom"),
        ships=record.get("ships"),
        reviewed=sum(record.get("review", {}).get("ships", {}).values()),
        size_mb=size / 1e6,
        thumbnail=thumbnail if thumbnail.is_file() else None,
    )
