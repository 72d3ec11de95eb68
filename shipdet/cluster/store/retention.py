"""Removal of old jobs, sent dead letters, unused objects and cached tiles."""

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

BATCH = 500  # rows of one transaction, and keys of one request
EVERY_S = 6 * 3600.0

log = logging.getLogger(__name__)

_JOBS = """
DELETE FROM jobs WHERE id = ANY(ARRAY(
    SELECT id FROM jobs WHERE finished_at < now() - %s * interval '1 day'
    LIMIT %s FOR UPDATE SKIP LOCKED
))
"""
_LETTERS = "DELETE FROM dead_letters WHERE sent_at < now() - %s * interval '1 day'"
# A worker may have put an object there for a block that it has not completed yet, so objects stay
# for a day, which is longer than any block takes.
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
    """How many of each kind were removed."""

    jobs: int
    objects: int
    letters: int
    tiles: int


def keep_object(store: Store, key: str) -> None:
    """Mark an object as needed, before asking the object store for it.

    This waits while the object is being removed; the caller then puts it again.
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
    """Remove old jobs and letters, and files that nothing needs.

    Objects are removed when no job names them and no worker has needed them for a day, cached tiles
    after ``cache_days``. It may be interrupted at any point and run in parallel.

    Args:
        store: The job store.
        objects: The object store.
        settings: ``cluster_keep_days`` and ``cache_days``.
        days: Age of the end of jobs and of sent letters, instead of ``cluster_keep_days``.

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
        # Inside the transaction: a worker that needs one of them waits in keep_object, and when the
        # object store does not answer, all rows stay.
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
    """Call :func:`remove_old` every ``EVERY_S`` until ``stop`` is set; engines may be away."""
    store = Store(Database(settings.postgres))
    while not stop.is_set():
        try:
            log.info("%s", remove_old(store, ObjectStore(settings), settings))
        except (ShipdetError, psycopg.Error) as error:
            log.warning("old jobs are not removed now: %s", error)
        store.database.close()
        stop.wait(EVERY_S)


def _until_none(store: Store, work: Callable[[Connection[DictRow]], int]) -> int:
    """Run a transaction until it has nothing left to do; returns the sum."""
    total = 0
    while count := store.database.run(work):
        total += count
    return total
