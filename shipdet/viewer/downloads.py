"""Files of a run, made on request from the ships that the filter leaves."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from shipdet.errors import BadOption
from shipdet.pipeline import Comparison, Run
from shipdet.report import write_bundle
from shipdet.report.folder import storage_errors

Writer = Callable[[Path], Any]

#: Formats that are made of the ships: what the address says, and the file's ending.
MADE = {
    "geojson": ".geojson",
    "gpkg": ".gpkg",
    "kml": ".kml",
    "parquet": ".parquet",
    "csv": ".csv",
    "coco": ".coco.json",
    "yolo": ".yolo.zip",
    "labels": ".labels.json",
    "report": ".html",
    "zip": ".zip",
}
#: Files of the run that are sent as they are.
AS_THEY_ARE = ("raw", "upscaled", "mosaic", "map", "map_tif", "record", "ais")
CHANGES = (".geojson", ".gpkg", ".csv")


def run_file(run: Run, kind: str) -> Response:
    """A file to save, whose name begins with the run's.

    Args:
        run: The run, with its filter.
        kind: One of ``MADE`` or ``AS_THEY_ARE``.

    Raises:
        BadOption: There is no such file of this run.
        MissingExtra: The format needs a package that is not installed.
    """
    if kind in AS_THEY_ARE and kind in run.files:
        path = run.files[kind]
        return FileResponse(path, filename=f"{run.id}-{path.name}")
    if kind not in MADE:
        raise BadOption(f"The run has no file '{kind[:40]}': choose {', '.join(MADE)}.")
    filtered = "-filtered" if run.filter.given else ""
    writers: dict[str, Writer] = {"report": run.report, "zip": partial(write_bundle, run)}
    return _made(f"{run.id}{filtered}{MADE[kind]}", writers.get(kind, run.save))


def changes_file(changes: Comparison, name: str, suffix: str) -> Response:
    """A comparison to save; raises BadOption for a suffix that is not of ``CHANGES``."""
    return _made(f"{name}{suffix}", changes.save)


def _made(name: str, write: Writer) -> Response:
    """A file in a folder of its own, which is removed when it has been sent."""
    with storage_errors(Path(gettempdir())):
        folder = Path(mkdtemp(prefix="shipdet-"))
    try:
        write(folder / name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    clean = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(folder / name, filename=name, background=clean)
