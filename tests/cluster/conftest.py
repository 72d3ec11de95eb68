"""Real engines for the tests that are marked ``cluster``: started once, on free ports."""

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from deploy.local import Cluster
from shipdet.geometry import TILE_PX, pixel_box, pixel_to_lonlat
from shipdet.imagery import sample
from shipdet.settings import Settings
from tests.helpers.tile_server import TileServer, mosaic_path

if TYPE_CHECKING:
    from gradio_client import Client

    from shipdet.cluster.store.job_store import Store

SCENE_ZOOM = 17
REAL = "algeciras"  # of the mosaics


def cut_scene() -> tuple[np.ndarray, int, int]:
    """The built-in sample harbor as one picture of whole tiles, and the first tile's x and y.

    It is drawn by code, so these tests need no imagery of anybody's.
    """
    box = pixel_box(sample.bbox(), SCENE_ZOOM)
    x0, y0 = -(-box.x0 // TILE_PX), -(-box.y0 // TILE_PX)
    columns, rows = box.x1 // TILE_PX - x0, box.y1 // TILE_PX - y0
    picture = np.zeros((rows * TILE_PX, columns * TILE_PX, 3), np.uint8)
    for row in range(rows):
        for column in range(columns):
            data = sample.tile(SCENE_ZOOM, x0 + column, y0 + row)
            assert data is not None
            top, left = row * TILE_PX, column * TILE_PX
            tile = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            picture[top : top + TILE_PX, left : left + TILE_PX] = tile
    return picture, x0, y0


@pytest.fixture(scope="session")
def tiles() -> Iterator[TileServer]:
    """A tile server with the sample harbor at zoom 17, and beside it real imagery, if any."""
    picture, x0, y0 = cut_scene()
    middle = [(x0 + 0.5) * TILE_PX, (y0 + 0.5) * TILE_PX]
    west, north = pixel_to_lonlat(middle, SCENE_ZOOM).tolist()
    real = TileServer.of_mosaic(REAL) if mosaic_path(REAL).exists() else None
    with TileServer(
        picture, west=west, north=north, zoom=SCENE_ZOOM, image_format="JPEG", beside=real
    ) as server:
        yield server


@pytest.fixture(scope="session")
def storage() -> Iterator[Cluster]:
    """A cluster of which the database and the object store run."""
    # Not a folder of pytest's: the user postgres may not enter those.
    folder = Path(tempfile.mkdtemp(prefix="shipdet-cluster-"))
    folder.chmod(0o755)
    cluster = Cluster(folder, usual_ports=False)
    try:
        cluster.start_storage()
        yield cluster
    finally:
        cluster.stop()
        logs = os.environ.get("SHIPDET_TEST_LOGS")
        if logs:
            shutil.copytree(folder / "logs", logs, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def engines(storage: Cluster, tiles: TileServer) -> Cluster:
    """All engines but the stream and the app."""
    storage.extra = {
        **tiles.environ(),
        "SHIPDET_PROVIDER": "xyz",
        "SHIPDET_CACHE_DIR": str(storage.folder / "cache"),
        "SHIPDET_CLUSTER_LEASE_S": "8",
        "SHIPDET_CLUSTER_RETRY_S": "0.5",
        "SHIPDET_KAFKA_BATCH": "1000",
    }
    storage.start(stream=False, app=False)
    return storage


@pytest.fixture
def stream(engines: Cluster) -> Cluster:
    """The engines with the stream, which is left running: it takes long to start."""
    if "stream" not in engines.processes.running():
        engines.start_stream()
    return engines


def settings_of(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A cluster's settings, in this process as in the stream's."""
    for name, value in cluster.env.items():
        if name.startswith("SHIPDET_"):
            monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture
def settings(engines: Cluster, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of all engines."""
    return settings_of(engines, monkeypatch)


@pytest.fixture
def storage_settings(storage: Cluster, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the database and the object store, which start in a few seconds."""
    return settings_of(storage, monkeypatch)


@pytest.fixture
def store(settings: Settings) -> Iterator["Store"]:
    """The job store that the stream uses."""
    from shipdet.cluster import submit

    opened = submit.open_store(settings)
    yield opened
    opened.database.close()


@pytest.fixture(scope="session")
def spare_database(storage: Cluster) -> str:
    """The address of a database beside the stream's, with the tables."""
    import psycopg

    from shipdet.cluster.engines.database import Database
    from shipdet.cluster.store.migrations import migrate

    server, _, _ = storage.env["SHIPDET_POSTGRES"].rpartition("/")
    with psycopg.connect(storage.env["SHIPDET_POSTGRES"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE spare")
    migrate(Database(f"{server}/spare"))
    return f"{server}/spare"


@pytest.fixture
def empty_store(spare_database: str, storage_settings: Settings) -> Iterator["Store"]:
    """A job store of the test's own, without any job."""
    from shipdet.cluster.engines.database import Database
    from shipdet.cluster.store.job_store import Store

    opened = Store(Database(spare_database, patience_s=2.0))
    opened.database.run(
        lambda c: c.execute("TRUNCATE jobs, dead_letters, objects, counters CASCADE")
    )
    yield opened
    opened.database.close()


@pytest.fixture(scope="session")
def served(engines: Cluster) -> str:
    """The address of the app, as a process of its own, as people run it."""
    engines.start_python("app", "-m", "shipdet", "serve")
    engines.processes.wait_for_port("app", engines.ports["app"], patience_s=900)
    return f"http://127.0.0.1:{engines.ports['app']}"


@pytest.fixture
def client(served: str, monkeypatch: pytest.MonkeyPatch) -> "Client":
    """A client of the app's API."""
    from gradio_client import Client

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    kwargs = {"timeout": 120.0}  # on a busy machine an answer takes long
    return Client(served, verbose=False, analytics_enabled=False, httpx_kwargs=kwargs)
