"""Twenty jobs through the app's API while the driver dies and forgets what it has read."""

import os
import signal
import time
from collections import Counter

import httpx
import pytest

pytest.importorskip("pyspark")

from deploy.local import Cluster
from shipdet.cluster import submit
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store.job_store import Store
from shipdet.geometry import gsd_at, pixel_box
from tests.helpers.cluster_jobs import assert_same_ships, job, snapshot, wait_for
from tests.helpers.tile_server import TileServer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

COLUMNS, ROWS = 5, 4
SIDE_M = 450.0
BEGINNINGS = {"overlay": b"\x89PNG", "preview": b"\xff\xd8\xff", "mosaic": b"II*\0"}
KINDS = {*BEGINNINGS, "geojson", "csv", "candidates", "record"}


def many_areas(tiles: TileServer) -> list[JobMessage]:
    """Areas spread over real imagery, or, without imagery, over the sample harbor."""
    scene = tiles.beside or tiles
    side = round(SIDE_M / gsd_at(scene.bbox.center[1], scene.zoom))
    height, width = (length - side for length in scene.picture.shape[:2])
    return [
        job(scene, f"many-{n}", n % COLUMNS * width / (COLUMNS - 1),
            n // COLUMNS * height / (ROWS - 1), side, side)
        for n in range(COLUMNS * ROWS)
    ]  # fmt: skip


def test_many_jobs_give_what_the_pipeline_gives(stream, client, tiles, settings, store, tmp_path):
    messages = many_areas(tiles)
    ids = [message.id for message in messages]
    for message in messages:
        submitted = client.predict(
            name=message.name, area=list(message.area), zoom=message.zoom, api_name="/submit_job"
        )
        assert submitted == {"id": message.id, "name": message.name}
    before = when_some_are_completed(store, ids)
    kill_driver_and_its_memory(stream)
    rows = wait_for(store, ids)
    assert [rows[id]["status"] for id in ids] == ["completed"] * len(ids)
    assert_nothing_was_done_twice(store, ids, before)
    for message in messages:
        assert_files_are_there(client.predict(message.name, api_name="/job"), message)
    found = [assert_same_ships(store, m, tmp_path / m.name, settings) for m in messages]
    assert sum(found) >= 4, "there are ships in the scene"


def when_some_are_completed(store: Store, ids: list[str]) -> list[dict]:
    """Everything about the completed jobs, as soon as three of the new ones are among them."""
    for rows in submit.wait(store, ids):
        states = [row["status"] for row in rows.values()]
        if states.count("completed") >= 3:
            break
    assert states.count("completed") < len(ids), "the driver must be killed in the middle"
    return snapshot(store)


def kill_driver_and_its_memory(stream: Cluster) -> None:
    """Kill the stream and let another begin without its checkpoint: it reads the topic again."""
    stream.processes.signal("stream", signal.SIGKILL)
    assert stream.processes.gone("stream", 10)
    checkpoint = stream.env["SHIPDET_SPARK_CHECKPOINT_DIR"]
    os.rename(checkpoint, f"{checkpoint}.{time.time_ns()}")
    stream.start_stream()


def assert_nothing_was_done_twice(store: Store, ids: list[str], before: list[dict]) -> None:
    after = {row["id"]: row for row in snapshot(store)}
    for row in before:
        assert after[row["id"]] == row, "a completed job was changed"
    rows = store.database.rows("SELECT name FROM jobs WHERE name LIKE 'many-%%'")
    assert len(rows) == len(ids), "one row each"
    results = store.database.rows("SELECT job_id, kind FROM results WHERE job_id = ANY(%s)", ids)
    assert Counter(row["job_id"] for row in results) == dict.fromkeys(ids, len(KINDS))
    assert {row["kind"] for row in results} == KINDS


def assert_files_are_there(job: dict, message: JobMessage) -> None:
    """The API's addresses lead to pictures, and to as many ships as it names."""
    assert job["id"] == message.id and job["ships"] == len(job["detections"])
    assert job["files"].keys() == KINDS
    for kind, beginning in BEGINNINGS.items():
        answer = httpx.get(job["files"][kind])
        assert answer.status_code == 200 and answer.content.startswith(beginning), kind
    assert len(httpx.get(job["files"]["geojson"]).json()["features"]) == job["ships"]
    record = httpx.get(job["files"]["record"]).json()
    box = pixel_box(message.parsed_area.box, record["zoom"])
    assert (record["width"], record["height"]) == (box.width, box.height)
