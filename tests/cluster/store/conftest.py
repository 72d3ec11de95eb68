"""The tables need no broker and no Spark."""

import pytest

from shipdet.settings import Settings


@pytest.fixture
def settings(storage_settings: Settings) -> Settings:
    """The settings of the database and the object store."""
    return storage_settings
