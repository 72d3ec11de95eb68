"""What the imagery tests share: settings in a temporary folder, waits that do not wait."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shipdet.imagery.retry import RetryPolicy
from shipdet.settings import Settings
from tests.helpers.tile_server import TileServer

SettingsFor = Callable[..., Settings]


class Waits(list[float]):
    """Remembers how long the downloader wanted to wait."""

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)

    def policy(self, retries: int = 4) -> RetryPolicy:
        return RetryPolicy(retries=retries, sleep=self.sleep, jitter=lambda: 1.0)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def settings_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SettingsFor:
    """Settings with a cache of their own, pointing at a tile server if one is given."""
    for name in ("SHIPDET_SENTINELHUB_INSTANCE_ID", "SENTINEL_HUB_INSTANCE_ID"):
        monkeypatch.delenv(name, raising=False)

    def make(server: TileServer | None = None, **changes: object) -> Settings:
        url = {"xyz_url": server.url_template} if server else {}
        values = {"cache_dir": tmp_path / "cache", "timeout_s": 5.0, **url, **changes}
        return Settings(_env_file=None, **values)  # type: ignore[arg-type, call-arg]

    return make


@pytest.fixture
def settings(settings_for: SettingsFor) -> Settings:
    return settings_for()
