"""A script against the app, which runs in another process and takes tiles from a local server."""

import json
import time
from pathlib import Path

import pytest
from gradio_client import Client

from tests.helpers.app_process import App
from tests.helpers.tile_server import TileServer


@pytest.fixture
def client(own_app: App, tmp_path: Path) -> Client:
    return Client(own_app.url, verbose=False, analytics_enabled=False, download_files=str(tmp_path))


def area(own_tiles: TileServer, side_px: int) -> dict[str, object]:
    box = own_tiles.bbox_of(300, 200, 300 + side_px, 200 + side_px)
    names = ("west", "south", "east", "north")
    values = dict(zip(names, box.as_tuple(), strict=True))
    return {**values, "provider": "xyz", "zoom": own_tiles.zoom}


def test_a_script_streams_progress_and_gets_the_files(client: Client, own_tiles: TileServer):
    job = client.submit(**area(own_tiles, 400), api_name="/detect_area")
    done = job.result(timeout=240)
    stages = list(dict.fromkeys(event["stage"] for event in job.outputs()))
    assert [s for s in stages if s in ("fetch", "load", "detect", "report", "done")] == [
        "fetch", "load", "detect", "report", "done",
    ]  # fmt: skip
    source = done["result"]["source"]
    assert source["fetched"] + source["cached"] == source["tiles"] and source["missing"] == 0
    assert done["result"]["raw"]["width"] >= 400
    found = json.loads(Path(done["files"]["geojson"]).read_text())
    assert len(found["features"]) == done["result"]["ships"]


def test_a_cancelled_script_stops_within_a_block(client: Client, own_tiles: TileServer):
    own_tiles.delay_s = 1.5  # of twelve tiles four come at a time, some from the run before
    before = own_tiles.count
    whole = dict(zip(("west", "south", "east", "north"), own_tiles.bbox.as_tuple(), strict=True))
    job = client.submit(**whole, provider="xyz", zoom=own_tiles.zoom, api_name="/detect_area")
    deadline = time.monotonic() + 60
    while len(job.outputs()) < 4:
        assert time.monotonic() < deadline, job.status()
        time.sleep(0.05)
    assert job.cancel()
    time.sleep(2.0)  # what was under way may finish
    asked = own_tiles.count
    time.sleep(2.0)
    own_tiles.delay_s = 0.0
    assert own_tiles.count == asked
    assert asked - before <= 4, "none of the waiting tiles was requested"
