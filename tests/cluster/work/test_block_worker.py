"""What becomes of a block whose work goes wrong."""

import threading
import time

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("minio")

from shipdet.cluster.jobs.job_plan import plan_job
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store import queries
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.statements import Claim
from shipdet.cluster.work import block_worker
from shipdet.errors import BadModel, EngineUnreachable, ProviderUnreachable
from shipdet.progress import Progress
from shipdet.settings import Settings

pytestmark = pytest.mark.cluster

JOB = JobMessage.of(
    {"version": 2, "name": "worker", "area": [4.0, 51.9, 4.1, 51.95], "provider": "esri",
     "zoom": 17}
)  # fmt: skip


@pytest.fixture
def quick(settings: Settings) -> Settings:
    changes = {"cluster_attempts": 3, "cluster_retry_s": 0.05, "cluster_lease_s": 0.4}
    return settings.model_copy(update=changes)


@pytest.fixture
def store(empty_store: Store, settings: Settings) -> Store:
    assert empty_store.register(JOB, *plan_job(JOB, settings))
    return empty_store


def run(store: Store, settings: Settings, monkeypatch, work) -> Claim:
    """Claim the next block and let it do ``work``, a generator."""
    monkeypatch.setattr(block_worker, "search_block", work)
    claim = store.claim("w", settings.cluster_lease_s)
    assert claim is not None
    block_worker.run_claim(claim, store, None, settings)
    return claim


def failing(error: Exception):
    def work(*_):
        yield Progress("fetch", 0, 1)
        raise error

    return work


def block(store: Store, number: int) -> dict:
    found = queries.show_job(store, "worker")["blocks"]
    return next(b for b in found if b["number"] == number)


@pytest.mark.parametrize(
    "error", [ProviderUnreachable("away."), EngineUnreachable("away."), RuntimeError("what?")]
)
def test_a_passing_error_is_retried_and_then_fails_the_job(store, quick, monkeypatch, error):
    first = run(store, quick, monkeypatch, failing(error))
    assert block(store, first.block.number)["status"] == "queued"
    assert store.job("worker")["status"] == "running"
    for _ in range(2):
        time.sleep(0.25)
        again = run(store, quick, monkeypatch, failing(error))
        assert again.block.number == first.block.number
    row = store.job("worker")
    assert row["status"] == "failed"
    assert row["error"].startswith("away." if "away" in str(error) else "The block failed")
    assert len(queries.unsent_letters(store)) == 1


def test_what_is_wrong_for_good_fails_at_once(store, quick, monkeypatch):
    claim = run(store, quick, monkeypatch, failing(BadModel("broken.")))
    assert claim.attempt == 1
    assert (store.job("worker")["status"], store.job("worker")["error"]) == ("failed", "broken.")


def test_a_block_that_takes_long_keeps_its_lease(store, quick, monkeypatch):
    def slow(claim, store, *_):
        time.sleep(1.2)  # three leases without any event
        store.complete_block(claim, {"floor": 0, "items": []}, {}, {})
        yield Progress("report", 1, 1)

    claim = run(store, quick, monkeypatch, slow)
    assert block(store, claim.block.number)["status"] == "done"
    assert block(store, claim.block.number)["attempts"] == 1


def test_a_cancelled_job_stops_its_block_within_a_lease(store, quick, monkeypatch):
    events = 0

    def endless(*_):
        nonlocal events
        while True:
            events += 1
            time.sleep(0.02)
            yield Progress("detect", 0, 0)

    threading.Timer(0.3, lambda: store.cancel(JOB.id)).start()
    run(store, quick, monkeypatch, endless)
    assert 0 < events < 200
    assert store.job("worker")["status"] == "cancelled"


def test_a_block_that_loses_its_worker_every_time_fails_its_job(store, quick, monkeypatch):
    for _ in range(3):
        assert store.claim("dies", 0.01) is not None
        time.sleep(0.05)
    monkeypatch.setattr(block_worker, "search_block", failing(AssertionError("must not run")))
    claim = store.claim("w", 5)
    assert claim is not None and claim.attempt == 4
    block_worker.run_claim(claim, store, None, quick)
    assert "worker died in every attempt" in store.job("worker")["error"]
