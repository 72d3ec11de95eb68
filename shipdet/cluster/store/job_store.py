"""Jobs and blocks in PostgreSQL. Each status change states the previous status."""

import json
from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from shipdet.cluster.engines.database import Database
from shipdet.cluster.jobs.blocks import Block
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store.statements import (
    INSERT_RESULT,
    INSERT_SHIP,
    JOIN,
    Claim,
    Row,
    block_of,
    count_done,
    end_block,
    free_block,
    insert_blocks,
    insert_job,
    insert_letter,
)
from shipdet.errors import ShipdetError, UnknownJob


class Store:
    """Jobs and their blocks, for the stream, the workers, the command line and the app."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def register(self, message: JobMessage, zoom: int, blocks: Sequence[Block]) -> bool:
        """Add a job with its blocks.

        Args:
            message: The request.
            zoom: The zoom of the plan.
            blocks: The blocks of the plan.

        Returns:
            False if the job exists; it does not change.

        Raises:
            BadJob: Another job has its name.
        """

        def work(connection: Connection[DictRow]) -> bool:
            if not insert_job(connection, message, zoom, "queued", len(blocks)):
                return False
            insert_blocks(connection, message.id, blocks)
            return True

        return self.database.run(work)

    def register_failed(self, message: JobMessage, reason: str) -> bool:
        """Add a job that cannot be planned, with status failed; False if it exists."""
        return self.database.run(
            lambda c: insert_job(c, message, message.zoom, "failed", 0, reason)
        )

    def claim(self, worker: str, lease_s: float) -> Claim | None:
        """Take the next free block, from the job that has waited longest.

        Args:
            worker: Name of the worker.
            lease_s: Seconds until the block becomes free again, unless the lease is renewed.

        Returns:
            The claim; None if no block is free.
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
            if taken is None or job is None:  # cancelled in the meantime: restore the block
                connection.execute(
                    "UPDATE blocks SET status = 'queued', attempts = attempts - 1 "
                    "WHERE job_id = %s AND number = %s",
                    (row["job_id"], row["number"]),
                )
                return None
            try:
                message = JobMessage.of(job["message"])
            except ShipdetError as error:  # such as an option that this version no longer has
                # Otherwise this block would be taken first each time, and keep all others waiting.
                connection.execute(
                    "UPDATE blocks SET status = 'failed', error = %s, lease_until = NULL "
                    "WHERE job_id = %s AND number = %s",
                    (str(error), row["job_id"], row["number"]),
                )
                _fail_job(connection, job["id"], str(error), json.dumps(job["message"]).encode())
                return None
            return Claim(
                job["id"], taken["token"], taken["attempts"], block_of(taken), message, job["zoom"]
            )

        return self.database.run(work)

    def renew(self, claim: Claim, lease_s: float) -> bool:
        """Extend a lease; False if the claim is lost or the job has ended."""
        return bool(
            self.database.rows(
                "UPDATE blocks SET lease_until = now() + %s * interval '1 s' FROM jobs "
                "WHERE job_id = %s AND number = %s AND token = %s AND blocks.status = 'running' "
                "AND jobs.id = job_id AND jobs.status = 'running' RETURNING number",
                *(lease_s, claim.job_id, claim.block.number, claim.token),
            )
        )

    def complete_block(self, claim: Claim, candidates: Row, objects: Row, record: Row) -> bool:
        """Store the results of a block; False, without a change, if the claim is lost."""

        def work(connection: Connection[DictRow]) -> bool:
            done = end_block(
                connection,
                claim,
                "status = 'done', error = '', candidates = %s, objects = %s, record = %s",
                (Jsonb(candidates), Jsonb(objects), Jsonb(record)),
            )
            if done:
                count_done(connection, claim.job_id)
            return done

        return self.database.run(work)

    def repeat_block(self, claim: Claim, reason: str, after_s: float) -> bool:
        """Queue a block again after ``after_s`` seconds; False if the claim is lost."""
        return self.database.run(
            lambda c: end_block(
                c,
                claim,
                "status = 'queued', not_before = now() + %s * interval '1 s', error = %s",
                (after_s, reason),
            )
        )

    def fail_block(self, claim: Claim, reason: str) -> bool:
        """Fail a block and its job, with a dead letter; False if the claim is lost."""

        def work(connection: Connection[DictRow]) -> bool:
            if not end_block(connection, claim, "status = 'failed', error = %s", (reason,)):
                return False
            _fail_job(connection, claim.job_id, reason, claim.message.encode())
            return True

        return self.database.run(work)

    def finished_blocks(self, job_id: str) -> list[tuple[Block, Row]]:
        """Return the done blocks of a job, with their rows."""
        rows = self.database.rows(
            "SELECT * FROM blocks WHERE job_id = %s AND number >= 0 AND status = 'done' "
            "ORDER BY number",
            job_id,
        )
        return [(block_of(row), row) for row in rows]

    def complete_job(
        self, claim: Claim, ships: Sequence[Row], results: Sequence[Row], outcome: Row
    ) -> bool:
        """Complete a job with its detections and results, in one transaction.

        Args:
            claim: The claim of the joining block.
            ships: Rows for the table of detections.
            results: Rows for the table of results.
            outcome: ``timings`` and ``notes``.

        Returns:
            False, without a change of the job, if the claim is lost or the job has ended.
        """

        def work(connection: Connection[DictRow]) -> bool:
            if not end_block(connection, claim, "status = 'done', error = ''", ()):
                return False
            id = claim.job_id
            job = connection.execute(
                "SELECT id FROM jobs WHERE id = %s AND status = 'running' FOR UPDATE", (id,)
            ).fetchone()
            if job is None:
                return False
            with connection.cursor() as cursor:
                cursor.executemany(INSERT_SHIP, [{"job": id, **ship} for ship in ships])
                cursor.executemany(INSERT_RESULT, [{"job": id, **result} for result in results])
            connection.execute(
                "UPDATE jobs SET status = 'completed', ships = %s, timings = %s, notes = %s, "
                "error = '', finished_at = now() WHERE id = %s AND status = 'running'",
                (len(ships), Jsonb(outcome["timings"]), Jsonb(outcome["notes"]), id),
            )
            return True

        return self.database.run(work)

    def cancel(self, job_id: str) -> bool:
        """Stop a job before its next block; False if it has ended."""
        return bool(
            self.database.rows(
                "UPDATE jobs SET status = 'cancelled', finished_at = now() "
                "WHERE id = %s AND status IN ('queued', 'running') RETURNING id",
                job_id,
            )
        )

    def retry(self, job_id: str, zoom: int, blocks: Sequence[Block]) -> bool:
        """Queue a failed or cancelled job again; done blocks are kept.

        Args:
            job_id: The job.
            zoom: The zoom of its plan.
            blocks: The blocks of its plan; missing ones are added.

        Returns:
            False if the job is neither failed nor cancelled.
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
            insert_blocks(connection, job_id, blocks)
            # Joining is repeated even if it is done, because the job was cancelled during it.
            connection.execute(
                "UPDATE blocks SET status = 'queued', attempts = 0, not_before = now() "
                "WHERE job_id = %s AND (status <> 'done' OR number = %s)",
                (job_id, JOIN),
            )
            # A block that a worker completed after the cancel is not counted yet.
            count_done(connection, job_id)
            return True

        return self.database.run(work)

    def job(self, id_or_name: str) -> Row:
        """Read a job by its id or name; UnknownJob if it does not exist."""
        # A name may look like an id, so the id takes precedence.
        rows = self.database.rows(
            "SELECT * FROM jobs WHERE id = %s OR name = %s ORDER BY id <> %s LIMIT 1",
            *(id_or_name,) * 3,
        )
        if not rows:
            raise UnknownJob(
                f"There is no job '{id_or_name[:64]}': `shipdet jobs list` lists them."
            )
        return rows[0]


def _fail_job(connection: Connection[DictRow], job_id: str, reason: str, value: bytes) -> None:
    """Fail an open job, with a dead letter that contains its message."""
    job = connection.execute(
        "UPDATE jobs SET status = 'failed', error = %s, finished_at = now() "
        "WHERE id = %s AND status IN ('queued', 'running') RETURNING attempts",
        (reason, job_id),
    ).fetchone()
    if job is not None:
        insert_letter(connection, f"{job_id}:{job['attempts']}", job_id, "failed", reason, value)
