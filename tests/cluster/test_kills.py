"""Every engine killed or stopped while at least 30 jobs are in flight: nothing lost, nothing twice.

It takes longer than the rest and runs by its own command: `make test-kills`.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from deploy.local import Cluster
from shipdet.cluster import submit
from shipdet.cluster.store.job_store import Store
from shipdet.settings import Settings
from tests.helpers.cluster_jobs import job, snapshot
from tests.helpers.tile_server import TileServer, too_many

pytestmark = [pytest.mark.kills, pytest.mark.timeout(900)]

JOBS = 40
IN_FLIGHT = 30  # at least, when the harm is done


def python_workers(cluster: Cluster) -> list[int]:
    """Python workers of Spark that belong to this cluster and hold a model."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            call = (entry / "cmdline").read_bytes()
            env = (entry / "environ").read_bytes()
            pages = int((entry / "statm").read_text().split()[1])
        except OSError:
            continue
        ours = f"SPARK_CONF_DIR={cluster.folder}".encode() in env
        if b"pyspark.daemon" in call and ours and pages * 4096 > 300e6:
            found.append(int(entry.name))
    return found


def kill_driver(cluster: Cluster, tiles: TileServer) -> None:
    cluster.processes.signal("stream", signal.SIGKILL)
    assert cluster.processes.gone("stream", 10)
    cluster.start_stream()


def kill_worker(cluster: Cluster, tiles: TileServer) -> None:
    cluster.processes.signal("worker-1", signal.SIGKILL)
    assert cluster.processes.gone("worker-1", 10)
    time.sleep(3)
    cluster.start_worker(1)


def kill_python_worker(cluster: Cluster, tiles: TileServer) -> None:
    victims = python_workers(cluster)
    assert victims, "a Python worker must be at work"
    os.kill(victims[0], signal.SIGKILL)


def restart_broker(cluster: Cluster, tiles: TileServer) -> None:
    time.sleep(1.5)  # the broker promises to keep what is older than a second
    cluster.processes.signal("kafka", signal.SIGKILL)
    assert cluster.processes.gone("kafka", 10)
    time.sleep(5)
    cluster.start_kafka()


def restart_database(cluster: Cluster, tiles: TileServer) -> None:
    cluster.processes.stop("postgres")
    time.sleep(3)
    cluster.start_postgres()


def stop_objects(cluster: Cluster, tiles: TileServer) -> None:
    cluster.processes.stop("s3")
    time.sleep(10)
    cluster.start_s3()


def refuse_tiles(cluster: Cluster, tiles: TileServer) -> None:
    tiles.always = too_many("2")
    time.sleep(20)
    tiles.always = None


@pytest.mark.parametrize(
    "harm",
    [kill_driver, kill_worker, kill_python_worker, restart_broker, restart_database, stop_objects,
     refuse_tiles],
)  # fmt: skip
def test_nothing_is_lost_or_done_twice(
    harm: Callable[[Cluster, TileServer], None],
    stream: Cluster,
    tiles: TileServer,
    settings: Settings,
) -> None:
    store: Store = submit.open_store(settings)
    store.database.patience_s = 60.0
    messages = [
        job(tiles, f"{harm.__name__}-{n}", n % 8 * 480 + 40.0, n // 8 * 480 + 60.0, 250, 250)
        for n in range(JOBS)
    ]
    ids = submit.submit(messages, settings)
    for rows in submit.wait(store, ids, 300):
        states = [row["status"] for row in rows.values()]
        if len(rows) == JOBS and states.count("completed") >= 2:
            break
    before = {row["id"]: row for row in snapshot(store)}
    in_flight = store.database.rows(
        "SELECT id FROM jobs WHERE id = ANY(%s) AND status IN ('queued', 'running')", ids
    )
    assert len(in_flight) >= IN_FLIGHT
    harm(stream, tiles)
    end = time.monotonic() + 600
    while True:
        rows = {
            r["id"]: r for r in store.database.rows("SELECT * FROM jobs WHERE id = ANY(%s)", ids)
        }
        states = [row["status"] for row in rows.values()]
        if states.count("completed") == JOBS:
            break
        errors = {row["error"] for row in rows.values()} - {""}
        assert "failed" not in states, errors
        assert time.monotonic() < end, states
        time.sleep(1)
    after = {row["id"]: row for row in snapshot(store)}
    for id, row in before.items():
        assert after[id] == row, "a completed job was changed"
    counts = store.database.rows(
        "SELECT job_id, count(*) AS n, count(DISTINCT kind) AS kinds FROM results "
        "WHERE job_id = ANY(%s) GROUP BY job_id",
        ids,
    )
    assert len(counts) == JOBS and all(row["n"] == row["kinds"] == 7 for row in counts)
    found = store.database.rows(
        "SELECT j.id FROM jobs j WHERE j.id = ANY(%s) AND j.ships <> "
        "(SELECT count(*) FROM detections d WHERE d.job_id = j.id)",
        ids,
    )
    assert found == []
