"""What is too old is removed: ended jobs, objects that no job has any more, letters, tiles."""

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
# An object that no job names may be one that a worker has just put there for a block which it has
# not completed yet: a day is longer than any block takes.
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
    """How much was removed of each kind."""

    jobs: int
    objects: int
    letters: int
    tiles: int


def keep_object(store: Store, key: str) -> None:
    """Say that an object is about to be relied on, before looking whether it is there.

    While it is being removed this waits, so that it is put anew afterwards.
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
    """Remove jobs that ended ``days`` ago (``cluster_keep_days``) and letters sent as long ago.

    Objects go when no job names them and nobody has wanted them for a day, cached tiles after
    ``cache_days``. It may be interrupted anywhere and run twice at a time. Raises
    EngineUnreachable.
    """
    if days is None:
        days = settings.cluster_keep_days

    def jobs(connection: Connection[DictRow]) -> int:
        return connection.execute(_JOBS, (days, BATCH)).rowcount

    def letters(connection: Connection[DictRow]) -> int:
        return connection.execute(_LETTERS, (days,)).rowcount

    def unused(connection: Connection[DictRow]) -> int:
        # In the transaction: whoever wants one of them meanwhile waits in keep_object, and when
        # the store does not answer they all stay on the list.
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
    """Remove what is too old, now and then, until told to stop; engines may be away."""
    store = Store(Database(settings.postgres))
    while not stop.is_set():
        try:
            log.info("%s", remove_old(store, ObjectStore(settings), settings))
        except (ShipdetError, psycopg.Error) as error:
            log.warning("nothing old is removed for now: %s", error)
        store.database.close()
        stop.wait(EVERY_S)


def _until_none(store: Store, work: Callable[[Connection[DictRow]], int]) -> int:
    """Run a transaction until it has nothing left to do; returns the sum."""
    total = 0
    while count := store.database.run(work):
        total += count
    return total
