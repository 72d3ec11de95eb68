"""The ZIP of a run, written on request: its files without the full-size images."""

import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from shipdet.errors import BadOption
from shipdet.progress import finish
from shipdet.report.finished_run import (
    BUNDLE,
    CANDIDATES,
    FILTERED_BUNDLE,
    PICTURES,
    PREVIEW,
    PYRAMIDS,
    RECORD,
    Run,
)
from shipdet.report.folder import GONE, PARTIAL, new_file
from shipdet.report.writing import RESULTS, write_results

#: Kinds of files that the ZIP omits: they are large and available separately.
FULL_SIZE = (*PICTURES, "mosaic")


def write_bundle(run: Run, path: str | Path | None = None) -> Path:
    """Write a ZIP of the run's files without its full-size images.

    Args:
        run: The run; overlay, crops, tables and record have the ships that pass its filter.
        path: The ZIP; None writes run.zip, or run-filtered.zip, into the run folder.

    Returns:
        The path.

    Raises:
        BadOption: The run was deleted.
        StorageFull: The file cannot be written.

    Example:
        >>> shipdet.write_bundle(run.filtered(min_length_m=100), "long.zip")
    """
    state = _state(run.folder)
    if path is None:
        path = run.folder / (FILTERED_BUNDLE if run.filter.given else BUNDLE)
    with new_file(Path(path)) as draft:
        while True:  # repeat if the folder is replaced in the meantime
            try:
                if run.filter.given:
                    _pack_filtered(run, draft)
                else:
                    _pack(run.folder, run, draft)
            except FileNotFoundError:
                if _state(run.folder) == state:
                    raise
            before, state = state, _state(run.folder)
            if state == before:
                return Path(path)


def _pack_filtered(run: Run, target: Path) -> None:
    with TemporaryDirectory() as made:
        folder = Path(made)
        for name in _kept(run):
            shutil.copyfile(run.folder / name, folder / name)
        finish(
            write_results(folder, run.record, run.candidates, run.threshold, run.review, run.filter)
        )
        _pack(folder, run, target)


def _state(folder: Path) -> tuple[int, int]:
    """Return inode and modification time of the record, which identify a version of the run."""
    try:
        record = (folder / RECORD).stat()
    except FileNotFoundError:
        raise BadOption(GONE) from None
    return record.st_ino, record.st_mtime_ns


def _pack(folder: Path, run: Run, target: Path) -> None:
    large = (run.record["files"].get(kind) for kind in FULL_SIZE)
    apart = {CANDIDATES, BUNDLE, FILTERED_BUNDLE, *large}
    # The images are already compressed and the other files are small.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as bundle:
        for file in sorted(folder.rglob("*")):
            away = file.name in apart or file.suffix == PARTIAL or file.parent.name == PYRAMIDS
            if file.is_file() and not away:
                bundle.write(file, file.relative_to(folder))


def _kept(run: Run) -> list[str]:
    """Return the files that the ZIP contains or that crops are cut from."""
    files: dict[str, str] = run.record["files"]
    apart = {*RESULTS.values(), RECORD}
    if not run.record["raw"].get("large"):
        apart |= {files[kind] for kind in FULL_SIZE if kind in files}
    return [PREVIEW, *(name for name in files.values() if name not in apart)]
