"""Jobs from end to end, on real engines: the same ships as the pipeline, whatever is killed."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

pytest.importorskip("pyspark")

from shipdet import pipeline
from shipdet.cluster import listing, submit
from shipdet.cluster.blocks import cut_area
from shipdet.cluster.broker import send
from shipdet.cluster.health import engines as ask_engines
from shipdet.cluster.health import metrics
from shipdet.cluster.messages import JobMessage
from shipdet.cluster.objects import ObjectStore
from shipdet.cluster.store import Store
from shipdet.geometry import pixel_box
from shipdet.progress import finish
from shipdet.report import Run
from shipdet.settings import Settings
from tests.cluster.conftest import SCENE_ZOOM
from tests.tile_server import TileServer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = submit.open_store(settings)
    yield opened
    opened.database.close()


def job(tiles: TileServer, name: str, x: float, y: float, width: int, height: int) -> JobMessage:
    """A job for a rectangle of the scene's pixels."""
    box = tiles.bbox_of(x, y, x + width, y + height)
    return JobMessage.of(
        {"version": 2, "name": name, "area": list(box.as_tuple()), "zoom": SCENE_ZOOM}
    )


def wait_for(store: Store, ids: list[str], timeout_s: float = 300) -> dict[str, dict]:
    return list(submit.wait(store, ids, timeout_s))[-1]


def directly(message: JobMessage, folder: Path, settings: Settings) -> Run:
    """What the pipeline gives for a job's area as one picture."""
    request = message.request(message.parsed_area.box.as_tuple(), SCENE_ZOOM)
    return finish(pipeline.detect_area(request, out=folder, settings=settings))


def ships(store: Store, id: str) -> list[dict]:
    return [row["told"] for row in listing.show_job(store, id)["detections"]]


def unmatched(some: list[tuple[float, float]], others: list[tuple[float, float]], px: float) -> int:
    """How many of some have no partner of their own among the others within px."""
    left = list(others)
    lonely = 0
    for x, y in some:
        near = [o for o in left if np.hypot(o[0] - x, o[1] - y) <= px]
        if near:
            left.remove(min(near, key=lambda o: np.hypot(o[0] - x, o[1] - y)))
        else:
            lonely += 1
    return lonely


def snapshot(store: Store) -> list[dict]:
    """Everything that is known of completed jobs."""
    done = store.database.rows("SELECT id FROM jobs WHERE status = 'completed' ORDER BY id")
    return [listing.show_job(store, row["id"]) for row in done]


def test_the_engines_answer(engines, settings):
    end = time.monotonic() + 60
    while away := [e.name for e in ask_engines(settings) if not e.reachable]:
        assert time.monotonic() < end, away  # the history server's first answer takes a while
    assert len(ask_engines(settings)) == 5


def test_jobs_give_the_ships_that_the_pipeline_gives(stream, tiles, settings, store, tmp_path):
    places = [(550, 1650), (1200, 1270), (1860, 1450), (1000, 2150), (2480, 1850), (2990, 1500)]
    messages = [job(tiles, f"small-{n}", x, y, 600, 500) for n, (x, y) in enumerate(places)]
    assert submit.submit(messages, settings) == [m.id for m in messages]
    rows = wait_for(store, [m.id for m in messages])
    found = 0
    for message in messages:
        assert rows[message.id]["status"] == "completed", rows[message.id]["error"]
        run = directly(message, tmp_path / message.name, settings)
        mine = [(s["x"], s["y"]) for s in ships(store, message.id)]
        theirs = [(d.x, d.y) for d in run.detections]
        assert len(mine) == len(theirs)
        assert unmatched(mine, theirs, 1.0) == 0
        found += len(mine)
    assert found >= 4, "a ship lies in the middle of each area"


def test_a_large_area_is_cut_joined_and_has_every_ship_once(
    stream, tiles, settings, store, tmp_path
):
    message = job(tiles, "large", 1850, 300, 600, 2100)
    submit.submit([message], settings)
    row = wait_for(store, [message.id])[message.id]
    assert row["status"] == "completed", row["error"]
    assert row["blocks_total"] == row["blocks_done"] > 1
    found = ships(store, message.id)
    run = directly(message, tmp_path / "large", settings)
    # Windows lie in a block as in the whole picture but for parts of a pixel, so a score at the
    # threshold may fall on its other side.
    clear = run.threshold + 0.03
    mine = [(s["x"], s["y"]) for s in found]
    theirs = [(d.x, d.y) for d in run.candidates if d.score >= run.threshold - 0.03]
    surely = [(d.x, d.y) for d in run.detections if d.score >= clear]
    assert surely and unmatched(surely, mine, 1.0) == 0
    assert unmatched(mine, theirs, 1.0) == 0
    assert any(crosses_a_border(s, message) for s in found), "a ship lies on a border"
    gaps = [np.hypot(a[0] - b[0], a[1] - b[1]) for i, a in enumerate(mine) for b in mine[:i]]
    assert min(gaps, default=99) > 10, "no ship twice"

    results = {r["kind"]: r for r in listing.show_job(store, message.id)["results"]}
    assert set(results) == {"overlay", "preview", "vrt", "mosaic", "geojson", "csv", "candidates",
                            "record"}  # fmt: skip
    check_pictures(results, message, run, ObjectStore(settings), tmp_path)


def crosses_a_border(ship: dict, message: JobMessage) -> bool:
    """Whether a ship lies in the cores of two blocks."""
    area = message.parsed_area
    whole = pixel_box(area.box, SCENE_ZOOM)
    corners = np.array(ship["corners"]) + np.array([whole.x0, whole.y0])
    cores = [block.core for block in cut_area(area, SCENE_ZOOM, 99)]
    homes = {n for x, y in corners for n, c in enumerate(cores)
             if c.x0 <= x < c.x1 and c.y0 <= y < c.y1}  # fmt: skip
    return len(homes) > 1


def check_pictures(results, message, run, objects, folder):
    import rasterio

    for result in results.values():
        objects.get_file(result["object"], folder / "mosaics" / result["object"])
    for block in objects.client.list_objects(objects.bucket, "objects/", recursive=True):
        if block.object_name.endswith(".tif"):
            objects.get_file(block.object_name, folder / "mosaics" / block.object_name)
    whole = pixel_box(message.parsed_area.box, SCENE_ZOOM)
    with rasterio.open(run.files["mosaic"]) as one:
        expected = one.read()
        for kind in ("mosaic", "vrt"):
            with rasterio.open(folder / "mosaics" / results[kind]["object"]) as joined:
                assert (joined.width, joined.height) == (whole.width, whole.height)
                assert np.allclose(joined.transform, one.transform)
                assert (joined.read() == expected).all(), f"{kind} has other pixels"
                assert (joined.dataset_mask() == 255).all()
    url = objects.address(results["overlay"]["object"], "overlay.png")
    answer = httpx.get(url)
    assert answer.status_code == 200 and answer.content.startswith(b"\x89PNG")
    assert httpx.get(url.replace("Signature=", "Signature=0")).status_code == 403


def test_one_tile_cache_serves_all_workers(stream, tiles, settings, store):
    first = job(tiles, "cache-1", 300, 300, 500, 500)
    wait_for(store, [submit.submit([first], settings)[0]])
    for folder in (Path(settings.cache_dir) / "tiles").glob("*"):
        for tile in folder.rglob("*.tile"):
            tile.unlink()  # as if the next block ran on another machine
    asked = tiles.count
    second = job(tiles, "cache-2", 320, 310, 470, 480)
    row = wait_for(store, [submit.submit([second], settings)[0]])[second.id]
    assert row["status"] == "completed" and tiles.count == asked
    assert tiles.max_concurrency <= settings.cluster_connections + 4  # the direct runs' own


def test_bad_messages_end_as_dead_letters_and_stop_nothing(stream, tiles, settings, store):
    rng = np.random.default_rng(5)
    good = json.dumps({"version": 2, "name": "bad", "area": [4, 51, 4.1, 51.1]}).encode()
    bad = [b"\xff", b"{}", b"[" * 5000, b"null", b'{"version": 2, "name": "../../x"}']
    for number in range(295):
        data = bytearray(good)
        for at in rng.integers(0, len(data), 4):
            data[at] = rng.integers(0, 256)
        bad.append(bytes(data) + b"?" * (number % 3 + 1))
    huge = JobMessage.of({"version": 2, "name": "huge", "area": [-170, -80, 170, 80], "zoom": 19})
    unknown = JobMessage.of(
        {"version": 2, "name": "moon", "area": [4, 51, 4.1, 51.1], "provider": "moon"}
    )
    bad += [huge.encode(), unknown.encode()]
    send(settings, settings.kafka_topic, ((str(n), value) for n, value in enumerate(bad)))
    after = job(tiles, "after-the-bad", 100, 100, 300, 300)
    submit.submit([after], settings)
    assert wait_for(store, [after.id])[after.id]["status"] == "completed"
    for message, says in ((huge, "blocks"), (unknown, "no provider")):
        row = wait_for(store, [message.id])[message.id]
        assert row["status"] == "failed" and says in row["error"]
    end = time.monotonic() + 120
    while (letters := read_letters(settings)).keys() != {v[: 64 * 1024] for v in bad}:
        assert time.monotonic() < end, f"{len(letters)} of {len(bad)} dead letters"
        time.sleep(1)
    assert all(letter["reason"].endswith(".") for letter in letters.values())
    assert 'shipdet_dead_letters{kind="rejected"}' in metrics(store)


def read_letters(settings: Settings) -> dict[bytes, dict]:
    """All dead letters in the topic, by the message that they are about."""
    import base64

    from shipdet.cluster.source import KafkaReader, Range

    reader = KafkaReader(
        {"subscribe": settings.kafka_dead_letters, "startingoffsets": "earliest",
         "kafka.bootstrap.servers": settings.kafka}
    )  # fmt: skip
    found = {}
    for topic, parts in reader._bounds().items():
        for partition, (low, high) in parts.items():
            for row in reader.read(Range(topic, int(partition), low, high)) if high > low else ():
                letter = json.loads(row[1])
                value = letter.get("value")
                raw = base64.b64decode(letter["value_base64"]) if value is None else value.encode()
                found[raw] = letter
    return found


def test_a_cancelled_job_stops_and_can_be_tried_again(stream, tiles, settings, store):
    message = job(tiles, "cancelled", 0, 100, 4000, 300)
    submit.submit([message], settings)
    for rows in submit.wait(store, [message.id], 120):
        if message.id in rows and rows[message.id]["status"] == "running":
            break
    submit.cancel(store, "cancelled")
    time.sleep(3)
    done = store.job("cancelled")["blocks_done"]
    time.sleep(3)
    row = store.job("cancelled")
    assert (row["status"], row["blocks_done"]) == ("cancelled", done)
    submit.retry(store, "cancelled", settings)
    row = wait_for(store, [message.id])[message.id]
    assert (row["status"], row["attempts"]) == ("completed", 2)


def test_killing_the_driver_loses_and_repeats_nothing(stream, tiles, settings, store, tmp_path):
    messages = [
        job(tiles, f"kill-{n}", n % 6 * 480 + 40, n // 6 * 480 + 60, 420, 420) for n in range(30)
    ]
    submit.submit(messages, settings)
    ids = [m.id for m in messages]
    for rows in submit.wait(store, ids, 200):
        states = [row["status"] for row in rows.values()]
        if states.count("completed") >= 3:
            break
    assert states.count("completed") < len(ids), "it must be killed in the middle"
    before = snapshot(store)
    stream.processes.signal("stream", signal.SIGKILL)
    assert stream.processes.gone("stream", 10)
    stream.start_stream()
    rows = wait_for(store, ids)
    assert [row["status"] for row in rows.values()] == ["completed"] * len(ids)
    after = {row["id"]: row for row in snapshot(store)}
    for row in before:
        assert after[row["id"]] == row, "a completed job was changed"
    for message in messages[::10]:
        run = directly(message, tmp_path / message.name, settings)
        mine = [(s["x"], s["y"]) for s in ships(store, message.id)]
        assert len(mine) == len(run.detections)
        assert unmatched(mine, [(d.x, d.y) for d in run.detections], 1.0) == 0
    twice = store.database.rows(
        "SELECT job_id, kind FROM results GROUP BY job_id, kind HAVING count(*) > 1"
    )
    assert twice == []


def test_reading_the_whole_topic_again_changes_nothing(stream, settings, store):
    stream.processes.stop("stream")
    before = snapshot(store)
    letters = store.database.rows("SELECT * FROM dead_letters ORDER BY key")
    jobs = store.database.rows("SELECT * FROM jobs ORDER BY id")
    os.rename(settings.spark_checkpoint_dir, f"{settings.spark_checkpoint_dir}.old")
    stream.run("-m", "shipdet", "jobs", "stream", "--drain")
    assert store.database.rows("SELECT * FROM jobs ORDER BY id") == jobs
    assert store.database.rows("SELECT * FROM dead_letters ORDER BY key") == letters
    assert snapshot(store) == before


def test_the_history_server_has_the_record(engines, settings):
    end = time.monotonic() + 30
    while not (apps := httpx.get(f"{settings.spark_history}/api/v1/applications").json()):
        assert time.monotonic() < end, "no event log was read"
        time.sleep(1)
    jobs = httpx.get(f"{settings.spark_history}/api/v1/applications/{apps[0]['id']}/jobs").json()
    assert apps[0]["name"] == "shipdet" and len(jobs) > 0
