"""The app on a cluster: its endpoints, its tab, and the routes that machines ask."""

import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytest.importorskip("pyspark")

from gradio_client.exceptions import AppError

from shipdet.errors import NotYours
from shipdet.settings import Settings

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


class Visitor:
    """A browser's session with the page, which presses buttons as its script would."""

    def __init__(self, address: str) -> None:
        self.address, self.session = address, secrets.token_hex(6)
        config = httpx.get(f"{address}/config", timeout=60).json()
        self.parts = {part["id"]: part["props"] for part in config["components"]}
        self.events = config["dependencies"]

    def press(self, button: str, **values: Any) -> str:
        """What the page says after a button; ``values`` are by a component's label."""
        number = next(id for id, props in self.parts.items() if props.get("value") == button)
        return self._run(lambda event: [number, "click"] in event["targets"], values)

    def look(self) -> None:
        """Let the list of jobs be filled, as the page does every other second."""
        number = next(id for id, props in self.parts.items() if props.get("label") == "Job")
        self._run(lambda event: number in event["outputs"], {})

    def _run(self, wanted: Callable[[dict[str, Any]], bool], values: dict[str, Any]) -> str:
        event = next(event for event in self.events if wanted(event))
        data = [
            values.get(self.parts[id].get("label") or "", self.parts[id].get("value"))
            for id in event["inputs"]
        ]
        call = {"data": data, "fn_index": event["id"], "session_hash": self.session}
        queue = f"{self.address}/gradio_api/queue"
        httpx.post(f"{queue}/join", json=call, timeout=60).raise_for_status()
        asked = {"session_hash": self.session}
        with httpx.stream("GET", f"{queue}/data", params=asked, timeout=120) as answer:
            for line in answer.iter_lines():
                message = json.loads(line.removeprefix("data:") or "{}")
                if message.get("msg") == "process_completed":
                    assert message["success"], message
                    return str(message["output"]["data"][0])
        raise AssertionError("the page did not answer")


def test_only_the_page_that_submitted_a_job_may_cancel_it(stream, served, tiles, store):
    one, other = Visitor(served), Visitor(served)
    box = tiles.bbox_of(-900, 0, 3000, 160)
    # No other job asks for these tiles, so no cache has them, and the job waits for them.
    released = threading.Event()
    tiles.held |= {(tiles.x0 - column, tiles.y0): released for column in (2, 3, 4)}
    area = dict(zip(("West", "South", "East", "North"), box.as_tuple(), strict=True))
    form = {"Name": "visited", **area}
    said = one.press("Submit the drawn area", **form)
    assert "Submitted visited" in said
    id_ = said.partition("(")[2].partition(")")[0]
    while not store.database.rows("SELECT 1 FROM jobs WHERE id = %s", id_):
        time.sleep(0.1)
    for visitor in (one, other):
        visitor.look()
    assert "not submitted from this page" in other.press("Cancel the job", Job=id_)
    assert "Submitted visited" in other.press("Submit the drawn area", **form)
    assert "not submitted from this page" in other.press("Cancel the job", Job=id_)
    assert "is cancelled" in one.press("Cancel the job", Job=id_)
    released.set()
    assert "not submitted from this page" in other.press("Try again", Job=id_)
    assert store.job(id_)["status"] == "cancelled"


def test_an_operator_may_let_everybody_cancel():
    from shipdet.ui.jobs_tab import check_control

    with pytest.raises(NotYours, match="operator"):
        check_control("a", ["b"], Settings())
    check_control("a", ["b", "a"], Settings())
    check_control("a", [], Settings(cluster_visitors_control=True))


def test_a_bad_submission_is_one_sentence(client):
    for values, says in (
        ({"name": "../x", "area": [4, 51, 5, 52]}, "name"),
        ({"name": "abc", "area": "CIRCLE"}, "WKT"),
        ({"name": "abc", "area": [4, 51, 4.1, 51.1], "provider": "moon"}, "provider"),
        ({"name": "abc", "area": [4, 51, 4.1, 51.1], "model": "../../etc"}, "model"),
    ):
        with pytest.raises(AppError, match=f"(?i){says}"):
            client.predict(**values, api_name="/submit_job")
    for values, says in (
        ({"name": "abc", "area": [4, 51, 4.1, 51.1], "upscale": ["x4"]}, "passes"),
        ({"name": ["abc"], "area": [4, 51, 4.1, 51.1]}, "name"),
    ):
        with pytest.raises(AppError, match=f"(?i){says}"):
            client.predict(**values, api_name="/submit_job")
    for nothing in ("nothing", ["nothing"], None):
        with pytest.raises(AppError, match="no job"):
            client.predict(nothing, api_name="/job")
    with pytest.raises(AppError, match="not a status"):
        client.predict(["done"], 5, api_name="/jobs")
    with pytest.raises(AppError, match="whole number"):
        client.predict("", "many", api_name="/jobs")


def test_machines_can_ask_how_it_is(served, settings: Settings):
    reachable = {engine["name"]: engine["reachable"] for engine in httpx.get(
        f"{served}/healthz/cluster", timeout=60).json()}  # fmt: skip
    assert reachable["PostgreSQL"] and reachable["Kafka"] and reachable["S3"]
    text = httpx.get(f"{served}/metrics").text
    assert "# TYPE shipdet_jobs gauge" in text and 'shipdet_blocks{status="done"}' in text


def test_the_page_has_the_tab(served):
    config = httpx.get(f"{served}/config").json()
    tabs = [c["props"].get("label") for c in config["components"] if c["type"] == "tabitem"]
    assert "Jobs" in tabs and "Search" in tabs
