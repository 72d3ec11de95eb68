"""A script against the app, which runs in another process and takes tiles from a local server."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client

from tests.helpers.app_process import running_app
from tests.helpers.tile_server import TileServer, data_dir

needs_data = pytest.mark.skipif(not data_dir().is_dir(), reason="needs the real mosaics")


@pytest.fixture(scope="module")
def harbor() -> Iterator[TileServer]:
    with TileServer.of_mosaic("algeciras") as server:
        yield server


@pytest.fixture(scope="module")
def client(harbor: TileServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("client")
    pytest.MonkeyPatch().setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with running_app(folder, **harbor.environ()) as app:
        yield Client(app.url, verbose=False, analytics_enabled=False, download_files=str(folder))


def area(harbor: TileServer, side_px: int) -> dict[str, object]:
    box = harbor.bbox_of(300, 300, 300 + side_px, 300 + side_px)
    names = ("west", "south", "east", "north")
    values = dict(zip(names, box.as_tuple(), strict=True))
    return {**values, "provider": "xyz", "zoom": harbor.zoom}


@needs_data
def test_a_script_streams_progress_and_gets_the_files(client: Client, harbor: TileServer):
    job = client.submit(**area(harbor, 400), api_name="/detect_area")
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


@needs_data
def test_a_cancelled_script_stops_within_a_block(client: Client, harbor: TileServer):
    harbor.delay_s = 3.0  # of nine tiles four come at a time, some from the run before
    before = harbor.count
    whole = dict(zip(("west", "south", "east", "north"), harbor.bbox.as_tuple(), strict=True))
    job = client.submit(**whole, provider="xyz", zoom=harbor.zoom, api_name="/detect_area")
    deadline = time.monotonic() + 60
    while len(job.outputs()) < 4:
        assert time.monotonic() < deadline, job.status()
        time.sleep(0.05)
    assert job.cancel()
    time.sleep(4.0)  # what was under way may finish
    asked = harbor.count
    time.sleep(4.0)
    harbor.delay_s = 0.0
    assert harbor.count == asked
    assert asked - before <= 4, "none of the tiles that waited was asked for"
