"""The app on a cluster: its endpoints, its tab, and the routes that machines ask."""

import time
from collections.abc import Iterator

import httpx
import pytest

pytest.importorskip("pyspark")

from gradio_client import Client
from gradio_client.exceptions import AppError

from deploy.local import Cluster
from shipdet.settings import Settings
from tests.cluster.conftest import SCENE_ZOOM
from tests.tile_server import TileServer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def served(engines: Cluster) -> Iterator[str]:
    """The app as a process of its own, as people run it."""
    engines.start_python("app", "-m", "shipdet", "serve")
    engines.processes.wait_for_port("app", engines.ports["app"], 180)
    yield f"http://127.0.0.1:{engines.ports['app']}"
    engines.processes.stop("app")


@pytest.fixture
def client(served: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return Client(served, verbose=False, analytics_enabled=False)


def test_jobs_are_submitted_and_seen_through_the_api(stream, client, tiles: TileServer):
    ids = []
    for number in range(4):
        x, y = 700 + 300 * number, 1600
        box = tiles.bbox_of(x, y, x + 280, y + 280)
        told = client.predict(
            name=f"api-{number}", area=list(box.as_tuple()), zoom=SCENE_ZOOM, threshold=0.2,
            api_name="/submit_job",
        )  # fmt: skip
        ids.append(told["id"])
    end = time.monotonic() + 300
    while True:
        rows = {row["id"]: row for row in client.predict(api_name="/jobs")}
        if all(rows.get(id, {}).get("status") == "completed" for id in ids):
            break
        assert time.monotonic() < end, [rows.get(id) for id in ids]
        time.sleep(1)
    found = client.predict("api-0", api_name="/job")
    assert found["id"] == ids[0] and len(found["detections"]) == found["ships"]
    answer = httpx.get(found["files"]["geojson"])
    assert answer.status_code == 200 and answer.json()["type"] == "FeatureCollection"
    assert len(answer.json()["features"]) == found["ships"]


def test_a_bad_submission_is_one_sentence(client):
    for values, says in (
        ({"name": "../x", "area": [4, 51, 5, 52]}, "name"),
        ({"name": "abc", "area": "CIRCLE"}, "WKT"),
        ({"name": "abc", "area": [4, 51, 4.1, 51.1], "provider": "moon"}, "provider"),
        ({"name": "abc", "area": [4, 51, 4.1, 51.1], "model": "../../etc"}, "model"),
    ):
        with pytest.raises(AppError, match=f"(?i){says}"):
            client.predict(**values, api_name="/submit_job")
    with pytest.raises(AppError, match="no job"):
        client.predict("nothing", api_name="/job")


def test_machines_can_ask_how_it_is(served, settings: Settings):
    told = {engine["name"]: engine["reachable"] for engine in httpx.get(
        f"{served}/healthz/cluster", timeout=60).json()}  # fmt: skip
    assert told["PostgreSQL"] and told["Kafka"] and told["S3"]
    text = httpx.get(f"{served}/metrics").text
    assert "# TYPE shipdet_jobs gauge" in text and 'shipdet_blocks{status="done"}' in text


def test_the_page_has_the_tab(served):
    config = httpx.get(f"{served}/config").json()
    tabs = [c["props"].get("label") for c in config["components"] if c["type"] == "tabitem"]
    assert "Jobs" in tabs and "Search" in tabs
