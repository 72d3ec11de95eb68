"""Remove old jobs, sent dead letters, unused objects and cached tiles."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from shipdet.cluster.engines.database import Database
from shipdet.cluster.engines.objects import ObjectStore
from shipdet.cluster.store.job_store import Store
from shipdet.errors import ShipdetError
from shipdet.settings import Settings

BATCH = 500  # rows per transaction, and keys per request
EVERY_S = 6 * 3600.0

log = logging.getLogger(__name__)

_JOBS = """
DELETE FROM jobs WHERE id = ANY(ARRAY(
    SELECT id FROM jobs WHERE finished_at < now() - %s * interval '1 day'
    LIMIT %s FOR UPDATE SKIP LOCKED
))
"""
_LETTERS = "DELETE FROM dead_letters WHERE sent_at < now() - %s * interval '1 day'"
# An object may belong to a block that is not completed yet. So objects are kept for a day, longer
# than any block takes.
_OBJECTS = """
DELETE FROM objects WHERE key = ANY(ARRAY(
    SELECT key FROM objects o WHERE used_at < now() - interval '1 day'
      AND NOT EXISTS (SELECT FROM results WHERE object = o.key)
      AND NOT EXISTS (SELECT FROM blocks, jsonb_each_text(blocks.objects) WHERE value = o.key)
    LIMIT %s FOR UPDATE OF o SKIP LOCKED
)) RETURNING key
"""


@dataclass(frozen=True)
class Removed:
    """Numbers of removed rows and files."""

    jobs: int
    objects: int
    letters: int
    tiles: int


def keep_object(store: Store, key: str) -> None:
    """Mark an object as needed, before the object store is queried for it.

    Waits while the object is being removed; the caller then stores it again.
    """
    store.database.run(
        lambda c: c.execute(
            "INSERT INTO objects (key) VALUES (%s) ON CONFLICT (key) DO UPDATE SET used_at = now()",
            (key,),
        )
    )


def remove_old(
    store: Store, objects: ObjectStore, settings: Settings, days: float | None = None
) -> Removed:
    """Remove old jobs and dead letters, and unused files.

    Objects are removed if no job refers to them and no worker has needed them for a day, cached
    tiles after ``cache_days``. The function may be interrupted at any point and run in parallel.

    Args:
        store: The job store.
        objects: The object store.
        settings: ``cluster_keep_days`` and ``cache_days``.
        days: Days after the end of a job or the sending of a letter; None for
            ``cluster_keep_days``.

    Returns:
        The numbers of removed rows and files.

    Raises:
        EngineUnreachable: An engine does not answer.
    """
    if days is None:
        days = settings.cluster_keep_days

    def jobs(connection: Connection[DictRow]) -> int:
        return connection.execute(_JOBS, (days, BATCH)).rowcount

    def letters(connection: Connection[DictRow]) -> int:
        return connection.execute(_LETTERS, (days,)).rowcount

    def unused(connection: Connection[DictRow]) -> int:
        # Inside the transaction: a worker that needs one of the objects waits in keep_object, and
        # all rows remain if the object store does not answer.
        keys = [row["key"] for row in connection.execute(_OBJECTS, (BATCH,))]
        objects.remove(keys)
        return len(keys)

    return Removed(
        jobs=_until_none(store, jobs),
        letters=store.database.run(letters),
        objects=_until_none(store, unused),
        tiles=objects.remove_tiles(datetime.now(UTC) - timedelta(days=settings.cache_days)),
    )


def keep_clean(settings: Settings, stop: threading.Event) -> None:
    """Call :func:`remove_old` every ``EVERY_S`` until ``stop`` is set; log errors of engines."""
    store = Store(Database(settings.postgres))
    while not stop.is_set():
        try:
            log.info("%s", remove_old(store, ObjectStore(settings), settings))
        except (ShipdetError, psycopg.Error) as error:
            log.warning("old jobs cannot be removed now: %s", error)
        store.database.close()
        stop.wait(EVERY_S)


def _until_none(store: Store, work: Callable[[Connection[DictRow]], int]) -> int:
    """Repeat a transaction until it returns 0; return the sum."""
    total = 0
    while count := store.database.run(work):
        total += count
    return total
