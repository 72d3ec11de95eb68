"""Files of a run to download, with the ships that pass the filter."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from shipdet.errors import BadOption
from shipdet.pipeline import Comparison, Run
from shipdet.report import write_bundle
from shipdet.report.folder import storage_errors

Writer = Callable[[Path], Any]

#: Suffixes of the formats that are generated on request, by the kind in the address.
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
#: Files of the run that are sent unchanged.
AS_THEY_ARE = ("raw", "upscaled", "mosaic", "map", "map_tif", "record", "ais")
CHANGES = (".geojson", ".gpkg", ".csv")


def run_file(run: Run, kind: str) -> Response:
    """Return a file as a download; its name starts with the run's id.

    Args:
        run: The run, with its filter.
        kind: A kind of ``MADE`` or ``AS_THEY_ARE``.

    Raises:
        BadOption: The run has no such file.
        MissingExtra: The format needs a package that is not installed.
        StorageFull: The file cannot be written.
    """
    if kind in AS_THEY_ARE and kind in run.files:
        path = run.files[kind]
        return FileResponse(path, filename=f"{run.id}-{path.name}")
    if kind not in MADE:
        raise BadOption(f"The run has no file '{kind[:40]}': choose {', '.join(MADE)}.")
    filtered = "-filtered" if run.filter.given else ""
    writers: dict[str, Writer] = {"report": run.report, "zip": partial(write_bundle, run)}
    return _generated(f"{run.id}{filtered}{MADE[kind]}", writers.get(kind, run.save))


def changes_file(changes: Comparison, name: str, suffix: str) -> Response:
    """Return a comparison as a download; BadOption if the suffix is not in ``CHANGES``."""
    return _generated(f"{name}{suffix}", changes.save)


def _generated(name: str, write: Writer) -> Response:
    """Write a file into a temporary folder, which is removed after the response."""
    with storage_errors(Path(gettempdir())):
        folder = Path(mkdtemp(prefix="shipdet-"))
    try:
        write(folder / name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _Temporary(folder / name, filename=name)


class _Temporary(FileResponse):
    """A file whose folder is removed after the response, also if the requested range is invalid."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(shutil.rmtree, Path(self.path).parent, ignore_errors=True)
