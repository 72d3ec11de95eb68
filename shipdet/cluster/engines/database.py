"""The connection to PostgreSQL, reopened after it is lost."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from shipdet.errors import EngineUnreachable

CHANNEL = "shipdet_jobs"
CONNECT_S = 5
LONGEST_PAUSE_S = 2.0

NO_TABLES = "The database lacks tables: `shipdet jobs prepare` creates them."

log = logging.getLogger(__name__)

T = TypeVar("T")


class Database:
    """A database with one connection per thread; rows are dictionaries.

    Args:
        address: ``postgresql://user:password@host/database``.
        patience_s: Time for which a transaction is retried while the server does not answer. All
            transactions of this package are idempotent.

    Raises:
        EngineUnreachable: No database is configured.
    """

    def __init__(self, address: str, patience_s: float = 30.0) -> None:
        if not address:
            raise EngineUnreachable("No database is configured: set SHIPDET_POSTGRES.")
        self.address, self.patience_s = address, patience_s
        self._local = threading.local()

    def __reduce__(self) -> tuple[type["Database"], tuple[str, float]]:
        return Database, (self.address, self.patience_s)

    def run(self, work: Callable[[Connection[DictRow]], T]) -> T:
        """Run one transaction and return what ``work`` returns.

        Raises:
            EngineUnreachable: The server does not answer within ``patience_s``, or lacks tables.
        """
        end = time.monotonic() + self.patience_s
        pause_s = 0.05
        while True:
            try:
                connection = self._connection()
                with connection.transaction():
                    return work(connection)
            except psycopg.errors.UndefinedTable as error:
                raise EngineUnreachable(NO_TABLES) from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self.close()
                if time.monotonic() + pause_s > end:
                    # Omit the server's text, which may contain hosts and users.
                    raise EngineUnreachable(
                        "PostgreSQL does not answer: check that it runs and that SHIPDET_POSTGRES "
                        "is right."
                    ) from error
                log.warning("PostgreSQL does not answer, retrying")
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def rows(self, query: str, *values: Any) -> list[DictRow]:
        """Run one query and return its rows."""
        return self.run(lambda c: c.execute(query, values).fetchall())

    def close(self) -> None:
        """Close this thread's connection, if it has one."""
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()

    def connect(self) -> Connection[DictRow]:
        """Open a new connection in autocommit; the caller closes it.

        Raises:
            psycopg.OperationalError: The server does not answer.
            EngineUnreachable: The address is malformed.
        """
        try:
            return psycopg.connect(
                self.address,
                autocommit=True,
                row_factory=dict_row,
                connect_timeout=CONNECT_S,
                application_name="shipdet",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            )
        except (psycopg.ProgrammingError, UnicodeError):
            # Omit the cause: its text repeats the address, which contains a password.
            raise EngineUnreachable(
                "SHIPDET_POSTGRES is not an address of PostgreSQL: write "
                "postgresql://user:password@host/database."
            ) from None

    def changes(self, timeout_s: float) -> Iterator[str]:
        """Yield the ids of jobs that change, until none changes for ``timeout_s``.

        The first value is an empty string; after it, no change is missed.

        Raises:
            EngineUnreachable: The server does not answer.
        """
        try:
            with self.connect() as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                yield ""
                while True:
                    notices = list(connection.notifies(timeout=timeout_s, stop_after=1))
                    if not notices:
                        return
                    yield from (notice.payload for notice in notices)
        except psycopg.OperationalError as error:
            raise EngineUnreachable("PostgreSQL does not answer: check that it runs.") from error

    def _connection(self) -> Connection[DictRow]:
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._local.connection = self.connect()
        return connection
