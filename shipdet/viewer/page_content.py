"""The content of the pages, as JSON values."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from shipdet import pipeline
from shipdet.ais import acquired_of
from shipdet.detections import Detection
from shipdet.geometry import Floats
from shipdet.pipeline import Comparison, Run, RunInfo
from shipdet.report import layers, top_zoom, vector
from shipdet.report.record import grid_of, pixels_of
from shipdet.viewer.http_requests import version_of
from shipdet.viewer.live_searches import Running

#: Most other candidates in the list, best scores first.
MOST_OTHERS = 500

JsonObject = dict[str, Any]


def run_page(run: Run) -> JsonObject:
    """Return the content of the viewer: a run with the ships that pass its filter."""
    record = run.record
    source = record["source"]
    found = run.detections
    return {
        "id": run.id,
        "version": version_of(run),
        "title": run.title,
        "attribution": source.get("attribution") or "",
        "created": record["created"],
        "acquired": acquired_of(record),
        **_frame(run),
        "layers": layers(run),
        "map": "map" in record["files"],
        "files": list(record["files"]),
        "ais": "ais" in record,
        "searched": "ships" in record,
        "threshold": run.threshold,
        "notes": list(run.notes),
        "total": len(run.all_detections),
        "ships": [vector.properties(ship) for ship in found],
        "geojson": vector.geojson(found),
        "others": _others(run),
        "actions": len(run.review.actions),
        "filter": run.filter.given,
    }


def _frame(run: Run) -> JsonObject:
    """Return size, scale and zooms of a run's image."""
    raw = run.record["raw"]
    return {
        "georeferenced": bool(raw["georeferenced"]),
        "width": raw["width"],
        "height": raw["height"],
        "gsd_m": [raw.get("gsd_x_m", raw["gsd_m"]), raw.get("gsd_y_m", raw["gsd_m"])],
        "top_zoom": top_zoom(run),
    }


def _others(run: Run) -> list[JsonObject]:
    """Return candidates that do not count, each with the reason ``why``."""
    counted = {ship.key for ship in run.all_detections}
    rejected = {
        action.key: action.kind == "reject"
        for action in run.review.actions
        if action.kind in ("accept", "reject", "redraw", "move")
    }
    listed = []
    for ship in run.candidates:
        if ship.id in counted:
            continue
        why = "rejected" if rejected.get(ship.id) else "short"
        if ship.score < run.threshold and why != "rejected":
            why = "weak"
        listed.append({**vector.properties(ship), "key": ship.id, "why": why})
    return listed[:MOST_OTHERS]


def history_page(
    runs: Iterable[RunInfo], running: Iterable[Running], days: float, gb: float
) -> JsonObject:
    """Return the content of the history.

    Args:
        runs: Finished runs.
        running: Running searches.
        days: Age at which runs are removed.
        gb: Total size above which the oldest runs are removed.
    """
    return {
        "runs": [
            {
                "id": run.id,
                "title": run.source,
                "created": run.created,
                "bbox": run.bbox,
                "ships": run.ships,
                "reviewed": run.reviewed,
                "size_mb": round(run.size_mb, 1),
                "thumbnail": run.thumbnail is not None,
            }
            for run in runs
        ],
        "running": [
            {
                "title": each.title,
                "started": each.started,
                "step": each.latest.title if each.latest else "Waiting",
                "fraction": each.latest.fraction if each.latest else 0.0,
            }
            for each in running
        ],
        "kept": {"days": days, "gb": gb},
    }


def comparison_page(earlier: Run, later: Run) -> JsonObject:
    """Return the content of a comparison, in pixels of the earlier run."""
    changes = pipeline.compare(earlier, later)
    return {
        "runs": [
            {
                "id": run.id,
                "version": version_of(run),
                "title": run.title,
                "when": acquired_of(run.record) or run.record["created"],
            }
            for run in (earlier, later)
        ],
        **_frame(earlier),
        "counts": changes.counts,
        "outside": changes.outside,
        "ships": _changed(changes, earlier),
        "pairs": {after.id: before.id for before, after in changes.stayed},
    }


def _changed(changes: Comparison, earlier: Run) -> list[JsonObject]:
    """Return all ships with their change, in pixels of the earlier run's image."""
    placed = grid_of(earlier.record).georeferenced
    listed = []
    for change, ship in changes.rows():
        if placed and change != "left" and ship.corners_lonlat is not None:
            ship = _moved(ship, pixels_of(earlier.record, ship.corners_lonlat))
        listed.append({"change": change, **vector.properties(ship)})
    return listed


def _moved(ship: Detection, corners: Floats) -> Detection:
    """Return the ship with the corners that it has in another run's image."""
    x, y = np.mean(corners, axis=0)
    return replace(ship, x=float(x), y=float(y), corners=corners)
