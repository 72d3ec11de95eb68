"""The API of the cluster: /submit_job, /jobs and /job."""

from datetime import datetime
from typing import Any, Literal

from gradio.events import api

from shipdet.cluster import submit
from shipdet.cluster.jobs.message import NOT_SUBMITTED, JobMessage
from shipdet.cluster.store import queries
from shipdet.errors import BadOption
from shipdet.options import with_options
from shipdet.requests import AreaRequest, Search
from shipdet.settings import Settings
from shipdet.ui.api import Answer, as_text, one_sentence
from shipdet.ui.jobs_tab import addresses

Status = Literal["", "queued", "running", "completed", "failed", "cancelled"]


def add_jobs_api(settings: Settings) -> None:
    """Add the endpoints to the current Blocks."""
    store = submit.open_store(settings)

    @with_options(AreaRequest, Search, leave_out=NOT_SUBMITTED)
    def submit_job(
        name: str, area: list[float] | str | dict[str, Any], reference: str = "", **options: Any
    ) -> Answer:
        """Submit one area to the cluster: west, south, east, north, a WKT or a GeoJSON polygon.

        The name of the job has 3 to 64 letters, digits, dots, dashes and underscores; the
        options are those of /detect_area. Returns the id, which is the same for the same request.
        """
        with one_sentence():
            message = JobMessage.from_options(name, area, reference, options)
            submit.submit([message], settings)
            return {"id": message.id, "name": message.name}

    def jobs(status: Status = "", limit: int = 100) -> list[Answer]:
        """List the newest jobs, of one status or of all."""
        with one_sentence():
            if not isinstance(limit, int):
                raise BadOption("The limit must be a whole number.")
            return [_plain(job) for job in queries.list_jobs(store, as_text(status), limit)]

    def job(id_or_name: str) -> Answer:
        """Return one job: progress, ships, and addresses of its files."""
        with one_sentence():
            found = queries.show_job(store, as_text(id_or_name))
            return {**_plain(found), "files": addresses(found, settings)}

    api(submit_job, api_name="submit_job", queue=False)
    api(jobs, api_name="jobs", queue=False)
    api(job, api_name="job", queue=False)


def _plain(row: Answer) -> Answer:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
