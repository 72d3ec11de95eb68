"""Queries: lists of jobs, one job with its results, dead letters, metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.statements import OPEN, Row, free_block, insert_letter
from shipdet.errors import BadOption

STATUSES = ("queued", "running", "completed", "failed", "cancelled")
BLOCK_STATUSES = ("queued", "running", "done", "failed")
MAX_LISTED = 1000

_SHORT = (
    "id, name, provider, zoom, status, attempts, blocks_done, blocks_total, ships, error, worker, "
    "created_at, started_at, finished_at, west, south, east, north"
)


def list_jobs(store: Store, status: str = "", limit: int = 100) -> list[Row]:
    """List the newest jobs.

    Args:
        store: The job store.
        status: One of ``STATUSES``; empty for all.
        limit: Largest number of jobs; clamped to 1 to ``MAX_LISTED``.

    Raises:
        BadOption: The status is not one of ``STATUSES``.
    """
    if status and status not in STATUSES:
        raise BadOption(f"'{status[:40]}' is not a status: choose one of {', '.join(STATUSES)}.")
    return store.database.rows(
        f"SELECT {_SHORT} FROM jobs WHERE %s IN ('', status) ORDER BY created_at DESC LIMIT %s",
        *(status, max(1, min(limit, MAX_LISTED))),
    )


def show_job(store: Store, id_or_name: str) -> Row:
    """Read a job with its ships, results and blocks; UnknownJob if it does not exist."""
    job = store.job(id_or_name)
    rows = store.database.rows
    return {
        **job,
        "detections": rows(
            "SELECT properties, outline FROM detections WHERE job_id = %s ORDER BY number",
            job["id"],
        ),
        "results": rows(
            "SELECT kind, object, media_type, bytes FROM results WHERE job_id = %s ORDER BY kind",
            job["id"],
        ),
        "blocks": rows(
            "SELECT number, status, attempts, worker, error FROM blocks WHERE job_id = %s "
            "ORDER BY number",
            job["id"],
        ),
    }


def known_ids(store: Store, ids: Sequence[str]) -> set[str]:
    """Return the ids of existing jobs among ``ids``."""
    rows = store.database.rows("SELECT id FROM jobs WHERE id = ANY(%s)", list(ids))
    return {row["id"] for row in rows}


def open_jobs(store: Store) -> int:
    """Count the jobs that have not ended."""
    found = store.database.rows("SELECT count(*) FROM jobs WHERE status = ANY(%s)", list(OPEN))
    return int(found[0]["count"])


def free_blocks(store: Store) -> bool:
    """Return whether a block is free for a worker."""
    return bool(store.database.rows(free_block()))


def add_letter(store: Store, key: str, reason: str, value: bytes, job_id: str = "") -> None:
    """Add a refused message to the dead-letter outbox, once per key."""
    store.database.run(lambda c: insert_letter(c, key, job_id, "rejected", reason, value))


def unsent_letters(store: Store, limit: int = 500) -> list[Row]:
    """List unpublished dead letters, oldest first."""
    return store.database.rows(
        "SELECT * FROM dead_letters WHERE sent_at IS NULL ORDER BY created_at LIMIT %s", limit
    )


def mark_sent(store: Store, keys: list[str]) -> None:
    """Mark dead letters as published."""
    store.database.run(
        lambda c: c.execute("UPDATE dead_letters SET sent_at = now() WHERE key = ANY(%s)", (keys,))
    )


@dataclass(frozen=True)
class Figures:
    """The values of the metrics.

    Attributes:
        jobs: Number of jobs by status.
        blocks: Number of blocks by status.
        counters: Counters by name and label.
    """

    jobs: dict[str, int]
    blocks: dict[str, int]
    counters: dict[str, dict[str, float]]


def figures(store: Store) -> Figures:
    """Read the values of the metrics; a status without rows counts 0."""
    rows = store.database.rows
    jobs = rows("SELECT status, count(*) AS n FROM jobs GROUP BY status ORDER BY status")
    blocks = rows(
        "SELECT status, count(*) AS n FROM blocks WHERE number >= 0 GROUP BY status ORDER BY status"
    )
    counters: dict[str, dict[str, float]] = {}
    for row in rows("SELECT name, label, value FROM counters ORDER BY name, label"):
        counters.setdefault(row["name"], {})[row["label"]] = row["value"]
    return Figures(
        dict.fromkeys(STATUSES, 0) | {row["status"]: row["n"] for row in jobs},
        dict.fromkeys(BLOCK_STATUSES, 0) | {row["status"]: row["n"] for row in blocks},
        counters,
    )
