"""SQL statements of the job store, and the values of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from shipdet.cluster.jobs.blocks import Block
from shipdet.cluster.jobs.message import JobMessage
from shipdet.errors import BadJob
from shipdet.geometry import PixelBox

JOIN = -1  # number of the block that joins all other blocks
OPEN = ("queued", "running")

Row = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A worker's right to a block until its lease ends; ``token`` identifies the claim."""

    job_id: str
    token: str
    attempt: int
    block: Block
    message: JobMessage
    zoom: int

    @property
    def joins(self) -> bool:
        """Whether this block joins the others of its job."""
        return self.block.number == JOIN


def free_block(lock: str = "") -> str:
    """Return the query for the next free block: at most one row of job_id and number."""
    # LATERAL keeps the inner order, so the block comes from the first job that has a free one. Jobs
    # that only need joining come first, since joining is fast.
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
    """Add a dead letter to the outbox, once per key."""
    connection.execute(
        "INSERT INTO dead_letters (key, job_id, kind, reason, value) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        (key, job_id, kind, reason, value),
    )


def insert_job(
    connection: Connection[DictRow],
    message: JobMessage,
    zoom: int | None,
    status: str,
    total: int,
    error: str = "",
) -> bool:
    """Add a job; False if it exists, BadJob if another job has its name."""
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
        raise name_taken(message.name)
    return False


def name_taken(name: str) -> BadJob:
    """Return the error of a job whose name another one has."""
    return BadJob(
        f"Another job is already named '{name}': choose a different name for a different request."
    )


def insert_blocks(connection: Connection[DictRow], job_id: str, blocks: Sequence[Block]) -> None:
    """Add the missing blocks of a job, including the joining block."""
    empty = PixelBox(0, 0, 0, 0)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO blocks (job_id, number, box, core) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            [(job_id, b.number, list(b.box), list(b.core)) for b in blocks]
            + [(job_id, JOIN, list(empty), list(empty))],
        )


def end_block(
    connection: Connection[DictRow], claim: Claim, change: str, values: tuple[Any, ...]
) -> bool:
    """Change a block if the claim is still valid; return whether it is."""
    row = connection.execute(
        f"UPDATE blocks SET {change}, lease_until = NULL "
        "WHERE job_id = %s AND number = %s AND token = %s AND status = 'running' RETURNING number",
        (*values, claim.job_id, claim.block.number, claim.token),
    ).fetchone()
    return row is not None


def count_done(connection: Connection[DictRow], job_id: str) -> None:
    """Update the number of done blocks of an open job."""
    connection.execute(
        "UPDATE jobs SET blocks_done = (SELECT count(*) FROM blocks "
        "WHERE job_id = %(id)s AND number >= 0 AND status = 'done') "
        "WHERE id = %(id)s AND status IN ('queued', 'running')",
        {"id": job_id},
    )


def block_of(row: DictRow) -> Block:
    """Return the block of a row."""
    return Block(row["number"], PixelBox(*row["box"]), PixelBox(*row["core"]))


INSERT_SHIP = """
INSERT INTO detections (job_id, number, score, lon, lat, x, y, length_m, width_m, axis_deg,
                        outline, properties)
VALUES (%(job)s, %(number)s, %(score)s, %(lon)s, %(lat)s, %(x)s, %(y)s, %(length_m)s, %(width_m)s,
        %(axis_deg)s, %(outline)s, %(properties)s)
ON CONFLICT DO NOTHING
"""

INSERT_RESULT = """
INSERT INTO results (job_id, kind, object, media_type, bytes)
VALUES (%(job)s, %(kind)s, %(object)s, %(media_type)s, %(bytes)s)
ON CONFLICT DO NOTHING
"""
