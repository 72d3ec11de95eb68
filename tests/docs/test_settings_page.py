"""The generated page of the settings."""

import importlib.util

from shipdet.settings import Settings
from tests.helpers import PROJECT


def settings_page() -> str:
    spec = importlib.util.spec_from_file_location("hooks", PROJECT / "docs" / "_hooks.py")
    assert spec is not None and spec.loader is not None
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    return str(hooks.settings())


def test_every_setting_is_described():
    rows = [line for line in settings_page().splitlines() if line.startswith("| `SHIPDET_")]
    assert len(rows) == len(Settings.model_fields)
    assert [row for row in rows if not row.rsplit("|", 2)[1].strip()] == []
