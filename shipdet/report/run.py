"""A finished run: the folder with everything in it, and how its threshold is changed."""

import json
import math
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shipdet.detections import Detection, Detections
from shipdet.mosaic import Mosaic, Picture, Pixels
from shipdet.report import vector
from shipdet.report.drawing import CHIP_M, crop_ship, draw_overlay
from shipdet.report.raster import (
    JPEG_MAX_PX,
    ImageFormat,
    read_around,
    read_picture,
    write_geotiff,
    write_large,
    write_picture,
)

OVERLAY_MAX_PX = 4096  # longest side of the overlay; a browser shows no more
CANDIDATES = "candidates.json"
PREVIEW = "preview.jpg"


@dataclass(frozen=True)
class Run:
    """What a run left on disk.

    ``candidates`` are all ships above the search's floor, ``detections`` those above
    ``threshold``. ``record`` is run.json. Files that do not apply (no georeference, no
    super-resolution, imagery only) are not in ``files``.
    """

    folder: Path
    record: dict[str, Any]
    candidates: Detections
    threshold: float

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def detections(self) -> Detections:
        """The ships above the threshold, numbered from 1."""
        return self.candidates.above(self.threshold)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know, in sentences."""
        notes = tuple(self.record.get("notes", ()))
        sharpened = self.record.get("sharpened")
        if not sharpened or sharpened["sharpened"] == sharpened["blocks"]:
            return notes
        return (
            *notes,
            f"{sharpened['sharpened']} of {sharpened['blocks']} blocks were sharpened: the raw "
            "image shows nothing in the others that could be a ship.",
        )

    @property
    def files(self) -> dict[str, Path]:
        """The files by kind: raw, upscaled, overlay, mosaic, geojson, csv, record, zip."""
        names: dict[str, str] = self.record["files"]
        return {kind: self.folder / name for kind, name in names.items()}

    @property
    def chips(self) -> list[Path]:
        """One crop per ship, in the order of ``detections``."""
        return sorted((self.folder / "chips").glob("*.png"))


def write_imagery(
    folder: Path, raw: Mosaic, upscaled: Mosaic | None, image_format: ImageFormat, quality: int
) -> dict[str, str]:
    """Write raw.*, upscaled.*, mosaic.tif and the preview; returns file names by kind."""
    files = {}
    for kind, mosaic in (("raw", raw), ("upscaled", upscaled)):
        if mosaic is None:
            continue
        suffix = image_format
        if suffix == "jpg" and max(mosaic.pixels.shape[:2]) > JPEG_MAX_PX:
            suffix = "png"
        files[kind] = f"{kind}.{suffix}"
        write_picture(folder / files[kind], mosaic.pixels, quality)
    if raw.grid.georeferenced:
        files["mosaic"] = "mosaic.tif"
        write_geotiff(folder / files["mosaic"], raw)
    searched = upscaled or raw
    preview = Image.fromarray(searched.pixels)
    preview.thumbnail((OVERLAY_MAX_PX, OVERLAY_MAX_PX), Image.Resampling.LANCZOS, reducing_gap=3)
    write_picture(folder / PREVIEW, np.asarray(preview), 95)
    return files


def write_large_imagery(
    folder: Path, picture: Picture, image_format: ImageFormat, quality: int
) -> tuple[dict[str, str], float]:
    """Like :func:`write_imagery`, for a picture that cannot be held; mosaic.tif is always written.

    Returns file names by kind, and the share of pixels that have data.
    """
    files = {"raw": f"raw.{image_format}", "mosaic": "mosaic.tif"}
    covered = write_large(
        picture,
        folder / files["mosaic"],
        folder / files["raw"],
        folder / PREVIEW,
        OVERLAY_MAX_PX,
        quality,
    )
    return files, covered


def write_results(
    folder: Path, record: dict[str, Any], candidates: Detections, threshold: float
) -> Run:
    """Write overlay, GeoJSON, CSV, chips, run.json and run.zip for a threshold.

    Reads the pictures that :func:`write_imagery` left in the folder, so that it serves the end of
    a run and a later change of threshold alike.
    """
    found = candidates.above(threshold)
    files = {k: v for k, v in record["files"].items() if k not in ("overlay", "geojson", "csv")}
    picture = read_picture(folder / PREVIEW)
    width, height = record["raw"]["width"], record["raw"]["height"]
    factor = (picture.shape[1] / width, picture.shape[0] / height)
    overlay = draw_overlay(picture, found, factor)
    write_picture(folder / "overlay.png", overlay)
    files["overlay"] = "overlay.png"
    chips = folder / "chips"
    shutil.rmtree(chips, ignore_errors=True)
    chips.mkdir()
    gsd_m = record["raw"]["gsd_m"] / factor[0]
    for detection in found:
        if record["raw"].get("large"):  # the preview is too coarse for crops
            crop = _crop_of_large(folder / files["mosaic"], detection, record["raw"]["gsd_m"])
        else:
            crop = crop_ship(picture, detection, factor, gsd_m)
        write_picture(chips / f"ship_{detection.id:04d}.png", crop)
    if record["raw"]["georeferenced"]:
        (folder / "detections.geojson").write_text(json.dumps(vector.geojson(found)))
        files["geojson"] = "detections.geojson"
    (folder / "detections.csv").write_text(vector.csv_text(found))
    files["csv"] = "detections.csv"
    (folder / CANDIDATES).write_text(vector.to_json(candidates))
    record = {
        **record,
        "threshold": threshold,
        "ships": len(found),
        "detections": [vector.properties(d) for d in found],
        "files": {**files, "record": "run.json", "zip": "run.zip"},
    }
    return _sealed(Run(folder, record, candidates, threshold))


def _crop_of_large(file: Path, detection: Detection, gsd_m: float) -> Pixels:
    reach_px = math.ceil(max(CHIP_M, 2.0 * detection.length_m) / gsd_m)
    pixels, left, top = read_around(file, detection.x, detection.y, reach_px)
    there = replace(detection, x=detection.x - left, y=detection.y - top)
    return crop_ship(pixels, there, (1.0, 1.0), gsd_m)


def write_download(folder: Path, record: dict[str, Any]) -> Run:
    """Write run.json and run.zip of a run that only downloaded imagery."""
    record = {**record, "files": {**record["files"], "record": "run.json", "zip": "run.zip"}}
    (folder / CANDIDATES).write_text(vector.to_json(Detections()))
    return _sealed(Run(folder, {**record, "threshold": 1.0}, Detections(), 1.0))


def _sealed(run: Run) -> Run:
    (run.folder / "run.json").write_text(json.dumps(run.record, indent=1))
    inside = {CANDIDATES, PREVIEW, "run.zip"}
    with zipfile.ZipFile(run.folder / "run.zip", "w", zipfile.ZIP_STORED) as bundle:
        # Pictures are compressed already and the rest is small: storing takes no time.
        for file in sorted(run.folder.rglob("*")):
            if file.is_file() and file.name not in inside:
                bundle.write(file, file.relative_to(run.folder))
    return run


def read_run(folder: Path) -> Run:
    """A run from its folder."""
    record = json.loads((folder / "run.json").read_text())
    candidates = vector.from_json((folder / CANDIDATES).read_text())
    return Run(folder, record, candidates, record["threshold"])
