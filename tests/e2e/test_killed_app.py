"""An app that is killed in the middle of a run, and started again."""

import threading
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from shipdet import pipeline
from shipdet.settings import get_settings
from tests.helpers.app_page import AppPage
from tests.helpers.app_process import running_app
from tests.helpers.tile_server import TileServer
from tests.helpers.waiting import wait_until, waits_for_the_rest


@pytest.mark.timeout(900)
def test_a_killed_app_leaves_no_half_run_and_is_started_again(browser: Browser, tmp_path: Path):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    banner = page.locator("#sd-alive")
    opened = AppPage(page)
    answer = threading.Event()
    settings = get_settings().model_copy(update={"runs_dir": tmp_path / "runs"})
    with TileServer() as server:
        own = {"SHIPDET_HISTORY": "all", **server.environ()}
        box = dict(zip(("west", "south", "east", "north"), server.bbox.as_tuple(), strict=True))
        asked = {**box, "provider": "xyz", "zoom": server.zoom, "threshold": 0.9}
        server.held = {(server.x0 + x, server.y0 + 2): answer for x in range(4)}
        with running_app(tmp_path, **own) as app:
            opened.open(app.url)
            app.call("detect_area", **asked)
            wait_until(
                lambda: app.process.poll() is not None or waits_for_the_rest(server, tmp_path)
            )
            assert app.process.poll() is None
            app.process.kill()
            app.process.wait()
        expect(banner).to_contain_text("The server does not answer", timeout=30_000)
        (left,) = app.runs.iterdir()
        assert left.name.endswith(".partial"), "nothing could tidy up"
        assert pipeline.runs(settings) == []
        answer.set()
        own["SHIPDET_PORT"] = app.url.rstrip("/").rpartition(":")[2]
        with running_app(tmp_path, **own) as app:
            assert "<html" in httpx.get(app.url, timeout=60).text
            expect(banner).to_contain_text("restarted", timeout=60_000)
            expect(opened.estimate).to_contain_text("tiles", timeout=60_000)
            opened.set_edge("east", opened.numbers[0])
            opened.detect.click()
            expect(opened.panel.get_by_role("alert")).to_contain_text("The area is empty")
            expect(opened.detect).to_be_enabled()
            history = f"{app.url}viewer/runs.json"
            assert httpx.post(history, json={}, timeout=60).json()["runs"] == []
            (done,) = app.answer("detect_area", app.call("detect_area", **asked))
            assert done["result"]["source"]["cached"] == 8
            (listed,) = httpx.post(history, json={}, timeout=60).json()["runs"]
            assert listed["id"] == done["result"]["run"]
    context.close()
