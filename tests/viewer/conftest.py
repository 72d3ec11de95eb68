"""The viewer's endpoints over runs on disk, without any model or gradio."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from shipdet.report import Run
from shipdet.settings import Settings, get_settings
from shipdet.viewer import viewer_routes
from tests.helpers.written_runs import write_run

RUN = "harbor-20260101-000000-abcdef"


@pytest.fixture
def settings() -> Settings:
    return get_settings()


@pytest.fixture
def run(settings: Settings) -> Run:
    return write_run(settings.runs_dir / RUN)


@pytest.fixture
def web(settings: Settings) -> Iterator[TestClient]:
    app = Starlette(routes=viewer_routes(settings))
    with TestClient(app, base_url="http://localhost:7860") as client:
        yield client
