"""Single tiles for the map of a browser."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from shipdet.errors import BadZoom, NoImagery, ProviderRefused, ProviderUnreachable
from shipdet.geometry import lonlat_to_pixel
from shipdet.imagery import get_provider
from shipdet.imagery.map_tiles import map_tile
from shipdet.imagery.stac import choose_acquisition
from shipdet.settings import Settings, get_settings
from shipdet.ui.tile_routes import tile_routes
from tests.helpers.stac_server import ITEMS, StacServer
from tests.helpers.tile_server import FORBIDDEN, SERVER_ERROR, TileServer


def settings_for(server: TileServer) -> Settings:
    return get_settings().model_copy(update={"xyz_url": server.url_template, "retries": 0})


def tile(settings: Settings, zoom: int, x: int, y: int, acquisition=None, provider="xyz") -> bytes:
    chosen = get_provider(provider, settings)
    return asyncio.run(map_tile(chosen, zoom, x, y, settings, acquisition))


def test_a_tile_of_own_tiles_is_the_server_s(isolated_settings):
    with TileServer() as server:
        settings = settings_for(server)
        png = tile(settings, server.zoom, server.x0 + 1, server.y0)
        shown = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        assert (shown == server.picture[:256, 256:512]).all()
        before = server.count
        tile(settings, server.zoom, server.x0 + 1, server.y0)
        assert server.count == before, "it comes from the cache"
        with pytest.raises(NoImagery):
            tile(settings, server.zoom, 0, 0)
        for zoom, x in ((40, 0), (3, 8), (3, -1)):
            with pytest.raises(BadZoom):
                tile(settings, zoom, x, 0)


def test_a_server_that_fails_is_reported(isolated_settings):
    with TileServer(always=SERVER_ERROR) as server:
        with pytest.raises(ProviderUnreachable, match="does not answer for this tile: HTTP 500"):
            tile(settings_for(server), server.zoom, server.x0, server.y0)


def test_a_server_that_denies_is_reported(isolated_settings):
    with TileServer(always=FORBIDDEN) as server:
        with pytest.raises(ProviderRefused, match="refused the download"):
            tile(settings_for(server), server.zoom, server.x0, server.y0)


def test_dated_tiles_are_those_of_an_acquisition(isolated_settings, tmp_path):
    with StacServer(tmp_path) as server:
        settings = get_settings().model_copy(update={"stac_url": server.url, "retries": 0})
        chosen = choose_acquisition(server.bbox, settings, acquisition=ITEMS[0].id)
        lon, lat = server.bbox.center
        x, y = (int(v) // 256 for v in lonlat_to_pixel([lon, lat], 14))
        png = tile(settings, 14, x, y, chosen, "sentinel2")
        assert np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).max() > 50
        with pytest.raises(NoImagery, match="needs an acquisition"):
            tile(settings, 14, x, y, None, "sentinel2")
        with pytest.raises(BadZoom, match="zoom in"):
            tile(settings, 4, 7, 6, chosen, "sentinel2")


def test_the_route_gives_no_secret_and_no_fault_for_gaps(isolated_settings):
    with TileServer(faults={(0, 0): SERVER_ERROR}) as server:
        settings = settings_for(server)
        client = TestClient(Starlette(routes=tile_routes(settings)))
        where = f"{server.zoom}/{server.x0}/{server.y0}"
        assert client.get(f"/tiles/xyz/{where}.png").content[:4] == b"\x89PNG"
        assert client.get(f"/tiles/xyz/{server.zoom}/1/1.png").status_code == 204
        failed = client.get(f"/tiles/xyz/{server.zoom}/0/0.png")
        assert failed.status_code == 502 and server.host not in failed.text
        for other in ("esri", "nothing"):
            assert client.get(f"/tiles/{other}/{where}.png").status_code == 404
        assert client.get("/tiles/sample/15/16320/16376.png").content[:4] == b"\x89PNG"
        assert client.get("/tiles/sample/15/0/0.png").status_code == 204
