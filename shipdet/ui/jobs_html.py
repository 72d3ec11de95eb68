"""HTML of the Jobs tab, independent of gradio and the engines."""

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from shipdet.ui.html import duration
from shipdet.words import number_of

Row = dict[str, Any]

NO_JOBS = (
    '<div class="sd-card sd-empty"><h3>No jobs yet</h3><p>Submit the area drawn on the '
    "map, or a file with several areas.</p></div>"
)
OPEN_A_JOB = '<div class="sd-card sd-empty"><p>Select a job to see its results.</p></div>'


def jobs_table(jobs: Sequence[Row], now: datetime | None = None) -> str:
    """Return the jobs as a table with progress bars."""
    if not jobs:
        return NO_JOBS
    heads = ("Job", "Status", "Blocks", "Ships", "Time", "Error")
    lines = "".join(_line(job, now or datetime.now(UTC)) for job in jobs)
    row = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return f'<table class="sd-jobs"><thead><tr>{row}</tr></thead><tbody>{lines}</tbody></table>'


def _line(job: Row, now: datetime) -> str:
    done, total = job["blocks_done"], job["blocks_total"]
    bar = (
        f'<progress value="{done}" max="{max(total, 1)}" aria-label="Blocks done"></progress> '
        f"{done} of {total}"
    )
    ships = "" if job["ships"] is None else str(job["ships"])
    end = job["finished_at"] or now
    cells = (
        html.escape(job["name"]),
        job["status"],
        bar,
        ships,
        duration((end - job["created_at"]).total_seconds()),
        html.escape(job["error"]),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def job_card(job: Row, addresses: dict[str, str]) -> str:
    """Return one job: outcome, overlay and files; ``addresses`` are by kind."""
    parts = [f"<h3>{html.escape(job['name'])}</h3><p>{_outcome(job)}</p>"]
    if "overlay" in addresses:
        source = html.escape(addresses["overlay"])
        parts.append(f'<img src="{source}" alt="Ships on the image" style="max-width:100%">')
    links = (
        f'<a href="{html.escape(address)}" target="_blank">{html.escape(kind)}</a>'
        for kind, address in addresses.items()
    )
    parts.append(f"<p>{' · '.join(links)}</p>")
    parts += [f"<p>{html.escape(note)}</p>" for note in job["notes"]]
    return f'<div class="sd-card">{"".join(parts)}</div>'


def _outcome(job: Row) -> str:
    if job["status"] == "completed":
        return f"{number_of(job['ships'], 'ship')} in {number_of(job['blocks_total'], 'block')}"
    error = f": {html.escape(job['error'])}" if job["error"] else ""
    return f"{job['status']}, {job['blocks_done']} of {job['blocks_total']} blocks{error}"


def engines_line(engines: Iterable[Any]) -> str:
    """Return the state of the engines in one line."""
    parts = (
        f"{html.escape(e.name)} {'✓' if e.reachable else '✗ ' + html.escape(e.reason)}"
        for e in engines
    )
    return f'<p class="sd-hint">{" · ".join(parts)}</p>'


def ships_geojson(job: Row) -> dict[str, Any]:
    """Return a job's ships as GeoJSON for the map."""
    features = [
        {
            "type": "Feature",
            "id": row["properties"]["id"],
            "geometry": {"type": "Polygon", "coordinates": [[*row["outline"], row["outline"][0]]]},
            "properties": row["properties"],
        }
        for row in job["detections"]
    ]
    return {"type": "FeatureCollection", "features": features}
