"""Jobs from end to end, on real engines: cut, joined, cancelled, their tiles shared."""

import time
from pathlib import Path

import httpx
import numpy as np
import pytest

pytest.importorskip("pyspark")

from shipdet.cluster import submit
from shipdet.cluster.engines.health import engines as ask_engines
from shipdet.cluster.engines.objects import ObjectStore
from shipdet.cluster.jobs.blocks import cut_area
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store import queries
from shipdet.geometry import pixel_box
from tests.cluster.conftest import SCENE_ZOOM
from tests.helpers.cluster_jobs import directly, job, ships, unmatched, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def test_the_engines_answer(engines, settings):
    end = time.monotonic() + 60
    while away := [e.name for e in ask_engines(settings) if not e.reachable]:
        assert time.monotonic() < end, away  # the history server's first answer takes a while
    assert len(ask_engines(settings)) == 5


NEAR_PX = 8.0


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
    # The outline of a moored ship is the best of many boxes around its peak: a peak that lies a
    # part of a pixel elsewhere may choose another one.
    assert surely and unmatched(surely, mine, NEAR_PX) == 0
    assert unmatched(mine, theirs, NEAR_PX) == 0
    assert unmatched(surely, mine, 1.0) <= len(surely) / 2
    assert any(crosses_a_border(s, message) for s in found), "a ship lies on a border"
    gaps = [np.hypot(a[0] - b[0], a[1] - b[1]) for i, a in enumerate(mine) for b in mine[:i]]
    assert min(gaps, default=99) > 10, "no ship twice"

    results = {r["kind"]: r for r in queries.show_job(store, message.id)["results"]}
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


def test_a_cancelled_job_stops_and_can_be_tried_again(stream, tiles, settings, store):
    message = job(tiles, "cancelled", 0, 100, 3000, 160)
    submit.submit([message], settings)
    for rows in submit.wait(store, [message.id]):
        if message.id in rows and rows[message.id]["status"] == "running":
            break
    done = submit.cancel(store, "cancelled")["blocks_done"]
    time.sleep(settings.cluster_lease_s / 4 + 1)  # when its worker has heard of it
    row = store.job("cancelled")
    assert (row["status"], row["blocks_done"]) == ("cancelled", done)
    submit.retry(store, "cancelled", settings)
    row = wait_for(store, [message.id])[message.id]
    assert (row["status"], row["attempts"]) == ("completed", 2)
