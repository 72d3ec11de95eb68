"""The ZIP of a run with those of its ships only that a filter leaves."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from shipdet.progress import finish
from shipdet.report.folder import make_parents, storage_errors
from shipdet.report.run import BUNDLE, PREVIEW, RECORD, Run
from shipdet.report.writing import FULL_SIZE, RESULTS, write_results


def write_bundle(run: Run, path: Path) -> Path:
    """Write the run's files without its full-size images.

    Args:
        run: The run; its filter is followed by overlay, crops, tables and record.
        path: The ZIP.

    Returns:
        The path.

    Raises:
        StorageFull: The file cannot be written.
    """
    with storage_errors(path):
        make_parents(path)
        if not run.filter.given:
            shutil.copyfile(run.folder / BUNDLE, path)
            return path
        with TemporaryDirectory() as made:
            folder = Path(made)
            for name in _kept(run):
                shutil.copyfile(run.folder / name, folder / name)
            finish(
                write_results(
                    folder, run.record, run.candidates, run.threshold, run.review, run.filter
                )
            )
            shutil.move(folder / BUNDLE, path)
    return path


def _kept(run: Run) -> list[str]:
    """Files that are in the ZIP as they are, or that crops are cut from."""
    files: dict[str, str] = run.record["files"]
    apart = {*RESULTS.values(), RECORD, BUNDLE}
    if not run.record["raw"].get("large"):
        apart |= {files[kind] for kind in FULL_SIZE if kind in files}
    return [PREVIEW, *(name for name in files.values() if name not in apart)]
