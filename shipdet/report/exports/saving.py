"""Save detections in the format of a file's suffix."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shipdet.detections import Detection, Detections
from shipdet.errors import BadOption
from shipdet.report import vector
from shipdet.report.exports.geopackage import geopackage
from shipdet.report.exports.kml import kml_bytes
from shipdet.report.exports.labels import coco, labels_json, yolo_obb
from shipdet.report.exports.tables import outlines, to_geodataframe
from shipdet.report.folder import check_file, save_file

#: Formats of :func:`save`; a suffix that ends in another one comes first.
SUFFIXES = {
    ".coco.json": "COCO annotations",
    ".labels.json": "labels that training reads",
    ".geojson": "GeoJSON (RFC 7946)",
    ".gpkg": "GeoPackage with a style for QGIS",
    ".csv": "table",
    ".kml": "Google Earth",
    ".parquet": "GeoParquet",
    ".zip": "YOLO-OBB data set",
}


def suffix_of(path: Path) -> str:
    """Return the suffix of ``SUFFIXES`` that a file name has.

    Raises:
        BadOption: It has none of them.

    Example:
        >>> suffix_of(Path("ships.coco.json"))
        '.coco.json'
    """
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise BadOption(f"'{path.name}' has no known suffix: choose {', '.join(SUFFIXES)}.")


def check_target(path: Path) -> None:
    """Check, before a search, that :func:`save` can write a file.

    Raises:
        BadOption: The suffix is unknown.
        StorageFull: The file cannot be written.
    """
    suffix_of(path)
    check_file(path)


def save(
    path: str | Path,
    ships: Sequence[Detection],
    record: dict[str, Any],
    *,
    complete: bool = False,
    note: str = "",
) -> Path:
    """Write detections in the format of a file's suffix; an existing file is replaced.

    Args:
        path: The file; its suffix is one of ``SUFFIXES``.
        ships: The detections.
        record: run.json, for the image's name and size.
        complete: For ``.labels.json``: whether every ship of 25 m and more is included.
        note: For ``.labels.json``: the source of the labels.

    Returns:
        The path.

    Raises:
        BadOption: The suffix is unknown, or the image lacks a georeference.
        MissingExtra: The format needs a package that is not installed.
        StorageFull: The file cannot be written.
    """
    path = Path(path)
    suffix = suffix_of(path)
    raw = record["raw"]
    image = record["files"].get("raw") or record["files"].get("mosaic") or "raw.png"
    of_image = (image, int(raw["width"]), int(raw["height"]))
    content: str | bytes
    if suffix == ".gpkg":
        content = geopackage(ships)
    elif suffix == ".parquet":
        file = io.BytesIO()
        to_geodataframe(ships).to_parquet(file)
        content = file.getvalue()
    elif suffix == ".csv":
        content = vector.csv_text(Detections(tuple(ships)))
    elif suffix == ".kml":
        content = kml_bytes(ships, path.stem)
    elif suffix == ".zip":
        content = yolo_obb(ships, *of_image)
    elif suffix == ".coco.json":
        content = json.dumps(coco(ships, *of_image), indent=1)
    elif suffix == ".labels.json":
        gsd_m = (raw.get("gsd_x_m", raw["gsd_m"]), raw.get("gsd_y_m", raw["gsd_m"]))
        content = labels_json(ships, image, of_image[1:], gsd_m, complete=complete, note=note)
    else:
        outlines(ships)  # raises BadOption without a georeference
        content = json.dumps(vector.geojson(Detections(tuple(ships))))
    save_file(path, content)
    return path
