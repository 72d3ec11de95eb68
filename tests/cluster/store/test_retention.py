"""What is too old goes, what somebody still uses stays."""

import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("minio")

from shipdet.cluster.engines.database import Database
from shipdet.cluster.engines.objects import TILES, ObjectStore
from shipdet.cluster.jobs.job_plan import plan_job
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store import queries
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.retention import Removed, keep_object, remove_old
from shipdet.errors import EngineUnreachable
from shipdet.settings import Settings

pytestmark = pytest.mark.cluster


@pytest.fixture
def store(empty_store: Store) -> Store:
    return empty_store


@pytest.fixture
def objects(store: Store, settings: Settings) -> ObjectStore:
    """The workers' object store, in a bucket of its own."""
    own = settings.model_copy(update={"s3_bucket": "retention"})
    made = ObjectStore(own, before_put=partial(keep_object, store))
    made.prepare()
    return made


def add(store: Store, settings: Settings, name: str) -> JobMessage:
    message = JobMessage.of(
        {"version": 2, "name": name, "area": [4.0, 51.9, 4.01, 51.905], "provider": "esri",
         "zoom": 17}
    )  # fmt: skip
    assert store.register(message, *plan_job(message, settings))
    return message


def complete(store: Store, settings: Settings, name: str, *keys: str) -> JobMessage:
    """A job of one block that has the first object, and is joined to all of them."""
    message = add(store, settings, name)
    while not (claim := store.claim("w", 30)).joins:
        assert store.complete_block(claim, {}, {"mosaic": keys[0]}, {})
    results = [
        {"kind": f"kind-{n}", "object": key, "media_type": "x", "bytes": 1}
        for n, key in enumerate(keys)
    ]
    assert store.complete_job(claim, [], results, {"timings": {}, "notes": []})
    return message


def make_older(store: Store, days: float, *names: str) -> None:
    """Move jobs, all letters and all objects to the past."""

    def work(connection):
        connection.execute("ALTER TABLE jobs DISABLE TRIGGER jobs_guard")
        for table, column in (("jobs", "finished_at"), ("dead_letters", "sent_at"),
                              ("objects", "used_at")):  # fmt: skip
            where = "WHERE name = ANY(%(names)s)" if table == "jobs" else ""
            connection.execute(
                f"UPDATE {table} SET {column} = {column} - %(days)s * interval '1 day' {where}",
                {"days": days, "names": list(names)},
            )
        connection.execute("ALTER TABLE jobs ENABLE TRIGGER jobs_guard")

    store.database.run(work)


def is_there(objects: ObjectStore, key: str) -> bool:
    return objects.size(key) > 0


def test_an_old_job_goes_with_what_only_it_had(store, objects, settings):
    own, shared, new = (objects.put(text, ".json") for text in (b"own", b"shared", b"new"))
    complete(store, settings, "old-job", shared, own)
    complete(store, settings, "new-job", new, shared)
    make_older(store, 31, "old-job")
    assert remove_old(store, objects, settings) == Removed(jobs=1, objects=1, letters=0, tiles=0)
    assert [job["name"] for job in queries.list_jobs(store)] == ["new-job"]
    assert [is_there(objects, key) for key in (own, shared, new)] == [False, True, True]
    [left] = store.database.rows("SELECT count(DISTINCT job_id) AS n FROM blocks")
    assert left["n"] == 1


def test_what_has_not_ended_or_is_young_stays(store, objects, settings):
    complete(store, settings, "young", objects.put(b"young", ".json"))
    add(store, settings, "open-job")
    make_older(store, 29, "young", "open-job")
    assert remove_old(store, objects, settings) == Removed(0, 0, 0, 0)
    assert len(queries.list_jobs(store)) == 2
    assert remove_old(store, objects, settings, days=28).jobs == 1, "the caller may be stricter"
    assert [job["name"] for job in queries.list_jobs(store)] == ["open-job"]


def test_failed_and_cancelled_jobs_and_sent_letters_go_too(store, objects, settings):
    failed, cancelled = (add(store, settings, name) for name in ("failed", "cancelled"))
    assert store.cancel(cancelled.id)
    assert store.fail_block(store.claim("w", 30), "no")
    queries.add_letter(store, "sent", "bad.", b"x")
    queries.add_letter(store, "unsent", "bad.", b"y")
    queries.mark_sent(store, ["sent", f"{failed.id}:1"])
    make_older(store, 31, "failed", "cancelled")
    assert remove_old(store, objects, settings) == Removed(jobs=2, objects=0, letters=2, tiles=0)
    assert [letter["key"] for letter in queries.unsent_letters(store)] == ["unsent"]


def test_fresh_objects_stay_and_those_of_dead_workers_go(store, objects, settings):
    key = objects.put(b"of a block that is not completed yet", ".tif")
    assert remove_old(store, objects, settings).objects == 0 and is_there(objects, key)
    make_older(store, 2)
    assert objects.put(b"of a block that is not completed yet", ".tif") == key
    assert remove_old(store, objects, settings).objects == 0, "another worker wants it now"
    make_older(store, 2)
    assert remove_old(store, objects, settings).objects == 1 and not is_there(objects, key)


def test_an_object_wanted_during_its_removal_is_put_again(store, objects, settings, monkeypatch):
    key = objects.put(b"wanted", ".json")
    make_older(store, 2)
    removing, go_on = threading.Event(), threading.Event()
    remove = ObjectStore.remove

    def slowly(self, keys):
        removing.set()
        assert go_on.wait(60)
        remove(self, keys)

    monkeypatch.setattr(ObjectStore, "remove", slowly)
    cleaner = threading.Thread(target=remove_old, args=(store, objects, settings))
    cleaner.start()
    assert removing.wait(60)
    other = Store(Database(store.database.address))
    wanting = ObjectStore(
        settings.model_copy(update={"s3_bucket": objects.bucket}),
        before_put=partial(keep_object, other),
    )
    worker = threading.Thread(target=wanting.put, args=(b"wanted", ".json"))
    worker.start()
    worker.join(0.5)
    assert worker.is_alive(), "it waits for the removal"
    go_on.set()
    cleaner.join()
    worker.join()
    assert is_there(objects, key)
    assert store.database.rows("SELECT key FROM objects") == [{"key": key}]


def test_nothing_is_forgotten_when_the_object_store_is_away(store, objects, settings):
    key = objects.put(b"kept on the list", ".json")
    make_older(store, 2)
    away = ObjectStore(settings.model_copy(update={"s3": "http://127.0.0.1:1"}), repeats=0)
    with pytest.raises(EngineUnreachable):
        remove_old(store, away, settings)
    assert store.database.rows("SELECT key FROM objects") == [{"key": key}]
    assert remove_old(store, objects, settings).objects == 1


def test_cached_tiles_go_when_they_are_too_old(objects):
    for number in range(3):
        objects.write(f"{TILES}/xyz/0/15/1/{number}.tile", b"tile")
    now = datetime.now(UTC)
    assert objects.remove_tiles(now - timedelta(days=30)) == 0
    assert objects.remove_tiles(now + timedelta(minutes=1)) == 3
    assert objects.remove_tiles(now + timedelta(minutes=1)) == 0
