"""Jobs and blocks in PostgreSQL. Every change of status names the status it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from shipdet.cluster.blocks import Block
from shipdet.cluster.database import Database
from shipdet.cluster.messages import JobMessage
from shipdet.errors import BadJob, UnknownJob
from shipdet.geometry import PixelBox

JOIN = -1  # number of the block that joins all others
OPEN = ("queued", "running")

Row = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A block that one worker may work on until its lease ends; ``token`` tells it from others."""

    job_id: str
    token: str
    attempt: int
    block: Block
    message: JobMessage
    zoom: int

    @property
    def joins(self) -> bool:
        """Whether this is the joining of a job whose blocks are all done."""
        return self.block.number == JOIN


class Store:
    """What the stream, its workers, the command line and the app know about jobs."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def register(self, message: JobMessage, zoom: int, blocks: Sequence[Block]) -> bool:
        """Add a job with its blocks; False when it is known already, which changes nothing.

        Raises BadJob when another job has its name.
        """

        def work(connection: Connection[DictRow]) -> bool:
            if not _insert_job(connection, message, zoom, "queued", len(blocks)):
                return False
            _insert_blocks(connection, message.id, blocks)
            return True

        return self.database.run(work)

    def register_failed(self, message: JobMessage, reason: str) -> bool:
        """Add a job that cannot be planned, as failed; False when it is known already."""
        return self.database.run(
            lambda c: _insert_job(c, message, message.zoom, "failed", 0, reason)
        )

    def claim(self, worker: str, lease_s: float) -> Claim | None:
        """Take the next block: of the job that was served, or came, longest ago.

        A block whose worker has been silent for its lease counts as free. None: nothing to do.
        """

        def work(connection: Connection[DictRow]) -> Claim | None:
            row = connection.execute(free_block("FOR UPDATE SKIP LOCKED")).fetchone()
            if row is None:
                return None
            taken = connection.execute(
                "UPDATE blocks SET status = 'running', attempts = attempts + 1, worker = %s, "
                "token = gen_random_uuid()::text, lease_until = now() + %s * interval '1 s' "
                "WHERE job_id = %s AND number = %s RETURNING *",
                (worker, lease_s, row["job_id"], row["number"]),
            ).fetchone()
            job = connection.execute(
                "UPDATE jobs SET status = 'running', claimed_at = now(), worker = %s, "
                "started_at = coalesce(started_at, now()) "
                "WHERE id = %s AND status IN ('queued', 'running') RETURNING *",
                (worker, row["job_id"]),
            ).fetchone()
            if taken is None or job is None:  # cancelled since: leave the block as it was
                connection.execute(
                    "UPDATE blocks SET status = 'queued', attempts = attempts - 1 "
                    "WHERE job_id = %s AND number = %s",
                    (row["job_id"], row["number"]),
                )
                return None
            return Claim(
                job["id"],
                taken["token"],
                taken["attempts"],
                _block(taken),
                JobMessage.of(job["message"]),
                job["zoom"],
            )

        return self.database.run(work)

    def renew(self, claim: Claim, lease_s: float) -> bool:
        """Prolong a lease; False when the block is another's by now, or the job has ended."""
        return bool(
            self.database.rows(
                "UPDATE blocks SET lease_until = now() + %s * interval '1 s' FROM jobs "
                "WHERE job_id = %s AND number = %s AND token = %s AND blocks.status = 'running' "
                "AND jobs.id = job_id AND jobs.status = 'running' RETURNING number",
                *(lease_s, claim.job_id, claim.block.number, claim.token),
            )
        )

    def complete_block(self, claim: Claim, candidates: Row, objects: Row, record: Row) -> bool:
        """Keep what a block gave; False when the claim was lost, which changes nothing."""

        def work(connection: Connection[DictRow]) -> bool:
            done = _end_block(
                connection,
                claim,
                "status = 'done', error = '', candidates = %s, objects = %s, record = %s",
                (Jsonb(candidates), Jsonb(objects), Jsonb(record)),
            )
            if done:
                connection.execute(
                    "UPDATE jobs SET blocks_done = (SELECT count(*) FROM blocks "
                    "WHERE job_id = %(id)s AND number >= 0 AND status = 'done') "
                    "WHERE id = %(id)s AND status = 'running'",
                    {"id": claim.job_id},
                )
            return done

        return self.database.run(work)

    def repeat_block(self, claim: Claim, reason: str, after_s: float) -> bool:
        """Give a block back, to be tried again not before ``after_s``; False as above."""
        return self.database.run(
            lambda c: _end_block(
                c,
                claim,
                "status = 'queued', not_before = now() + %s * interval '1 s', error = %s",
                (after_s, reason),
            )
        )

    def fail_block(self, claim: Claim, reason: str) -> bool:
        """Fail a block for good, and its job with it, with a dead letter; False as above."""

        def work(connection: Connection[DictRow]) -> bool:
            if not _end_block(connection, claim, "status = 'failed', error = %s", (reason,)):
                return False
            job = connection.execute(
                "UPDATE jobs SET status = 'failed', error = %s, finished_at = now() "
                "WHERE id = %s AND status IN ('queued', 'running') RETURNING attempts",
                (reason, claim.job_id),
            ).fetchone()
            if job is not None:
                key = f"{claim.job_id}:{job['attempts']}"
                value = claim.message.encode()
                insert_letter(connection, key, claim.job_id, "failed", reason, value)
            return True

        return self.database.run(work)

    def finished_blocks(self, job_id: str) -> list[tuple[Block, Row]]:
        """All blocks of a job that are done, with their rows."""
        rows = self.database.rows(
            "SELECT * FROM blocks WHERE job_id = %s AND number >= 0 AND status = 'done' "
            "ORDER BY number",
            job_id,
        )
        return [(_block(row), row) for row in rows]

    def complete_job(
        self, claim: Claim, ships: Sequence[Row], results: Sequence[Row], outcome: Row
    ) -> bool:
        """Write a job's detections and results and complete it, all or nothing.

        ``outcome`` has ``timings`` and ``notes``. False when the claim was lost or the job has
        ended otherwise.
        """

        def work(connection: Connection[DictRow]) -> bool:
            if not _end_block(connection, claim, "status = 'done', error = ''", ()):
                return False
            id = claim.job_id
            job = connection.execute(
                "SELECT id FROM jobs WHERE id = %s AND status = 'running' FOR UPDATE", (id,)
            ).fetchone()
            if job is None:
                return False
            with connection.cursor() as cursor:
                cursor.executemany(_SHIP, [{"job": id, **ship} for ship in ships])
                cursor.executemany(_RESULT, [{"job": id, **result} for result in results])
            connection.execute(
                "UPDATE jobs SET status = 'completed', ships = %s, timings = %s, notes = %s, "
                "error = '', finished_at = now() WHERE id = %s AND status = 'running'",
                (len(ships), Jsonb(outcome["timings"]), Jsonb(outcome["notes"]), id),
            )
            return True

        return self.database.run(work)

    def cancel(self, job_id: str) -> bool:
        """Stop a job at its next block; False when it has ended already."""
        return bool(
            self.database.rows(
                "UPDATE jobs SET status = 'cancelled', finished_at = now() "
                "WHERE id = %s AND status IN ('queued', 'running') RETURNING id",
                job_id,
            )
        )

    def retry(self, job_id: str, zoom: int, blocks: Sequence[Block]) -> bool:
        """Queue a failed or cancelled job again; blocks that are done stay done.

        ``zoom`` and ``blocks`` are its plan, for a job that never had one.
        """

        def work(connection: Connection[DictRow]) -> bool:
            job = connection.execute(
                "UPDATE jobs SET status = 'queued', attempts = attempts + 1, error = '', "
                "finished_at = NULL, claimed_at = NULL, zoom = %s, blocks_total = %s "
                "WHERE id = %s AND status IN ('failed', 'cancelled') RETURNING id",
                (zoom, len(blocks), job_id),
            ).fetchone()
            if job is None:
                return False
            _insert_blocks(connection, job_id, blocks)
            connection.execute(
                "UPDATE blocks SET status = 'queued', attempts = 0, not_before = now() "
                "WHERE job_id = %s AND status <> 'done'",
                (job_id,),
            )
            return True

        return self.database.run(work)

    def job(self, id_or_name: str) -> Row:
        """A job by its id or its name; raises UnknownJob."""
        rows = self.database.rows(
            "SELECT * FROM jobs WHERE id = %s OR name = %s LIMIT 1", id_or_name, id_or_name
        )
        if not rows:
            raise UnknownJob(
                f"There is no job '{id_or_name[:64]}': `shipdet jobs list` tells those there are."
            )
        return rows[0]


def free_block(lock: str = "") -> str:
    """The query for the block whose turn it is: at most one row of job_id and number."""
    # The inner order is kept: the first job in turn that has a free block gives it. One that only
    # waits to be joined comes first, since that is quick.
    return f"""
        SELECT b.job_id, b.number FROM (
            SELECT id, blocks_done, blocks_total FROM jobs WHERE status IN ('queued', 'running')
            ORDER BY blocks_done < blocks_total, coalesce(claimed_at, created_at)
        ) j CROSS JOIN LATERAL (
            SELECT job_id, number FROM blocks
            WHERE job_id = j.id AND (number >= 0 OR j.blocks_done = j.blocks_total)
              AND ((status = 'queued' AND not_before <= now())
                   OR (status = 'running' AND lease_until < now()))
            ORDER BY number LIMIT 1 {lock}
        ) b LIMIT 1
    """


def insert_letter(
    connection: Connection[DictRow], key: str, job_id: str, kind: str, reason: str, value: bytes
) -> None:
    """Put a dead letter into the outbox; the same key a second time changes nothing."""
    connection.execute(
        "INSERT INTO dead_letters (key, job_id, kind, reason, value) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        (key, job_id, kind, reason, value),
    )


def _insert_job(
    connection: Connection[DictRow],
    message: JobMessage,
    zoom: int | None,
    status: str,
    total: int,
    error: str = "",
) -> bool:
    box = message.parsed_area.box
    row = connection.execute(
        "INSERT INTO jobs (id, name, reference, message, provider, zoom, west, south, east, north, "
        "status, blocks_total, error, finished_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, "
        "CASE WHEN %s = 'failed' THEN now() END) ON CONFLICT DO NOTHING RETURNING id",
        (
            *(message.id, message.name, message.reference, Jsonb(message.model_dump(mode="json"))),
            *(message.provider, zoom, *box.as_tuple(), status, total, error, status),
        ),
    ).fetchone()
    if row is not None:
        return True
    other = connection.execute("SELECT id FROM jobs WHERE name = %s", (message.name,)).fetchone()
    if other is not None and other["id"] != message.id:
        raise BadJob(
            f"Another job has the name '{message.name}' already: choose a new one for a new "
            "request."
        )
    return False


def _insert_blocks(connection: Connection[DictRow], job_id: str, blocks: Sequence[Block]) -> None:
    empty = PixelBox(0, 0, 0, 0)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO blocks (job_id, number, box, core) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            [(job_id, b.number, list(b.box), list(b.core)) for b in blocks]
            + [(job_id, JOIN, list(empty), list(empty))],
        )


def _end_block(
    connection: Connection[DictRow], claim: Claim, change: str, values: tuple[Any, ...]
) -> bool:
    # The token stays: a transaction whose answer was lost finds that it has been done.
    row = connection.execute(
        f"UPDATE blocks SET {change}, lease_until = NULL "
        "WHERE job_id = %s AND number = %s AND token = %s AND status = 'running' RETURNING number",
        (*values, claim.job_id, claim.block.number, claim.token),
    ).fetchone()
    return row is not None


def _block(row: DictRow) -> Block:
    return Block(row["number"], PixelBox(*row["box"]), PixelBox(*row["core"]))


_SHIP = """
INSERT INTO detections (job_id, number, score, lon, lat, x, y, length_m, width_m, axis_deg,
                        outline, told)
VALUES (%(job)s, %(number)s, %(score)s, %(lon)s, %(lat)s, %(x)s, %(y)s, %(length_m)s, %(width_m)s,
        %(axis_deg)s, %(outline)s, %(told)s)
ON CONFLICT DO NOTHING
"""

_RESULT = """
INSERT INTO results (job_id, kind, object, media_type, bytes)
VALUES (%(job)s, %(kind)s, %(object)s, %(media_type)s, %(bytes)s)
ON CONFLICT DO NOTHING
"""
