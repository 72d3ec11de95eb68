"""The API of the cluster: /submit_job, /jobs and /job."""

from datetime import datetime
from typing import Any, Literal

from gradio.events import api

from shipdet.cluster import submit
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store import queries
from shipdet.requests import PASSES, Upscale
from shipdet.settings import Settings
from shipdet.ui.api import Answer, Backend, Scoring, one_sentence
from shipdet.ui.jobs_tab import addresses

Status = Literal["", "queued", "running", "completed", "failed", "cancelled"]


def add_jobs_api(settings: Settings) -> None:
    """Add the endpoints to the current Blocks."""
    store = submit.open_store(settings)

    def submit_job(
        name: str,
        area: list[float] | str | dict[str, Any],
        provider: str = "",
        zoom: int | None = None,
        upscale: Upscale = "none",
        upscaler: str = "",
        model: str = "",
        stride: int = 0,
        threshold: float | None = None,
        backend: Backend = "",
        reference: str = "",
        selective: bool = False,
        scoring: Scoring = "",
        views: int = 0,
        date_from: str = "",
        date_to: str = "",
        max_cloud: int = 20,
    ) -> Answer:
        """Submit one area to the cluster: west, south, east, north, a WKT or a GeoJSON polygon.

        The name is the job's own: 3 to 64 letters, digits, dots, dashes and underscores; what else
        may be set is as for /detect_area. Returns the id, which is the same for the same request.
        """
        with one_sentence():
            message = JobMessage.of(
                {
                    "version": 2,
                    "name": name,
                    "area": area,
                    "provider": provider,
                    "zoom": zoom,
                    "passes": PASSES.get(upscale, upscale),
                    "upscaler": upscaler,
                    "selective": selective,
                    "model": model,
                    "stride": stride,
                    "threshold": threshold,
                    "backend": backend,
                    "scoring": scoring,
                    "views": views,
                    "date_from": date_from,
                    "date_to": date_to,
                    "max_cloud": max_cloud,
                    "reference": reference,
                }
            )
            submit.submit([message], settings)
            return {"id": message.id, "name": message.name}

    def jobs(status: Status = "", limit: int = 100) -> list[Answer]:
        """List the newest jobs, of one status or of all."""
        with one_sentence():
            return [_plain(job) for job in queries.list_jobs(store, status, limit)]

    def job(id_or_name: str) -> Answer:
        """Tell everything of one job: progress, ships, and addresses of its files."""
        with one_sentence():
            found = queries.show_job(store, id_or_name)
            return {**_plain(found), "files": addresses(found, settings)}

    api(submit_job, api_name="submit_job", queue=False)
    api(jobs, api_name="jobs", queue=False)
    api(job, api_name="job", queue=False)


def _plain(row: Answer) -> Answer:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
