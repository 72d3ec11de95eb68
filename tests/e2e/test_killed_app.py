"""An app that is killed in the middle of a run, and started again."""

import threading

import httpx
import pytest

from shipdet import pipeline
from shipdet.settings import get_settings
from tests.helpers.app_process import running_app
from tests.helpers.tile_server import TileServer
from tests.helpers.waiting import wait_until, waits_for_the_rest


@pytest.mark.timeout(900)
def test_a_killed_app_leaves_its_tiles_and_no_half_run(tmp_path):
    answer = threading.Event()
    settings = get_settings().model_copy(update={"runs_dir": tmp_path / "runs"})
    with TileServer() as server:
        own = {"SHIPDET_HISTORY": "all", **server.environ()}
        box = dict(zip(("west", "south", "east", "north"), server.bbox.as_tuple(), strict=True))
        asked = {**box, "provider": "xyz", "zoom": server.zoom, "threshold": 0.9}
        server.held = {(server.x0 + x, server.y0 + 2): answer for x in range(4)}
        with running_app(tmp_path, **own) as app:
            app.call("detect_area", **asked)
            wait_until(
                lambda: app.process.poll() is not None or waits_for_the_rest(server, tmp_path)
            )
            assert app.process.poll() is None
            app.process.kill()
            app.process.wait()
        (left,) = app.runs.iterdir()
        assert left.name.endswith(".partial"), "nothing could tidy up"
        assert pipeline.runs(settings) == []
        answer.set()
        with running_app(tmp_path, **own) as app:
            assert "<html" in httpx.get(app.url, timeout=60).text
            history = f"{app.url}viewer/runs.json"
            assert httpx.post(history, json={}, timeout=60).json()["runs"] == []
            (done,) = app.answer("detect_area", app.call("detect_area", **asked))
            assert done["result"]["source"]["cached"] == 8
            (listed,) = httpx.post(history, json={}, timeout=60).json()["runs"]
            assert listed["id"] == done["result"]["run"]
