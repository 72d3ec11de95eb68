"""Jobs in PostgreSQL: nothing is lost, nothing happens twice, nothing goes back."""

import threading
import time

import psycopg
import pytest
from psycopg.types.json import Jsonb

pytest.importorskip("psycopg")

from shipdet.cluster.engines.connection_slots import slots
from shipdet.cluster.engines.database import Database
from shipdet.cluster.jobs.job_plan import plan_job
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store import queries
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.migrations import migrate
from shipdet.cluster.store.prometheus import metrics
from shipdet.cluster.store.statements import JOIN, Claim
from shipdet.errors import BadJob, EngineUnreachable, UnknownJob
from shipdet.progress import finish

pytestmark = pytest.mark.cluster

SHIP = {
    "number": 1, "score": 0.9, "lon": 4.0, "lat": 51.9, "x": 10.0, "y": 10.0, "length_m": 100.0,
    "width_m": 20.0, "axis_deg": 30.0, "outline": "[]", "properties": "{}",
}  # fmt: skip
OUTCOME = {"timings": {}, "notes": []}


@pytest.fixture
def store(empty_store: Store) -> Store:
    return empty_store


def message(name: str = "harbor", size: float = 0.01) -> JobMessage:
    return JobMessage.of(
        {"version": 2, "name": name, "area": [4.0, 51.9, 4.0 + size, 51.9 + size / 2],
         "provider": "esri", "zoom": 17}
    )  # fmt: skip


def add(store: Store, settings, name: str = "harbor", size: float = 0.01) -> JobMessage:
    job = message(name, size)
    assert store.register(job, *plan_job(job, settings))
    return job


def claim(store: Store, lease_s: float = 30.0, worker: str = "w") -> Claim:
    taken = store.claim(worker, lease_s)
    assert taken is not None
    return taken


def finish_blocks(store: Store) -> Claim:
    """Run all blocks of the only job; returns the claim to join it."""
    while not (taken := claim(store)).joins:
        assert store.complete_block(taken, {"floor": 0.1, "items": []}, {}, {})
    return taken


def test_migrations_are_applied_once(store):
    assert migrate(store.database) == []


def test_the_same_job_is_registered_once(store, settings):
    job = add(store, settings)
    assert not store.register(job, *plan_job(job, settings))
    assert len(queries.list_jobs(store)) == 1


def test_a_name_belongs_to_one_request(store, settings):
    add(store, settings)
    other = message(size=0.02)
    with pytest.raises(BadJob, match="name"):
        store.register(other, *plan_job(other, settings))


def test_a_job_goes_from_queued_to_completed(store, settings):
    job = add(store, settings)
    assert store.job("harbor")["status"] == "queued"
    joining = finish_blocks(store)
    row = store.job(job.id)
    assert (row["status"], row["blocks_done"]) == ("running", row["blocks_total"])
    assert joining.block.number == JOIN
    assert store.complete_job(joining, [SHIP], [], OUTCOME)
    row = store.job(job.id)
    assert (row["status"], row["ships"]) == ("completed", 1)
    assert row["finished_at"] >= row["started_at"]
    assert store.claim("w", 30) is None


def test_a_completed_job_never_changes(store, settings):
    job = add(store, settings)
    joining = finish_blocks(store)
    assert store.complete_job(joining, [SHIP], [], OUTCOME)
    before = queries.show_job(store, job.id)
    assert not store.complete_job(joining, [SHIP, {**SHIP, "number": 2}], [], OUTCOME)
    assert not store.cancel(job.id)
    assert not store.retry(job.id, *plan_job(job, settings))
    assert not store.register(job, *plan_job(job, settings))
    assert not store.register_failed(job, "no")
    assert not store.fail_block(joining, "no")
    assert queries.show_job(store, job.id) == before
    with pytest.raises(psycopg.errors.RaiseException, match="completed"):
        store.database.rows("UPDATE jobs SET status = 'running' RETURNING id")


def test_only_one_of_many_workers_gets_a_block(store, settings):
    add(store, settings, size=0.1)
    total = store.job("harbor")["blocks_total"]
    assert total > 10
    taken: list[Claim] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        own = Store(Database(store.database.address))
        while (got := own.claim(f"w{number}", 60)) is not None:
            with lock:
                taken.append(got)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [c.block.number for c in taken]
    assert sorted(numbers) == list(range(total)), "every block once, and no joining before"


def test_a_late_answer_of_a_silent_worker_is_ignored(store, settings):
    add(store, settings)
    late = claim(store, lease_s=0.1)
    time.sleep(0.2)
    other = claim(store)
    assert (other.block, other.attempt) == (late.block, 2)
    assert not store.renew(late, 30) and store.renew(other, 30)
    assert not store.complete_block(late, {"floor": 0, "items": []}, {}, {"from": "late"})
    assert not store.fail_block(late, "late")
    assert store.complete_block(other, {"floor": 0, "items": []}, {}, {"from": "other"})
    [(_, row)] = store.finished_blocks(other.job_id)
    assert row["record"] == {"from": "other"}


def test_a_renewed_lease_is_kept(store, settings):
    add(store, settings)
    mine = claim(store, lease_s=0.3)
    for _ in range(5):
        time.sleep(0.1)
        assert store.renew(mine, 0.3)
    assert store.claim("other", 1) is None


def test_a_small_job_does_not_wait_for_a_large_one(store, settings):
    large = add(store, settings, "large", size=0.1)
    assert [claim(store).job_id for _ in range(3)] == [large.id] * 3
    small = add(store, settings, "small")
    assert [claim(store).job_id for _ in range(3)] == [large.id, small.id, large.id]
    second = add(store, settings, "second", size=0.1)
    turns = [claim(store).job_id for _ in range(6)]
    assert turns.count(second.id) == turns.count(large.id) == 3, "large jobs take turns"


def test_new_jobs_without_end_do_not_keep_a_large_one_waiting(store, settings):
    large = add(store, settings, "large", size=0.1)
    claim(store)
    turns = []
    for number in range(6):
        add(store, settings, f"new-{number}")
        turns.append(claim(store).job_id)
    assert turns.count(large.id) >= 2


def test_a_block_is_repeated_alone_and_not_at_once(store, settings):
    add(store, settings, size=0.1)
    first = claim(store)
    assert store.repeat_block(first, "the server was away", 0.3)
    others = [claim(store) for _ in range(3)]
    assert first.block.number not in [c.block.number for c in others]
    time.sleep(0.4)
    again = claim(store)
    assert (again.block.number, again.attempt) == (first.block.number, 2)


def test_a_failed_block_fails_the_job_once_with_a_dead_letter(store, settings):
    job = add(store, settings, size=0.1)
    one, two = claim(store), claim(store)
    assert store.fail_block(one, "no imagery")
    assert store.fail_block(two, "something else")
    assert (store.job(job.id)["status"], store.job(job.id)["error"]) == ("failed", "no imagery")
    assert store.claim("w", 1) is None
    [letter] = queries.unsent_letters(store)
    assert (letter["job_id"], letter["reason"]) == (job.id, "no imagery")
    assert JobMessage.decode(bytes(letter["value"])) == job
    queries.mark_sent(store, [letter["key"]])
    assert queries.unsent_letters(store) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [({"stride": 8}, "no such option"), ({"area": [4, 51, 4, 51]}, "area is empty")],
)
def test_a_message_of_another_version_holds_up_no_other(store, settings, change, says):
    strange, other = add(store, settings), add(store, settings, "quay")
    store.database.rows(
        "UPDATE jobs SET message = message || %s WHERE id = %s RETURNING id",
        *(Jsonb(change), strange.id),
    )
    assert store.claim("w", 30.0) is None
    assert claim(store).job_id == other.id
    job = store.job(strange.id)
    assert job["status"] == "failed" and says in job["error"]


def test_a_failed_job_can_be_tried_again_and_keeps_what_is_done(store, settings):
    job = add(store, settings, size=0.1)
    assert store.complete_block(claim(store), {"floor": 0, "items": []}, {}, {})
    assert store.fail_block(claim(store), "no")
    assert store.retry(job.id, *plan_job(job, settings))
    row = store.job(job.id)
    assert (row["status"], row["attempts"], row["blocks_done"]) == ("queued", 2, 1)
    assert finish_blocks(store).joins
    assert store.job(job.id)["blocks_done"] == row["blocks_total"]


def test_a_block_finished_after_the_cancel_counts_at_the_retry(store, settings):
    job = add(store, settings)
    late = claim(store)
    assert store.cancel(job.id)
    assert store.complete_block(late, {"floor": 0, "items": []}, {}, {}), "it heard too late"
    assert store.retry(job.id, *plan_job(job, settings))
    joining = finish_blocks(store)
    assert store.complete_job(joining, [], [], OUTCOME)
    assert store.job(job.id)["status"] == "completed"


def test_a_job_cancelled_while_joining_is_joined_at_the_retry(store, settings):
    job = add(store, settings)
    joining = finish_blocks(store)
    assert store.cancel(job.id)
    assert not store.complete_job(joining, [SHIP], [], OUTCOME)
    assert store.retry(job.id, *plan_job(job, settings))
    assert store.complete_job(claim(store), [SHIP], [], OUTCOME)
    assert store.job(job.id)["status"] == "completed"


def test_cancelling_stops_at_the_next_block(store, settings):
    job = add(store, settings, size=0.1)
    running = claim(store)
    assert store.cancel(job.id)
    assert not store.renew(running, 30), "the worker hears of it"
    assert store.claim("w", 1) is None
    store.complete_block(running, {"floor": 0, "items": []}, {}, {})
    assert store.job(job.id)["status"] == "cancelled"
    assert not store.cancel(job.id)


def test_changes_are_heard(store, settings):
    heard: list[str] = []
    changes = store.database.changes(1.0)
    assert next(changes) == ""
    job = add(store, settings)
    claim(store)
    heard = list(changes)
    assert heard == [job.id, job.id]


def test_connections_to_a_provider_are_shared(store):
    with slots(store.database, "esri", 3) as one, slots(store.database, "esri", 3) as two:
        assert finish(one.take(2)) == 2
        assert finish(two.take(2)) == 1, "what is left"
        with slots(store.database, "esri", 3) as three, slots(store.database, "eox", 3) as other:
            waiting = three.take(2)
            assert next(waiting).stage == "wait"
            assert finish(other.take(2)) == 2, "another provider's are its own"
            one.give_back()
            assert finish(waiting) == 2


def test_a_dead_workers_connections_come_back(store):
    with slots(store.database, "esri", 1) as one, slots(store.database, "esri", 1) as two:
        finish(one.take(1))
        pid = one.connection.info.backend_pid
        store.database.rows("SELECT pg_terminate_backend(%s)", pid)
        assert finish(two.take(1)) == 1


def test_a_lost_connection_is_opened_again(store, settings):
    add(store, settings)
    own = store.database.rows("SELECT pg_backend_pid() AS pid")[0]["pid"]
    with psycopg.connect(store.database.address, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (own,))
    assert store.job("harbor")["status"] == "queued"


def test_a_database_that_is_away_is_one_sentence():
    away = Store(Database("postgresql://nobody@127.0.0.1:1/none", patience_s=0.2))
    with pytest.raises(EngineUnreachable, match="SHIPDET_POSTGRES"):
        away.job("x")


def test_a_database_without_tables_is_one_sentence(store):
    server, _, _ = store.database.address.rpartition("/")
    bare = Database(f"{server}/template1", patience_s=2.0)
    for look in (queries.list_jobs, metrics, queries.free_blocks):
        with pytest.raises(EngineUnreachable, match="shipdet jobs prepare"):
            look(Store(bare))
    assert bare.rows("SELECT 1 AS one") == [{"one": 1}], "the connection is still good"
    bare.close()


def test_a_name_that_looks_like_an_id_hides_no_job(store, settings):
    first = message("first")
    named = add(store, settings, first.id)
    assert store.job(first.id)["id"] == named.id
    add(store, settings, "first")
    assert store.job(first.id)["id"] == first.id


def test_an_unknown_job_is_one_sentence(store):
    with pytest.raises(UnknownJob, match="no job"):
        store.job("nothing")


RECORD = {"tiles": {"fetched": 3, "cached": 2, "missing": 0}, "timings": {"fetch": 1.5}}


def figures_of(store: Store) -> dict[str, float]:
    lines = [line for line in metrics(store).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_counters_count_events_and_outlive_what_they_counted(store, settings):
    job = add(store, settings, size=0.1)
    total = store.job(job.id)["blocks_total"]
    assert figures_of(store)['shipdet_blocks{status="queued"}'] == total
    while not (taken := claim(store)).joins:
        assert store.complete_block(taken, {"floor": 0.1, "items": []}, {}, RECORD)
        assert not store.complete_block(taken, {"floor": 0.1, "items": []}, {}, RECORD)
    assert store.complete_job(taken, [SHIP], [], OUTCOME)
    queries.add_letter(store, "twice", "bad.", b"x")
    queries.add_letter(store, "twice", "bad.", b"x")
    assert store.register_failed(message("other"), "no")
    expected = {
        "shipdet_blocks_done_total": total,
        "shipdet_ships_total": 1,
        'shipdet_jobs_ended_total{status="completed"}': 1,
        'shipdet_jobs_ended_total{status="failed"}': 1,
        'shipdet_dead_letters_total{kind="rejected"}': 1,
        'shipdet_tiles_total{source="fetched"}': 3 * total,
        'shipdet_stage_seconds_count{stage="fetch"}': total,
        'shipdet_stage_seconds_sum{stage="fetch"}': 1.5 * total,
    }
    before = figures_of(store)
    assert expected.items() <= before.items()
    assert before['shipdet_jobs{status="completed"}'] == 1
    store.database.run(lambda c: c.execute("TRUNCATE jobs, dead_letters CASCADE"))
    after = figures_of(store)
    assert expected.items() <= after.items()
    assert after['shipdet_jobs{status="completed"}'] == 0


def test_many_blocks_that_end_at_once_are_all_counted(store, settings):
    add(store, settings, size=0.1)

    def work() -> None:
        own = Store(Database(store.database.address))
        while (taken := own.claim("w", 60)) is not None and not taken.joins:
            assert own.complete_block(taken, {}, {}, RECORD | {"timings": {"a": 1, "b": 2}})
        own.database.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = store.job("harbor")["blocks_total"]
    assert figures_of(store)["shipdet_blocks_done_total"] == total > 10
