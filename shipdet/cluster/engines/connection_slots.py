"""Limit the connections to a tile service across all workers."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from shipdet.cluster.engines.database import Database
from shipdet.errors import EngineUnreachable
from shipdet.progress import Progress, Steps

POLL_S = 0.1


class Slots:
    """A worker's share of the connections to a provider, held until :meth:`give_back`.

    A slot is an advisory lock of a database session, so the database server releases the slots of a
    worker that dies.

    Args:
        database: The database.
        provider: Id of the provider.
        limit: Largest number of connections of all workers.
    """

    def __init__(self, database: Database, provider: str, limit: int) -> None:
        self.database, self.limit = database, limit
        digest = hashlib.sha256(f"shipdet:{provider}".encode()).digest()
        self.key = int.from_bytes(digest[:4], signed=True)
        self.connection: Connection[DictRow] | None = None

    def take(self, most: int) -> Steps[int]:
        """Wait for a free slot and take up to ``most``.

        Returns:
            The number of slots taken.

        Raises:
            EngineUnreachable: The database does not answer.
        """
        try:
            self.connection = self.database.connect()
            while True:
                held = 0
                for slot in range(self.limit):
                    held += held < most and self._lock(slot)
                if held:
                    return held
                yield Progress("wait", 0, 0, note="all connections to the provider are in use")
                time.sleep(POLL_S)
        except psycopg.OperationalError as error:
            raise EngineUnreachable("PostgreSQL does not answer: check that it runs.") from error

    def give_back(self) -> None:
        """Release the slots; a second call does nothing."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _lock(self, slot: int) -> bool:
        assert self.connection is not None
        row = self.connection.execute(
            "SELECT pg_try_advisory_lock(%s, %s) AS had", (self.key, slot)
        ).fetchone()
        return row is not None and bool(row["had"])


@contextmanager
def slots(database: Database, provider: str, limit: int) -> Iterator[Slots]:
    """Yield slots that are released at the end of the ``with`` block."""
    held = Slots(database, provider, limit)
    try:
        yield held
    finally:
        held.give_back()
