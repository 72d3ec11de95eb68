"""Detections as GeoJSON (RFC 7946), as CSV, and as JSON that can be read back."""

import csv
import io
import json
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from shipdet.detections import Detection, Detections
from shipdet.geometry import Floats, near_longitude

CSV_COLUMNS = (
    *("id", "score", "x", "y", "x0", "y0", "x1", "y1", "lon", "lat"),
    *("length_m", "width_m", "axis_deg", "raw_support"),
    *("acquired", "scene", "mmsi", "name", "ais_distance_m", "dark"),
)
#: Properties that are written only if they are known.
_DATED = ("acquired", "scene", "processing_baseline")
_AIS = ("mmsi", "name", "ais_distance_m", "dark")


def properties(detection: Detection) -> dict[str, Any]:
    """Return one ship's properties as JSON values.

    Ships of dated imagery have ``acquired``, ``scene`` and ``processing_baseline``; ships matched
    against an AIS file have ``mmsi``, ``name``, ``ais_distance_m`` and ``dark``.
    """
    facts: dict[str, Any] = {
        "id": detection.id,
        "score": round(detection.score, 4),
        "length_m": round(detection.length_m, 1),
        "width_m": round(detection.width_m, 1),
        "axis_deg": round(detection.axis_deg, 1),
        "lon": _rounded(detection.lon, 7),
        "lat": _rounded(detection.lat, 7),
        "x": round(detection.x, 2),
        "y": round(detection.y, 2),
        "corners": np.round(detection.corners, 2).tolist(),
        "cut": detection.cut,
        "near_gap": detection.near_gap,
        "raw_score": _rounded(detection.raw_score, 4),
        "raw_support": detection.raw_support,
        "key": detection.key or detection.id,
        "review": detection.review,
    }
    known: tuple[str, ...] = _DATED if detection.acquired is not None else ()
    if detection.dark is not None:
        known += _AIS
    return facts | {name: getattr(detection, name) for name in known}


def geojson(detections: Detections) -> dict[str, Any]:
    """Return a FeatureCollection of the outlines; ships without coordinates are left out."""
    features = []
    for detection in detections:
        if detection.corners_lonlat is None:
            continue
        facts = properties(detection)
        del facts["corners"]
        features.append(
            {
                "type": "Feature",
                "id": detection.id,
                "geometry": _geometry(detection.corners_lonlat),
                "properties": facts,
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _geometry(corners: Floats) -> dict[str, Any]:
    """Return a Polygon, or a MultiPolygon if the outline crosses the antimeridian."""
    parts = rings(corners)
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts}
    return {"type": "MultiPolygon", "coordinates": [[part] for part in parts]}


def rings(corners: Floats) -> list[list[list[float]]]:
    """Return an outline as closed rings, one on each side of the antimeridian if it crosses it.

    RFC 7946: the outline is cut at the antimeridian, so longitudes stay between -180 and 180
    degrees (3.1.9); rings are counterclockwise (3.1.6).

    Args:
        corners: (n, 2), longitude and latitude.
    """
    lon = near_longitude(corners[:, 0], corners[0, 0])  # without a jump at 180 degrees
    if np.abs(lon).max() <= 180.0:
        return [_ring(corners)]
    outline = shapely.Polygon(np.stack([lon, corners[:, 1]], axis=-1))
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        part = outline.intersection(shapely.box(turn - 180.0, -90.0, turn + 180.0, 90.0))
        if part.area > 0:
            ring = np.array(part.exterior.coords)[:-1]
            parts.append(_ring(ring - (turn, 0.0)))
    return parts


def _ring(corners: Floats) -> list[list[float]]:
    ring = [[round(float(x), 7), round(float(y), 7)] for x, y in corners]
    ring = [*ring, ring[0]]
    if _signed_area(ring) < 0:
        ring.reverse()
    return ring


def _signed_area(ring: list[list[float]]) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring))


def csv_text(detections: Detections) -> str:
    """Return a table with the columns ``CSV_COLUMNS``; missing values are empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for detection in detections:
        row = properties(detection)
        row |= dict(
            zip(("x0", "y0", "x1", "y1"), (round(v, 2) for v in detection.bounds), strict=True)
        )
        for name in ("raw_support", "dark"):
            value = getattr(detection, name)
            row[name] = "" if value is None else str(value).lower()
        writer.writerow(row)
    return out.getvalue()


def to_json(detections: Detections) -> str:
    """Return JSON from which :func:`from_json` restores the detections."""
    return json.dumps(as_dict(detections))


def as_dict(detections: Detections) -> dict[str, Any]:
    """Return the content of :func:`to_json` as JSON values."""
    items = [
        {
            **{
                name: getattr(d, name)
                for name in (
                    "id",
                    "score",
                    "x",
                    "y",
                    "length_m",
                    "width_m",
                    "axis_deg",
                    "lon",
                    "lat",
                    "near_gap",
                    "cut",
                    "raw_score",
                    "raw_support",
                )
            },
            "corners": d.corners.tolist(),
            "corners_lonlat": None if d.corners_lonlat is None else d.corners_lonlat.tolist(),
        }
        for d in detections
    ]
    return {"floor": detections.floor, "items": items}


def from_json(text: str) -> Detections:
    """Restore detections from the text of :func:`to_json`."""
    return from_dict(json.loads(text))


def from_dict(data: dict[str, Any]) -> Detections:
    """Restore detections from the values of :func:`as_dict`, which are modified."""
    items = []
    for item in data["items"]:
        outline = item.pop("corners_lonlat")
        items.append(
            Detection(
                **{**item, "corners": np.array(item["corners"], np.float64)},
                corners_lonlat=None if outline is None else np.array(outline, np.float64),
            )
        )
    return Detections(tuple(items), data["floor"])


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
