"""Reading the store: lists of jobs, a job with everything, dead letters, figures."""

from collections.abc import Sequence
from typing import Any

from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.statements import OPEN, Row, free_block, insert_letter
from shipdet.errors import BadOption

STATUSES = ("queued", "running", "completed", "failed", "cancelled")
MAX_LISTED = 1000

_SHORT = (
    "id, name, provider, zoom, status, attempts, blocks_done, blocks_total, ships, error, worker, "
    "created_at, started_at, finished_at, west, south, east, north"
)


def list_jobs(store: Store, status: str = "", limit: int = 100) -> list[Row]:
    """The newest jobs, of one status or of all; raises BadOption for a status there is not."""
    if status and status not in STATUSES:
        raise BadOption(f"'{status[:40]}' is no status: choose one of {', '.join(STATUSES)}.")
    return store.database.rows(
        f"SELECT {_SHORT} FROM jobs WHERE %s IN ('', status) ORDER BY created_at DESC LIMIT %s",
        *(status, max(1, min(limit, MAX_LISTED))),
    )


def show_job(store: Store, id_or_name: str) -> Row:
    """A job with its ships, results and blocks; raises UnknownJob."""
    job = store.job(id_or_name)
    rows = store.database.rows
    return {
        **job,
        "detections": rows(
            "SELECT told, outline FROM detections WHERE job_id = %s ORDER BY number", job["id"]
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
    """Those of some ids that are jobs already."""
    rows = store.database.rows("SELECT id FROM jobs WHERE id = ANY(%s)", list(ids))
    return {row["id"] for row in rows}


def open_jobs(store: Store) -> int:
    """How many jobs have not ended."""
    found = store.database.rows("SELECT count(*) FROM jobs WHERE status = ANY(%s)", list(OPEN))
    return int(found[0]["count"])


def free_blocks(store: Store) -> bool:
    """Whether a worker would find something to do."""
    return bool(store.database.rows(free_block()))


def add_letter(store: Store, key: str, reason: str, value: bytes, job_id: str = "") -> None:
    """Put a message that cannot be used into the dead letters' outbox, once."""
    store.database.run(lambda c: insert_letter(c, key, job_id, "rejected", reason, value))


def unsent_letters(store: Store, limit: int = 500) -> list[Row]:
    """Dead letters that were not published yet, oldest first."""
    return store.database.rows(
        "SELECT * FROM dead_letters WHERE sent_at IS NULL ORDER BY created_at LIMIT %s", limit
    )


def mark_sent(store: Store, keys: list[str]) -> None:
    """Remember that dead letters were published."""
    store.database.run(
        lambda c: c.execute("UPDATE dead_letters SET sent_at = now() WHERE key = ANY(%s)", (keys,))
    )


def figures(store: Store) -> dict[str, list[Row]]:
    """Counts and sums for the metrics: jobs, blocks, ships, letters, tiles, seconds per stage."""
    rows = store.database.rows

    def one(query: str) -> list[dict[str, Any]]:
        return rows(query)

    return {
        "jobs": one("SELECT status, count(*) AS n FROM jobs GROUP BY status"),
        "blocks": one("SELECT status, count(*) AS n FROM blocks WHERE number >= 0 GROUP BY status"),
        "ships": one("SELECT count(*) AS n FROM detections"),
        "letters": one("SELECT kind, count(*) AS n FROM dead_letters GROUP BY kind"),
        "tiles": one(
            "SELECT how, sum((record->'tiles'->>how)::bigint) AS n FROM blocks, "
            "unnest(ARRAY['fetched', 'cached', 'missing']) AS how "
            "WHERE record ? 'tiles' GROUP BY how"
        ),
        "stages": one(
            "SELECT key AS stage, sum(value::float8) AS seconds, count(*) AS n "
            "FROM blocks, jsonb_each_text(record->'timings') "
            "WHERE record ? 'timings' GROUP BY key"
        ),
    }
