"""A run as one HTML page: image, map, table and provenance."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from shipdet.detections import Detection
from shipdet.geometry import Floats, near_longitude, wrap_longitude
from shipdet.report.record import corners_of, grid_of
from shipdet.report.score_colors import score_class
from shipdet.words import number_of

if TYPE_CHECKING:
    from shipdet.report.finished_run import Run

#: The stylesheet of all pages.
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "color:#0f1720;background:#fff}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d5dce3}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%;height:auto}"
    "td img{max-height:80px}.error{color:#a11}"
)

_MAP_PX = 640  # longest side of the map


def html_report(run: "Run") -> str:
    """Return a self-contained page: the overlay, a map, the table and the provenance.

    Args:
        run: A run with results.

    Returns:
        HTML text of a few megabytes, which includes the overlay.
    """
    record = run.record
    ships, small = run.detections.items, run.small_craft.items
    title = number_of(len(ships), "ship")
    also = f", {len(small):,} small craft" if small and not run.filter.given else ""
    overlay = ""
    if "overlay" in run.files:
        data = base64.b64encode(_overlay(run)).decode()
        overlay = (
            f'<img alt="The image with the ships drawn on it" src="data:image/png;base64,{data}">'
        )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(run.id)}</title><style>{STYLE}</style>"
        f"<h1>{title}{also}</h1><p>{escape(run.title)}, {escape(record['created'])}</p>"
        f"{overlay}{_map(run, ships)}<h2>Ships</h2>{_table(ships)}"
        f"<h2>Provenance</h2>{_provenance(run)}</html>\n"
    )


def _overlay(run: "Run") -> bytes:
    if not run.filter.given:
        return run.files["overlay"].read_bytes()
    drawn = io.BytesIO()
    run.overlay().save(drawn, "PNG", compress_level=3)
    return drawn.getvalue()


def _map(run: "Run", ships: Sequence[Detection]) -> str:
    """Return a map of the outlines as SVG, north up; "" without a georeference."""
    if not grid_of(run.record).georeferenced:
        return ""
    edge = corners_of(run.record)
    west, south = edge.min(axis=0)
    east, north = edge.max(axis=0)
    squeeze = float(np.cos(np.radians((south + north) / 2)))
    span_x, span_y = max((east - west) * squeeze, 1e-9), max(north - south, 1e-9)
    scale = _MAP_PX / max(span_x, span_y)
    width, height = span_x * scale, span_y * scale

    def drawn(points: Floats) -> str:
        x = (near_longitude(points[:, 0], edge[0, 0]) - west) * squeeze * scale
        y = (north - points[:, 1]) * scale
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    shapes = []
    for ship in ships:
        if ship.corners_lonlat is not None:
            color = "rgb({},{},{})".format(*score_class(ship.score).color)
            shapes.append(
                f'<polygon points="{drawn(ship.corners_lonlat)}" fill="{color}" stroke="#0f1720"'
                f"><title>{ship.id}: {ship.length_m:.0f} m</title></polygon>"
            )
    middle_lon, middle_lat = wrap_longitude((west + east) / 2), (south + north) / 2
    address = f"https://www.openstreetmap.org/#map=14/{middle_lat:.5f}/{middle_lon:.5f}"
    return (
        f'<h2>Map</h2><svg viewBox="-1 -1 {width + 2:.0f} {height + 2:.0f}" width="{width:.0f}"'
        ' role="img" aria-label="Outlines of the ships">'
        f'<rect width="{width:.1f}" height="{height:.1f}" fill="#e8f0f6" stroke="#8899aa"/>'
        f'<polygon points="{drawn(edge)}" fill="#dce8f0" stroke="#8899aa"/>{"".join(shapes)}</svg>'
        f"<p>West {wrap_longitude(west):.5f}, south {south:.5f}, "
        f"east {wrap_longitude(east):.5f}, north {north:.5f}; "
        f'<a href="{address}">open in OpenStreetMap</a></p>'
    )


def _table(ships: Sequence[Detection]) -> str:
    head = ("", "Score", "Length (m)", "Width (m)", "Axis (°)", "Longitude", "Latitude", "x", "y")
    rows = []
    for ship in ships:
        place = (None, None) if ship.lon is None else (f"{ship.lon:.5f}", f"{ship.lat:.5f}")
        cells = (
            *(ship.id, f"{ship.score:.2f}", f"{ship.length_m:.0f}", f"{ship.width_m:.0f}"),
            *(f"{ship.axis_deg:.0f}", *place, f"{ship.x:.0f}", f"{ship.y:.0f}"),
        )
        row = "".join(f'<td class="n">{"" if cell is None else cell}</td>' for cell in cells)
        rows.append(f"<tr>{row}</tr>")
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f"<table><tr>{titles}</tr>{''.join(rows)}</table>"


def _provenance(run: "Run") -> str:
    record = run.record
    raw, source = record["raw"], record["source"]
    names = record.get("models", {}).get("names", {})
    facts: dict[str, Any] = {
        "Imagery": run.title,
        "Attribution": source.get("attribution"),
        "Terms": source.get("license"),
        "Zoom": source.get("zoom"),
        "Size": f"{raw['width']:,} x {raw['height']:,} pixels of {raw['gsd_m']:.3g} m",
        "Coverage": None if raw.get("covered") is None else f"{raw['covered']:.1%}",
        "Ship model": names.get("classifier"),
        "Super-resolution": names.get("upscaler"),
        "Lowest score": f"{run.threshold:g}",
        "Shortest ship": f"{run.min_length_m:g} m",
        "Filter": ", ".join(f"{name} {value}" for name, value in run.filter.given.items()),
        "Reviewed by": ", ".join(dict.fromkeys(a.by for a in run.review.actions)),
        "shipdet": record.get("versions", {}).get("shipdet"),
        "Notes": " ".join(run.notes),
    }
    rows = "".join(
        f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>"
        for name, value in facts.items()
        if value not in (None, "")
    )
    return f"<table>{rows}</table>"
