"""Actions on jobs: submit, cancel, retry, wait."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from shipdet.cluster.engines.broker import make_topics, send
from shipdet.cluster.engines.database import Database
from shipdet.cluster.engines.objects import ObjectStore
from shipdet.cluster.jobs.job_plan import plan_job
from shipdet.cluster.jobs.message import JobMessage, check_length
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.migrations import migrate
from shipdet.cluster.store.statements import OPEN, Row
from shipdet.errors import BadJob, BadOption, EngineUnreachable, UnknownJob
from shipdet.settings import Settings

LOOK_S = 1.0  # between two looks while no change is notified


def open_store(settings: Settings) -> Store:
    """Open the job store, with an error soon when the database does not answer."""
    return Store(Database(settings.postgres, patience_s=5.0))


def prepare(settings: Settings) -> list[str]:
    """Create missing tables, bucket and topics; returns the migrations applied."""
    applied = migrate(Database(settings.postgres))
    ObjectStore(settings).prepare()
    make_topics(settings)
    return applied


def submit(messages: Sequence[JobMessage], settings: Settings) -> list[str]:
    """Send jobs to the topic; all are checked before the first is sent.

    Returns:
        Their ids.

    Raises:
        BadJob: Another job has a name.
        EngineUnreachable: An engine does not answer.
        ShipdetError: As the pipeline for the same request.
    """
    by_name = {message.name: message for message in messages}
    if len(by_name) < len(messages):
        raise BadJob("Two of the areas have the same name: give each its own.")
    for message in messages:
        check_length(message.encode())
        plan_job(message, settings)
    known = open_store(settings).database.rows(
        "SELECT id, name FROM jobs WHERE name = ANY(%s)", list(by_name)
    )
    for row in known:
        if row["id"] != by_name[row["name"]].id:
            raise BadJob(
                f"Another job has the name '{row['name']}' already: choose a new one for a new "
                "request."
            )
    send(settings, settings.kafka_topic, ((m.id, m.encode()) for m in messages))
    return [message.id for message in messages]


def cancel(store: Store, id_or_name: str) -> Row:
    """Stop a job at its next block; BadOption when it has ended."""
    job = store.job(id_or_name)
    if not store.cancel(job["id"]):
        raise BadOption(f"Job {job['name']} is {store.job(job['id'])['status']} already.")
    return store.job(job["id"])


def retry(store: Store, id_or_name: str, settings: Settings) -> Row:
    """Queue a failed or cancelled job again; BadOption for any other."""
    job = store.job(id_or_name)
    message = JobMessage.of(job["message"])
    zoom, blocks = plan_job(message, settings)
    if job["blocks_total"] and (job["zoom"], job["blocks_total"]) != (zoom, len(blocks)):
        raise BadOption(
            "The settings have changed since, and the job's blocks would be others: submit it "
            "under a new name."
        )
    if not store.retry(job["id"], zoom, blocks):
        raise BadOption(f"Job {job['name']} is {job['status']}: only failed and cancelled ones "
                        "are tried again.")  # fmt: skip
    return store.job(job["id"])


def wait(
    store: Store, ids: Sequence[str], timeout_s: float | None = None
) -> Iterator[dict[str, Row]]:
    """Yield the rows of jobs, by id, at every change, until all have ended.

    A job that the stream has not read yet has no row.

    Args:
        store: The job store.
        ids: Ids of jobs.
        timeout_s: The longest wait; None: no limit.

    Raises:
        EngineUnreachable: The jobs have not ended after ``timeout_s``.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    last: dict[str, Any] = {}
    while True:
        for _ in store.database.changes(LOOK_S):
            rows = store.database.rows("SELECT * FROM jobs WHERE id = ANY(%s)", list(ids))
            now = {row["id"]: row for row in rows}
            if now != last:
                last = now
                yield now
            if len(now) == len(set(ids)) and not any(r["status"] in OPEN for r in now.values()):
                return
            if end is not None and time.monotonic() > end:
                raise EngineUnreachable("The jobs have not ended in the time given: see the list.")


def find_ids(store: Store, names: Sequence[str]) -> list[str]:
    """Find the ids of jobs given by id or name; an unknown id is returned as it is."""
    found = []
    for name in names:
        try:
            found.append(str(store.job(name)["id"]))
        except UnknownJob:
            if len(name) != 32:
                raise
            found.append(name)
    return found
