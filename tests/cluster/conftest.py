"""Real engines for the tests that are marked ``cluster``: started once, on free ports."""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.local import Cluster
from shipdet.geometry import TILE_PX, pixel_box, pixel_to_lonlat
from shipdet.imagery import sample
from shipdet.settings import Settings
from tests.tile_server import TileServer

SCENE_ZOOM = 17


def cut_scene(cache: Path) -> tuple[np.ndarray, int, int]:
    """The built-in sample harbour as one picture of whole tiles, and the first tile's x and y.

    It is drawn by code, so these tests need no imagery of anybody's.
    """
    settings = Settings(cache_dir=cache)
    box = pixel_box(sample.bbox(), SCENE_ZOOM)
    x0, y0 = -(-box.x0 // TILE_PX), -(-box.y0 // TILE_PX)
    columns, rows = box.x1 // TILE_PX - x0, box.y1 // TILE_PX - y0
    picture = np.zeros((rows * TILE_PX, columns * TILE_PX, 3), np.uint8)
    for row in range(rows):
        for column in range(columns):
            data = sample.tile(SCENE_ZOOM, x0 + column, y0 + row, settings)
            assert data is not None
            top, left = row * TILE_PX, column * TILE_PX
            tile = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            picture[top : top + TILE_PX, left : left + TILE_PX] = tile
    return picture, x0, y0


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TileServer]:
    """A tile server with the sample harbour at zoom 17."""
    picture, x0, y0 = cut_scene(tmp_path_factory.mktemp("scene"))
    middle = [(x0 + 0.5) * TILE_PX, (y0 + 0.5) * TILE_PX]
    west, north = pixel_to_lonlat(middle, SCENE_ZOOM).tolist()
    with TileServer(
        picture, west=west, north=north, zoom=SCENE_ZOOM, image_format="JPEG"
    ) as server:
        yield server


@pytest.fixture(scope="session")
def engines(tiles: TileServer) -> Iterator[Cluster]:
    """All engines but the stream and the app."""
    # Not a folder of pytest's: the user postgres may not enter those.
    folder = Path(tempfile.mkdtemp(prefix="shipdet-cluster-"))
    folder.chmod(0o755)
    extra = {
        **tiles.environ(),
        "SHIPDET_PROVIDER": "xyz",
        "SHIPDET_CACHE_DIR": str(folder / "cache"),
        "SHIPDET_CLUSTER_LEASE_S": "8",
        "SHIPDET_CLUSTER_RETRY_S": "0.5",
    }
    cluster = Cluster(folder, extra, usual_ports=False)
    try:
        cluster.start(stream=False, app=False)
        yield cluster
    finally:
        cluster.stop()
        logs = os.environ.get("SHIPDET_TEST_LOGS")
        if logs:
            shutil.copytree(folder / "logs", logs, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stream(engines: Cluster) -> Cluster:
    """The engines with the stream, which is left running: it takes long to start."""
    if "stream" not in engines.processes.running():
        engines.start_stream()
    return engines


@pytest.fixture
def settings(engines: Cluster, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The engines' settings, in this process as in the stream's."""
    for name, value in engines.env.items():
        if name.startswith("SHIPDET_"):
            monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture
def make_database(settings: Settings) -> Iterator[Callable[[], str]]:
    """Addresses of empty databases, each with the tables."""
    import psycopg

    from shipdet.cluster.database import Database

    made: list[str] = []

    def make() -> str:
        name = f"test_{os.getpid()}_{len(made)}"
        with psycopg.connect(settings.postgres, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        address = settings.postgres.rpartition("/")[0] + f"/{name}"
        Database(address).migrate()
        return address

    yield make
    with psycopg.connect(settings.postgres, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
