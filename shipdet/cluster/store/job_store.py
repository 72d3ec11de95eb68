"""Jobs and blocks in PostgreSQL. Every change of status names the status it comes from."""

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
from shipdet.errors import UnknownJob


class Store:
    """What the stream, its workers, the command line and the app know about jobs."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def register(self, message: JobMessage, zoom: int, blocks: Sequence[Block]) -> bool:
        """Add a job with its blocks; False when it is known already, which changes nothing.

        Raises BadJob when another job has its name.
        """

        def work(connection: Connection[DictRow]) -> bool:
            if not insert_job(connection, message, zoom, "queued", len(blocks)):
                return False
            insert_blocks(connection, message.id, blocks)
            return True

        return self.database.run(work)

    def register_failed(self, message: JobMessage, reason: str) -> bool:
        """Add a job that cannot be planned, as failed; False when it is known already."""
        return self.database.run(
            lambda c: insert_job(c, message, message.zoom, "failed", 0, reason)
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
                block_of(taken),
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
        """Give a block back, to be tried again not before ``after_s``; False as above."""
        return self.database.run(
            lambda c: end_block(
                c,
                claim,
                "status = 'queued', not_before = now() + %s * interval '1 s', error = %s",
                (after_s, reason),
            )
        )

    def fail_block(self, claim: Claim, reason: str) -> bool:
        """Fail a block for good, and its job with it, with a dead letter; False as above."""

        def work(connection: Connection[DictRow]) -> bool:
            if not end_block(connection, claim, "status = 'failed', error = %s", (reason,)):
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
        return [(block_of(row), row) for row in rows]

    def complete_job(
        self, claim: Claim, ships: Sequence[Row], results: Sequence[Row], outcome: Row
    ) -> bool:
        """Write a job's detections and results and complete it, all or nothing.

        ``outcome`` has ``timings`` and ``notes``. False when the claim was lost or the job has
        ended otherwise.
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
            insert_blocks(connection, job_id, blocks)
            # The joining is due again in any case: cancelled at its end, it is done in vain.
            connection.execute(
                "UPDATE blocks SET status = 'queued', attempts = 0, not_before = now() "
                "WHERE job_id = %s AND (status <> 'done' OR number = %s)",
                (job_id, JOIN),
            )
            # A worker hears late of a cancel, and its block was done without being counted.
            count_done(connection, job_id)
            return True

        return self.database.run(work)

    def job(self, id_or_name: str) -> Row:
        """A job by its id or else its name; raises UnknownJob."""
        # A name may look like an id, and must not hide the job that has it.
        rows = self.database.rows(
            "SELECT * FROM jobs WHERE id = %s OR name = %s ORDER BY id <> %s LIMIT 1",
            *(id_or_name,) * 3,
        )
        if not rows:
            raise UnknownJob(
                f"There is no job '{id_or_name[:64]}': `shipdet jobs list` tells them."
            )
        return rows[0]
