"""What the pages show, as plain JSON values."""

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

#: Weaker candidates that are listed beside the ships; a person accepts the best of them.
MOST_OTHERS = 500

JsonObject = dict[str, Any]


def run_page(run: Run) -> JsonObject:
    """Everything that the viewer shows of a run, with the ships that its filter leaves."""
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
    """The image that ships lie in: size, scale, tiles."""
    raw = run.record["raw"]
    return {
        "georeferenced": bool(raw["georeferenced"]),
        "width": raw["width"],
        "height": raw["height"],
        "gsd_m": [raw.get("gsd_x_m", raw["gsd_m"]), raw.get("gsd_y_m", raw["gsd_m"])],
        "top_zoom": top_zoom(run),
    }


def _others(run: Run) -> list[JsonObject]:
    """What does not count: rejected, too short or too weak; each with why."""
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
    """The list of runs, what is under way, and when runs are removed."""
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
    """Two runs side by side, in the pixels of the earlier one."""
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
    """Every ship with what became of it; pixels are of the earlier run's image."""
    placed = grid_of(earlier.record).georeferenced
    listed = []
    for change, ship in changes.rows():
        if placed and change != "left" and ship.corners_lonlat is not None:
            ship = _moved(ship, pixels_of(earlier.record, ship.corners_lonlat))
        listed.append({"change": change, **vector.properties(ship)})
    return listed


def _moved(ship: Detection, corners: Floats) -> Detection:
    """The ship with its pixels in another run's image."""
    x, y = np.mean(corners, axis=0)
    return replace(ship, x=float(x), y=float(y), corners=corners)
