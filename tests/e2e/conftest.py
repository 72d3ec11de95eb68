"""The real app in a process of its own, and a real browser that can reach nothing else.

``SHIPDET_E2E_URL`` tests an app that runs already; ``SHIPDET_SCREENSHOTS`` is a folder for pictures
of the page, which are not made without it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.helpers.app_page import AppPage
from tests.helpers.app_process import App, running_app
from tests.helpers.browser_faults import note_faults
from tests.helpers.tile_server import TileServer

OpenApp = Callable[..., AppPage]


CHROMIUM = "/usr/bin/chromium"
expect.set_options(timeout=20_000)  # the machine may be busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new gradio_client asks the hub who is calling, wherever its server is."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="session")
def own_tiles() -> Iterator[TileServer]:
    """The tiles of `own_app` under the provider ``xyz``, 4 x 3 of them."""
    with TileServer() as server:
        yield server


@pytest.fixture(scope="session")
def own_app(tmp_path_factory: pytest.TempPathFactory, own_tiles: TileServer) -> Iterator[App]:
    """The app with the bundled models; only the sample and `own_tiles` are within reach."""
    with running_app(tmp_path_factory.mktemp("app"), **own_tiles.environ()) as app:
        # The scene is decoded at the first request for a tile.
        httpx.get(f"{app.url}tiles/sample/15/16320/16376.png", timeout=60).raise_for_status()
        yield app


@pytest.fixture(scope="session")
def app_url(request: pytest.FixtureRequest) -> str:
    """The address of the app whose search page is tested."""
    url = os.environ.get("SHIPDET_E2E_URL")
    return url or str(request.getfixturevalue("own_app").url)


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where pictures of the page go."""
    chosen = os.environ.get("SHIPDET_SCREENSHOTS")
    if not chosen:
        return None
    folder = Path(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, which finds no machine but this one and that of a chosen app."""
    chosen = urlsplit(os.environ.get("SHIPDET_E2E_URL", "")).hostname
    reachable = "".join(f", EXCLUDE {name}" for name in ("127.0.0.1", "localhost", chosen) if name)
    with sync_playwright() as playwright:
        # A container has no user namespaces for Chromium's sandbox, and a small /dev/shm.
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        options += [f"--host-resolver-rules=MAP * ~NOTFOUND{reachable}"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_window(browser: Browser) -> Iterator[BrowserContext]:
    """One window for all tests, which keeps the page's compiled scripts."""
    context = browser.new_context(accept_downloads=True)
    yield context
    context.close()


@contextmanager
def empty_window(shared_window: BrowserContext, url: str) -> Iterator[BrowserContext]:
    """Lend the window, without pages, cookies and storage, to a test of the app at an address.

    Raises:
        AssertionError: The browser complained.
    """
    faults: list[str] = []
    stop = note_faults(shared_window, url, faults)
    try:
        yield shared_window
    finally:
        stop()
        for page in shared_window.pages:
            if page.url.startswith(url):
                page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
            page.close()
        shared_window.clear_cookies()
    assert faults == []


@pytest.fixture
def window(shared_window: BrowserContext, app_url: str) -> Iterator[BrowserContext]:
    """The window for a test of the app at ``app_url``."""
    with empty_window(shared_window, app_url) as window:
        yield window


@pytest.fixture
def open_app(window: BrowserContext, app_url: str, screenshots: Path | None) -> OpenApp:
    """Opens the app in a page of a size."""

    def open_page(width: int = 1440, height: int = 900, dark: bool = False) -> AppPage:
        page = window.new_page()
        page.set_viewport_size({"width": width, "height": height})
        app = AppPage(page, screenshots)
        app.open(app_url + ("?__theme=dark" if dark else ""))
        return app

    return open_page
