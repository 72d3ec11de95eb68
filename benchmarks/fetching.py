"""Speed of fetching tiles from a slow server over parallel connections, and from the cache."""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.timing import Effort, seconds
from shipdet.geometry import TILE_PX
from shipdet.imagery import download, get_provider
from shipdet.mosaic import Mosaic
from shipdet.progress import finish
from shipdet.settings import Settings
from tests.helpers.tile_server import TileServer, generated_picture

LATENCY_S = 0.05
CONNECTIONS = 4


def fetch_parallel(effort: Effort) -> dict[str, float]:
    """Return the ``speed`` of four connections over one, and the ``requests`` of a cached run."""
    side = effort.tiles
    with (
        TileServer(generated_picture(side, side), delay_s=LATENCY_S, image_format="JPEG") as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        taken = {}
        for connections in (1, CONNECTIONS):
            settings = Settings(
                xyz_url=server.url_template,
                cache_dir=Path(folder, str(connections)),
                connections_per_host=connections,
            )
            taken[connections] = seconds(partial(_fetched, server, settings))
        before = server.count
        assert before == 2 * side * side
        mosaic = _fetched(server, settings)
        assert mosaic.coverage.shape == (side * TILE_PX, side * TILE_PX)
        again = server.count - before
    return {"speed": taken[1] / taken[CONNECTIONS], "requests": again}


def _fetched(server: TileServer, settings: Settings) -> Mosaic:
    provider = get_provider("xyz", settings)
    return finish(download(server.bbox, server.zoom, provider, None, settings))
