"""The small models that tests of models and of their export share."""

from pathlib import Path

import pytest

from shipdet.settings import Settings
from tests.helpers.tiny_models import (  # noqa: F401
    configs,
    graph_cache,
    make_classifier,
    make_upscaler,
    picture,
    settings,
    weights,
)


@pytest.fixture
def ready(settings: Settings, graph_cache: Path) -> Settings:  # noqa: F811
    """For tests that only read a graph: it is made once for all of them."""
    return settings.model_copy(update={"cache_dir": graph_cache})
