"""Join the blocks of a job: one list of ships, one image and one map file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from psycopg.types.json import Jsonb

from shipdet.cluster.engines.objects import ObjectStore, media_type
from shipdet.cluster.jobs.block_merging import merge_blocks
from shipdet.cluster.jobs.blocks import Block
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.statements import Claim, Row
from shipdet.cluster.work.map_files import write_joined_geotiff, write_vrt
from shipdet.detections import Detections
from shipdet.errors import NoImagery
from shipdet.geometry import Grid, PixelBox, pixel_box
from shipdet.mosaic import Pixels
from shipdet.progress import Progress, Steps
from shipdet.report import vector
from shipdet.report.drawing import draw_overlay
from shipdet.report.raster import read_picture, write_picture
from shipdet.report.writing import OVERLAY_MAX_PX
from shipdet.settings import Settings

Done = Sequence[tuple[Block, Row]]


def join_job(
    claim: Claim, store: Store, objects: ObjectStore, folder: Path, settings: Settings
) -> Steps[None]:
    """Merge the blocks of a job, write its files and complete it.

    Args:
        claim: The claim of the joining block.
        store: The job store.
        objects: The object store.
        folder: A temporary folder.
        settings: Limits of the joined GeoTIFF.

    Raises:
        NoImagery: No block has imagery.
    """
    area, zoom = claim.message.parsed_area, claim.zoom
    done = store.finished_blocks(claim.job_id)
    shown = [(block, row) for block, row in done if row["objects"]]
    if not shown:
        raise NoImagery(next((row["record"]["notes"][0] for _, row in done), "No imagery."))
    yield Progress("report", 0, 3, "steps", "merging ships")
    candidates = merge_blocks(
        [(block, vector.from_dict(row["candidates"])) for block, row in shown],
        area,
        zoom,
        min(row["candidates"]["floor"] for _, row in shown),
    )
    threshold = shown[0][1]["record"]["threshold"]
    found, small = candidates.counted(threshold, claim.message.min_length_m)
    whole = pixel_box(area.box, zoom)

    yield Progress("report", 1, 3, "steps", "joining images")
    picture = _preview(shown, whole, objects, folder)
    factor = (picture.shape[1] / whole.width, picture.shape[0] / whole.height)
    write_picture(folder / "overlay.png", draw_overlay(picture, found, factor, small))
    write_picture(folder / "preview.jpg", picture)
    results = {
        "overlay": objects.put_file(folder / "overlay.png"),
        "preview": objects.put_file(folder / "preview.jpg"),
    }
    results |= yield from _map_files(shown, whole, zoom, objects, folder, settings)

    yield Progress("report", 2, 3, "steps", "writing tables")
    notes = list(dict.fromkeys(note for _, row in done for note in row["record"]["notes"]))
    timings = _timings(row for _, row in shown)
    texts = {
        "geojson": (json.dumps(vector.geojson(found)), ".geojson"),
        "csv": (vector.csv_text(found), ".csv"),
        "candidates": (vector.to_json(candidates), ".json"),
        "record": (
            json.dumps(_record(claim, shown, whole, (found, small), notes, timings)),
            ".json",
        ),
    }
    results |= {kind: objects.put(text.encode(), end) for kind, (text, end) in texts.items()}
    sizes = {kind: objects.size(key) for kind, key in results.items()}
    store.complete_job(
        claim,
        [_ship(d) for d in found],
        [
            {"kind": kind, "object": key, "media_type": media_type(key), "bytes": sizes[kind]}
            for kind, key in results.items()
        ],
        {"timings": timings, "notes": notes},
    )
    yield Progress("report", 3, 3, "steps")


def _preview(shown: Done, whole: PixelBox, objects: ObjectStore, folder: Path) -> Pixels:
    """Return one image of the area from the blocks' previews, at most ``OVERLAY_MAX_PX`` long."""
    share = min(1.0, OVERLAY_MAX_PX / max(whole.width, whole.height))
    width, height = (max(1, round(side * share)) for side in (whole.width, whole.height))
    if len(shown) == 1 and shown[0][0].box == whole and share == 1.0:
        objects.get_file(shown[0][1]["objects"]["preview"], folder / "block.jpg")
        return read_picture(folder / "block.jpg")  # may be super-resolved
    picture = np.zeros((height, width, 3), np.uint8)
    for block, row in shown:
        objects.get_file(row["objects"]["preview"], folder / "block.jpg")
        part = _core(read_picture(folder / "block.jpg"), block)
        core = block.core
        x0, x1 = (round((x - whole.x0) * share) for x in (core.x0, core.x1))
        y0, y1 = (round((y - whole.y0) * share) for y in (core.y0, core.y1))
        if x1 > x0 and y1 > y0:
            picture[y0:y1, x0:x1] = cv2.resize(
                part, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA
            )
    return picture


def _core(preview: Pixels, block: Block) -> Pixels:
    """Return the core's part of a block's preview, whose scale may differ from the block's."""
    box, core = block.box, block.core
    fx, fy = preview.shape[1] / box.width, preview.shape[0] / box.height
    x0, x1 = (round((x - box.x0) * fx) for x in (core.x0, core.x1))
    y0, y1 = (round((y - box.y0) * fy) for y in (core.y0, core.y1))
    return preview[y0:y1, x0:x1]


def _map_files(
    shown: Done, whole: PixelBox, zoom: int, objects: ObjectStore, folder: Path, settings: Settings
) -> Steps[dict[str, str]]:
    """Return the keys of the joined GeoTIFF and VRT; a single block's GeoTIFF is used as it is."""
    keys = [(block, row["objects"]["mosaic"]) for block, row in shown]
    if len(keys) == 1 and keys[0][0].box == whole:
        return {"mosaic": keys[0][1]}
    grid = Grid.from_tiles(whole, zoom)
    write_vrt(folder / "mosaic.vrt", grid, whole, keys)
    files = {"vrt": objects.put_file(folder / "mosaic.vrt")}
    if whole.width * whole.height <= settings.cluster_join_px:
        source = shown[0][1]["record"]["source"]
        yield from write_joined_geotiff(
            folder / "mosaic.tif", grid, whole, keys, objects, source["attribution"]
        )
        files["mosaic"] = objects.put_file(folder / "mosaic.tif")
    return files


def _ship(detection: Any) -> Row:
    """Return a row of the table of detections."""
    return {
        "number": detection.id,
        "outline": Jsonb(np.round(detection.corners_lonlat, 7).tolist()),
        "properties": Jsonb(vector.properties(detection)),
        **{
            name: float(getattr(detection, name))
            for name in ("score", "lon", "lat", "x", "y", "length_m", "width_m", "axis_deg")
        },
    }


def _timings(rows: Any) -> dict[str, float]:
    """Return the seconds per stage, summed over the blocks."""
    total: dict[str, float] = {}
    for row in rows:
        for stage, seconds in row["record"]["timings"].items():
            total[stage] = round(total.get(stage, 0.0) + seconds, 3)
    return total


def _record(
    claim: Claim,
    shown: Done,
    whole: PixelBox,
    ships: tuple[Detections, Detections],
    notes: list[str],
    timings: dict[str, float],
) -> dict[str, Any]:
    """Return the run.json of a job; ``ships`` are the ships that count and the small craft."""
    found, small = ships
    records = [row["record"] for _, row in shown]
    return {
        "format": 1,
        "job": claim.job_id,
        "message": claim.message.model_dump(mode="json"),
        "zoom": claim.zoom,
        "source": records[0]["source"],
        "models": records[0]["models"],
        "super_resolution": _super_resolution(records),
        "threshold": records[0]["threshold"],
        "min_length_m": claim.message.min_length_m,
        "width": whole.width,
        "height": whole.height,
        "blocks": len(shown),
        "tiles": {
            how: sum(record["tiles"][how] for record in records)
            for how in ("fetched", "cached", "missing")
        },
        "timings": timings,
        "notes": notes,
        "ships": len(found),
        "detections": [vector.properties(d) for d in found],
        "small_craft": [vector.properties(d) for d in small],
    }


def _super_resolution(records: list[dict[str, Any]]) -> dict[str, int] | None:
    """Return the total and the super-resolved image blocks; None without super-resolution."""
    counts = [record["super_resolution"] for record in records if record.get("super_resolution")]
    return {k: sum(c[k] for c in counts) for k in ("blocks", "enlarged")} if counts else None
