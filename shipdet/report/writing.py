"""Write the files of a run: images, tables, crops and the record."""

import json
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shipdet.detections import Detection, Detections
from shipdet.mosaic import Mosaic, Picture, Pixels
from shipdet.progress import HEARTBEAT_S, Progress, Steps
from shipdet.report import vector
from shipdet.report.drawing import CHIP_M, crop_ship, draw_overlay
from shipdet.report.filtering import ShipFilter
from shipdet.report.finished_run import (
    BUNDLE,
    CANDIDATES,
    CHIPS,
    FILTERED_BUNDLE,
    PICTURES,
    PREVIEW,
    RECORD,
    REPORT,
    REVIEWS,
    Run,
    chip_name,
)
from shipdet.report.folder import PARTIAL
from shipdet.report.identifying import ais_geojson, ais_record
from shipdet.report.large import read_around, write_large
from shipdet.report.raster import (
    JPEG_MAX_PX,
    ImageFormat,
    read_picture,
    write_geotiff,
    write_picture,
)
from shipdet.report.review import Review

OVERLAY_MAX_PX = 4096  # longest side of the overlay; enough for a browser
#: Files by kind that depend on the threshold, like the crops, the candidates and the record.
RESULTS = {
    "overlay": "overlay.png",
    "geojson": "detections.geojson",
    "csv": "detections.csv",
    "ais": "ais.geojson",
}


def write_imagery(
    folder: Path, raw: Mosaic, upscaled: Mosaic | None, image_format: ImageFormat, quality: int
) -> Steps[dict[str, str]]:
    """Write raw.*, upscaled.*, mosaic.tif and the preview.

    The GeoTIFF is written in a parallel thread, since GDAL and Pillow release the GIL.

    Returns:
        File names by kind.
    """
    pictures = {
        kind: mosaic
        for kind, mosaic in zip(PICTURES, (raw, upscaled), strict=True)
        if mosaic is not None
    }
    files = {kind: _picture_name(kind, each, image_format) for kind, each in pictures.items()}
    with ThreadPoolExecutor(1) as pool:
        placed = None
        if raw.grid.georeferenced:
            files["mosaic"] = "mosaic.tif"
            placed = pool.submit(write_geotiff, folder / files["mosaic"], raw)
        for kind, mosaic in pictures.items():
            yield _writing(files[kind])
            write_picture(folder / files[kind], mosaic.pixels, quality)
        yield _writing(PREVIEW)
        _write_preview(folder / PREVIEW, upscaled or raw)
        while placed and not wait([placed], HEARTBEAT_S).done:
            yield _writing(files["mosaic"])
    if placed:
        placed.result()
    return files


def _write_preview(file: Path, searched: Mosaic) -> None:
    preview = Image.fromarray(searched.pixels)
    preview.thumbnail((OVERLAY_MAX_PX, OVERLAY_MAX_PX), Image.Resampling.LANCZOS, reducing_gap=3)
    write_picture(file, np.asarray(preview), 95)


def write_large_imagery(folder: Path, picture: Picture) -> Steps[tuple[dict[str, str], float]]:
    """Write mosaic.tif and the preview of an image that does not fit in memory.

    Returns:
        File names by kind, and the share of pixels that have data.
    """
    files = {"mosaic": "mosaic.tif"}
    covered = yield from write_large(
        picture, folder / files["mosaic"], folder / PREVIEW, OVERLAY_MAX_PX
    )
    return files, covered


def _picture_name(kind: str, picture: Mosaic, image_format: ImageFormat) -> str:
    """Return an image's file name: a PNG if the image is too long for a JPEG."""
    longest_px = max(picture.grid.width, picture.grid.height)
    return f"{kind}.{'png' if longest_px > JPEG_MAX_PX else image_format}"


def write_results(
    folder: Path,
    record: dict[str, Any],
    candidates: Detections,
    threshold: float,
    review: Review | None = None,
    kept: ShipFilter | None = None,
) -> Steps[Run]:
    """Write overlay, GeoJSON, CSV, chips and run.json for a threshold.

    Ships shorter than the record's ``min_length_m`` are small craft: they are on the overlay and in
    run.json, but in no table.

    Args:
        folder: The folder, with the images of :func:`write_imagery` or :func:`copy_pictures`.
        record: run.json without results.
        candidates: All candidates of the search.
        threshold: Lowest score of a ship.
        review: The reviewer's actions; None for no review.
        kept: The filter of the ships; small craft are left out if it has an option. None keeps all.

    Returns:
        The run.
    """
    review, kept = review or Review(), kept or ShipFilter()
    shortest_m = record.get("min_length_m", 0.0)
    run = Run(folder, record, candidates, threshold, shortest_m, review, kept)
    found, small = run.detections, Detections() if kept.given else run.small_craft
    files = {k: v for k, v in record["files"].items() if k not in RESULTS}
    yield _writing(RESULTS["overlay"])
    picture = read_picture(folder / PREVIEW)
    width, height = record["raw"]["width"], record["raw"]["height"]
    factor = (picture.shape[1] / width, picture.shape[0] / height)
    files["overlay"] = RESULTS["overlay"]
    chips = folder / CHIPS
    chips.mkdir()
    gsd_m = record["raw"]["gsd_m"] / factor[0]

    def write_overlay() -> None:
        overlay = draw_overlay(picture, found, factor, small)
        write_picture(folder / files["overlay"], overlay)

    with ThreadPoolExecutor(1) as pool:  # in parallel with the crops
        drawn = pool.submit(write_overlay)
        for number, detection in enumerate(found):
            yield Progress("report", number, len(found), "crops")
            if record["raw"].get("large"):  # the preview is too coarse for crops
                crop = _crop_of_large(folder / files["mosaic"], detection, record["raw"]["gsd_m"])
            else:
                crop = crop_ship(picture, detection, factor, gsd_m)
            write_picture(chips / chip_name(detection.id), crop)
    drawn.result()
    if record["raw"]["georeferenced"]:
        files["geojson"] = RESULTS["geojson"]
        (folder / files["geojson"]).write_text(json.dumps(vector.geojson(found)))
    if "ais" in record:
        ships = Detections((*found, *small))
        record = record | {"ais": ais_record(record, ships)}
        files["ais"] = RESULTS["ais"]
        (folder / files["ais"]).write_text(json.dumps(ais_geojson(record, ships)))
    files["csv"] = RESULTS["csv"]
    (folder / files["csv"]).write_text(vector.csv_text(found), encoding="utf-8", newline="")
    (folder / CANDIDATES).write_text(vector.to_json(candidates))
    record = {key: value for key, value in record.items() if key not in ("review", "model")}
    if review.actions:
        (folder / REVIEWS).write_text(review.to_json())
        own, _ = candidates.counted(threshold, run.min_length_m)
        record["model"] = {"ships": len(own), "detections": [vector.properties(d) for d in own]}
        record["review"] = review.summary()
    if kept.given:
        record["filter"] = kept.given
    record |= {
        "threshold": threshold,
        "ships": len(found),
        "detections": [vector.properties(d) for d in found],
        "small_craft": [vector.properties(d) for d in small],
        "files": {**files, "record": RECORD},
    }
    return _recorded(replace(run, record=record))


def copy_pictures(run: Run, folder: Path) -> None:
    """Hard-link all files of a run except its results into a folder on the same disk.

    Files are copied if the file system has no hard links.
    """
    results = (
        *RESULTS.values(), CHIPS, CANDIDATES, RECORD, BUNDLE, FILTERED_BUNDLE, REVIEWS, REPORT,
        f"*{PARTIAL}",
    )  # fmt: skip
    shutil.copytree(
        run.folder,
        folder,
        symlinks=True,
        ignore=shutil.ignore_patterns(*results),
        copy_function=_linked,
        dirs_exist_ok=True,
    )


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # no hard links on this file system
        shutil.copy2(source, target)


def _crop_of_large(file: Path, detection: Detection, gsd_m: float) -> Pixels:
    reach_px = math.ceil(max(CHIP_M, 2.0 * detection.length_m) / gsd_m)
    pixels, left, top = read_around(file, detection.x, detection.y, reach_px)
    there = replace(detection, x=detection.x - left, y=detection.y - top)
    return crop_ship(pixels, there, (1.0, 1.0), gsd_m)


def write_download(folder: Path, record: dict[str, Any]) -> Run:
    """Write the record of a run that only downloaded imagery."""
    record = {**record, "files": {**record["files"], "record": RECORD}}
    (folder / CANDIDATES).write_text(vector.to_json(Detections()))
    return _recorded(Run(folder, {**record, "threshold": 1.0}, Detections(), 1.0))


def _recorded(run: Run) -> Run:
    (run.folder / RECORD).write_text(json.dumps(run.record, indent=1))
    return run


def _writing(name: str) -> Progress:
    return Progress("report", 0, 0, note=f"writing {name}")
