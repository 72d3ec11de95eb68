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
from shipdet.cluster.store.statements import OPEN, Row, name_taken
from shipdet.errors import BadJob, BadOption, EngineUnreachable, UnknownJob
from shipdet.settings import Settings

LOOK_S = 1.0  # between two checks without a notification


def open_store(settings: Settings) -> Store:
    """Open the job store with a short timeout for the database."""
    return Store(Database(settings.postgres, patience_s=5.0))


def prepare(settings: Settings) -> list[str]:
    """Create the missing tables, bucket and topics; return the applied migrations."""
    applied = migrate(Database(settings.postgres))
    ObjectStore(settings).prepare()
    make_topics(settings)
    return applied


def submit(messages: Sequence[JobMessage], settings: Settings) -> list[str]:
    """Send jobs to the topic, after all of them are validated.

    Args:
        messages: The jobs.
        settings: Addresses of the engines, defaults and limits.

    Returns:
        The ids of the jobs.

    Raises:
        BadJob: Two jobs have the same name.
        EngineUnreachable: An engine does not answer.
        ShipdetError: The pipeline rejects a request.

    Example:
        >>> message = JobMessage(name="gibraltar", area=(-5.44, 36.12, -5.41, 36.14))
        >>> [id] = submit([message], get_settings())
    """
    by_name = {message.name: message for message in messages}
    if len(by_name) < len(messages):
        raise BadJob("Two areas have the same name: give each a different name.")
    for message in messages:
        check_length(message.encode())
        plan_job(message, settings)
    known = open_store(settings).database.rows(
        "SELECT id, name FROM jobs WHERE name = ANY(%s)", list(by_name)
    )
    for row in known:
        if row["id"] != by_name[row["name"]].id:
            raise name_taken(row["name"])
    send(settings, settings.kafka_topic, ((m.id, m.encode()) for m in messages))
    return [message.id for message in messages]


def cancel(store: Store, id_or_name: str) -> Row:
    """Stop a job before its next block; BadOption if it has ended."""
    job = store.job(id_or_name)
    if not store.cancel(job["id"]):
        raise BadOption(f"Job {job['name']} is already {store.job(job['id'])['status']}.")
    return store.job(job["id"])


def retry(store: Store, id_or_name: str, settings: Settings) -> Row:
    """Queue a failed or cancelled job again; BadOption for all others."""
    job = store.job(id_or_name)
    message = JobMessage.of(job["message"])
    zoom, blocks = plan_job(message, settings)
    if job["blocks_total"] and (job["zoom"], job["blocks_total"]) != (zoom, len(blocks)):
        raise BadOption(
            "The settings have changed, so the job would have different blocks: submit it under "
            "a new name."
        )
    if not store.retry(job["id"], zoom, blocks):
        raise BadOption(f"Job {job['name']} is {job['status']}: only failed and cancelled jobs "
                        "can be retried.")  # fmt: skip
    return store.job(job["id"])


def wait(
    store: Store, ids: Sequence[str], timeout_s: float | None = None
) -> Iterator[dict[str, Row]]:
    """Yield the rows of jobs by id after each change, until all jobs have ended.

    A job that the stream has not read yet has no row.

    Args:
        store: The job store.
        ids: Ids of jobs.
        timeout_s: Longest wait; None for no limit.

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
                raise EngineUnreachable(
                    "The jobs have not ended within the time limit: see the list of jobs."
                )


def find_ids(store: Store, names: Sequence[str]) -> list[str]:
    """Return the ids of jobs given by id or name; unknown ids are returned unchanged."""
    found = []
    for name in names:
        try:
            found.append(str(store.job(name)["id"]))
        except UnknownJob:
            if len(name) != 32:
                raise
            found.append(name)
    return found
