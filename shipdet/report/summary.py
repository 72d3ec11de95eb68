"""The summary of a batch: tables, a GeoPackage and an HTML index."""

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shipdet.detections import Detection, Detections
from shipdet.report import vector
from shipdet.report.exports.geopackage import geopackage
from shipdet.report.finished_run import PREVIEW, Run
from shipdet.report.folder import as_text, save_file, storage_errors
from shipdet.report.html_page import STYLE
from shipdet.report.raster import thumbnail


@dataclass(frozen=True)
class BatchImage:
    """The result of one image of a batch.

    Attributes:
        image: The image file.
        folder: The run folder; None if the search failed.
        run: The run; None if the search failed.
        error: Why the search failed; "" if it succeeded.
    """

    image: Path
    folder: Path | None
    run: Run | None
    error: str

    @property
    def ships(self) -> int | None:
        """Number of ships that count; None if the search failed."""
        return None if self.run is None else len(self.run.detections)

    @property
    def name(self) -> str:
        """Name of the image file, with the same replacement characters as ``title``."""
        return as_text(self.image.name)

    @property
    def title(self) -> str:
        """Path of the image, with replacement characters for bytes that are not UTF-8."""
        return as_text(str(self.image))

    def row(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "image": str(self.image),
            "folder": None if self.folder is None else str(self.folder),
            "ships": self.ships,
            "small_craft": None if self.run is None else len(self.run.small_craft),
            "error": self.error or None,
        }


def write_summary(out: Path, images: Sequence[BatchImage]) -> list[Path]:
    """Write summary.csv (one line per image), ships.csv, ships.gpkg and index.html.

    Existing files are replaced. ships.gpkg has the ships of georeferenced images only. The page
    includes thumbnails and links to the overlays of runs inside ``out``.

    Args:
        out: The folder of the batch.
        images: The results.

    Returns:
        The files; without ships.gpkg if no ship has coordinates.

    Raises:
        StorageFull: A file cannot be written.
    """
    texts = {
        out / "summary.csv": _summary_csv(images),
        out / "ships.csv": _ships_csv(images),
        out / "index.html": _index(out, images),
    }
    for file, text in texts.items():
        save_file(file, text)
    files = [*texts]
    placed: list[Detection] = []
    names: list[str] = []
    for image in images:
        for ship in image.run.detections if image.run else ():
            if ship.corners_lonlat is not None:
                placed.append(ship)
                names.append(image.name)
    if placed:
        files.append(out / "ships.gpkg")
        save_file(files[-1], geopackage(placed, extra={"image": names}))
    else:
        with storage_errors(out):
            (out / "ships.gpkg").unlink(missing_ok=True)
    return files


def _summary_csv(images: Sequence[BatchImage]) -> str:
    text = io.StringIO()
    columns = ("image", "folder", "ships", "small_craft", "error")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**image.row(), "image": image.title} for image in images)
    return text.getvalue()


def _ships_csv(images: Sequence[BatchImage]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *vector.CSV_COLUMNS])
    for image in images:
        ships = image.run.detections if image.run else Detections()
        lines = list(csv.reader(io.StringIO(vector.csv_text(ships))))[1:]
        writer.writerows([image.name, *line] for line in lines)
    return text.getvalue()


def _index(out: Path, images: Sequence[BatchImage]) -> str:
    rows = "".join(_row(out, image) for image in images)
    ships = sum(image.ships or 0 for image in images)
    failed = sum(bool(image.error) for image in images)
    missing = f", {failed} could not be searched" if failed else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>shipdet</title>'
        f"<style>{STYLE}</style><h1>{ships:,} ships in {len(images):,} images{missing}</h1>"
        '<p><a href="summary.csv">summary.csv</a> · <a href="ships.csv">ships.csv</a></p>'
        "<table><tr><th></th><th>Image</th><th>Ships</th><th>Small craft</th></tr>"
        f"{rows}</table></html>\n"
    )


def _row(out: Path, image: BatchImage) -> str:
    name = escape(image.name)
    if image.run is None:
        return (
            f'<tr><td></td><td>{name}</td><td colspan="2" class="error">{escape(image.error)}'
            "</td></tr>"
        )
    folder = image.run.folder
    try:
        data = base64.b64encode(thumbnail(folder / PREVIEW)).decode()
        small = f'<img src="data:image/jpeg;base64,{data}" alt="">'
    except OSError:  # the summary is useful without the thumbnail
        small = ""
    if folder.resolve().parent == out.resolve():
        link = f'<a href="{quote(folder.name)}/overlay.png">'
        small, name = f"{link}{small}</a>", f"{link}{name}</a>"
    return (
        f'<tr><td>{small}</td><td>{name}</td><td class="n">{image.ships}</td>'
        f'<td class="n">{len(image.run.small_craft)}</td></tr>'
    )
