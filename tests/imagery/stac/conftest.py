"""A STAC API for the tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipdet.settings import Settings, get_settings
from tests.helpers.stac_server import StacServer


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the usual scenes are written once for all tests."""
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture
def server(pictures: Path) -> Iterator[StacServer]:
    with StacServer(pictures) as running:
        yield running


def settings_for(server: StacServer, **changes: Any) -> Settings:
    own = {"stac_url": server.url, "timeout_s": 20.0, "retries": 0}
    return get_settings().model_copy(update={**own, **changes})
