"""The real app in a process of its own, and a real browser that can reach nothing else.

``SHIPDET_E2E_URL`` tests an app that runs already; ``SHIPDET_SCREENSHOTS`` is a folder for pictures
of the page, which are not made without it.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Request, Route, expect, sync_playwright

from tests.helpers.app_page import AppPage
from tests.helpers.app_process import App, running_app
from tests.helpers.browser_faults import note_faults

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
def own_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with the bundled models and no provider but the sample within reach."""
    with running_app(tmp_path_factory.mktemp("app")) as app:
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
    with sync_playwright() as playwright:
        # A container has no user namespaces for Chromium's sandbox, and a small /dev/shm.
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def open_app(browser: Browser, app_url: str, screenshots: Path | None) -> Iterator[OpenApp]:
    """Opens the app in a window of a size; fails the test for whatever the browser complains of."""
    pages: list[AppPage] = []
    faults: list[str] = []

    def open_page(width: int = 1440, height: int = 900, dark: bool = False) -> AppPage:
        context = browser.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True
        )
        note_faults(context, app_url, faults)
        page = context.new_page()
        app = AppPage(page, screenshots)
        page.route("**/*", lambda route, request: _only_here(app, route, request))
        pages.append(app)
        app.open(app_url + ("?__theme=dark" if dark else ""))
        return app

    yield open_page
    for app in pages:
        app.page.context.close()
    assert faults == []


def _only_here(app: AppPage, route: Route, request: Request) -> None:
    local = request.url.startswith(("http://127.0.0.1:", "blob:", "data:"))
    if local or os.environ.get("SHIPDET_E2E_URL", "-") in request.url:
        route.continue_()
    else:
        app.blocked.append(request.url)
        route.abort()
