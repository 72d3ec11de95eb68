"""An app that is killed in the middle of a run, and started again."""

import threading
import time

import httpx
import pytest

from shipdet import pipeline
from shipdet.settings import get_settings
from tests.helpers.app_process import running_app
from tests.helpers.tile_server import TileServer


@pytest.mark.timeout(600)
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
            while server.running < 4 or server.count < 12:  # the rest has been kept
                assert app.process.poll() is None
                time.sleep(0.05)
            time.sleep(1)  # what was answered last is being written
            app.process.kill()
            app.process.wait()
        (left,) = app.runs.iterdir()
        assert left.name.endswith(".partial"), "nothing could tidy up"
        assert pipeline.runs(settings) == []
        answer.set()
        with running_app(tmp_path, **own) as app:
            assert "<html" in httpx.get(app.url, timeout=60).text
            history = f"{app.url}viewer/runs.json"
            assert httpx.get(history, timeout=60).json()["runs"] == []
            (done,) = app.answer("detect_area", app.call("detect_area", **asked))
            assert done["result"]["source"]["cached"] == 8
            (listed,) = httpx.get(history, timeout=60).json()["runs"]
            assert listed["id"] == done["result"]["run"]
