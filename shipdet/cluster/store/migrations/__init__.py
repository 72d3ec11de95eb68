"""The tables, as SQL files that are applied in the order of their names."""

from pathlib import Path

from psycopg import Connection
from psycopg.rows import DictRow

from shipdet.cluster.engines.database import Database

FOLDER = Path(__file__).parent
LOCK = 0x73686970  # advisory lock: only one process migrates at a time


def migrate(database: Database) -> list[str]:
    """Apply the missing migrations in order; return their names."""

    def work(connection: Connection[DictRow]) -> list[str]:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations ("
            "name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        known = {r["name"] for r in connection.execute("SELECT name FROM migrations")}
        new = [file for file in sorted(FOLDER.glob("*.sql")) if file.stem not in known]
        for file in new:
            connection.execute(file.read_bytes())
            connection.execute("INSERT INTO migrations (name) VALUES (%s)", (file.stem,))
        return [file.stem for file in new]

    return database.run(work)
