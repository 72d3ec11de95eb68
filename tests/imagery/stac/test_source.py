"""Tiles of an acquisition, cut from cloud-optimized GeoTIFFs."""

import asyncio

import numpy as np
import pytest
import rasterio

from shipdet.errors import BadOption, NoImagery, ProviderRefused, ProviderUnreachable
from shipdet.geometry import TILE_PX, lonlat_to_pixel, pixel_box, tiles_of
from shipdet.imagery.cache import open_cache
from shipdet.imagery.retry import RetryPolicy
from shipdet.imagery.sources import Gap, Tile
from shipdet.imagery.stac import StacSource, choose_acquisition
from tests.helpers.stac_server import ITEMS, StacServer, ground
from tests.imagery.stac.conftest import settings_for

ZOOM = 14


def tiles(server, area, *, item=ITEMS[0], zoom=ZOOM, retries=0, **changes):
    """All tiles of an area by (x, y)."""
    settings = settings_for(server, **changes)
    chosen = choose_acquisition(area, settings, acquisition=item.id)

    async def main():
        cache = open_cache(settings, "sentinel2", "test")
        policy = RetryPolicy(retries, base_s=0.01)
        async with StacSource(chosen, zoom, settings, cache, policy) as source:
            wanted = tiles_of(pixel_box(area, zoom))
            found = await asyncio.gather(*(source.tile(x, y) for x, y in wanted))
            return dict(zip(wanted, found, strict=True))

    return asyncio.run(main())


def pixel_at(found, lon, lat, zoom=ZOOM):
    x, y = lonlat_to_pixel([lon, lat], zoom).astype(int).tolist()
    tile = found[x // TILE_PX, y // TILE_PX]
    assert isinstance(tile, Tile)
    return tile.pixels[y % TILE_PX, x % TILE_PX], tile.covered[y % TILE_PX, x % TILE_PX]


def test_tiles_show_what_lies_there(server):
    found = tiles(server, server.bbox)
    spot = server.bbox_of(60, 140, 61, 141)
    pixel, covered = pixel_at(found, *spot.center)
    assert covered
    assert pixel == pytest.approx(ground()[:, 140, 60], abs=3)


def test_only_parts_of_the_pictures_are_fetched(pictures):
    with StacServer(pictures) as server:
        tiles(server, server.bbox_of(20, 20, 40, 40), connections_per_host=1)
        assert server.ranges
        assert f"/data/{ITEMS[0].id}.tif" in server.requests
        assert f"/data/{ITEMS[1].id}.tif" not in server.requests


def test_a_low_zoom_reads_an_overview(pictures):
    with StacServer(pictures) as server:
        whole = server.bbox_of(0, 0, 600, 600)
        size = (pictures / f"{ITEMS[2].id}.tif").stat().st_size
        found = tiles(server, whole, item=ITEMS[2], zoom=11, connections_per_host=1)
        assert any(isinstance(tile, Tile) for tile in found.values())
        assert server.sent_bytes < size


def test_no_seam_shows_between_tiles_of_a_pass(server):
    area = server.bbox_of(420, 150, 680, 250)
    found = tiles(server, area)
    picture = ground()
    for column in range(440, 660, 10):
        spot = server.bbox_of(column, 200, column + 1, 201)
        pixel, covered = pixel_at(found, *spot.center)
        assert covered
        assert pixel == pytest.approx(picture[:, 200, column], abs=4)


def test_what_a_scene_does_not_cover_is_no_data(server):
    found = tiles(server, server.bbox_of(0, 100, 400, 500), item=ITEMS[3])
    covered = np.mean([t.covered.mean() if isinstance(t, Tile) else 0.0 for t in found.values()])
    assert 0.05 < covered < 0.4
    assert any(isinstance(tile, Gap) for tile in found.values())


def test_tiles_come_from_the_cache_the_second_time(server):
    first = tiles(server, server.bbox)
    asked = len(server.ranges)
    again = tiles(server, server.bbox)
    assert len(server.ranges) == asked
    for place, tile in again.items():
        assert tile.cached
        assert np.array_equal(tile.pixels, first[place].pixels)


@pytest.mark.parametrize(
    ("fault", "says", "error"),
    [
        (403, r"refused the image of scene S2A\S+ \(HTTP 403\)", ProviderRefused),
        (404, "is no longer at", NoImagery),
        (503, r"cannot be downloaded from .* \(HTTP 503\)", ProviderUnreachable),
        ("html", "a web page instead of the image", ProviderUnreachable),
        ("text", "not a GeoTIFF", ProviderUnreachable),
        ("whole", "does not serve parts of files", ProviderUnreachable),
        ("slow", "no answer in time", ProviderUnreachable),
    ],
)
def test_a_failing_picture_gets_one_sentence(pictures, fault, says, error):
    path = f"/data/{ITEMS[0].id}.tif"
    with StacServer(pictures, faults={path: fault}) as server:
        with pytest.raises(error, match=says):
            tiles(server, server.bbox, timeout_s=1.0 if fault == "slow" else 20.0)


def test_an_image_of_16_bits_is_refused(tmp_path):
    with StacServer(tmp_path) as server:
        file = tmp_path / f"{ITEMS[0].id}.tif"
        with rasterio.open(file) as scene:
            profile, values = scene.profile | {"dtype": "uint16"}, scene.read()
        with rasterio.open(file, "w", **profile) as scene:
            scene.write(values.astype(np.uint16) + 1000)
        with pytest.raises(BadOption, match=r"type uint16: set SHIPDET_STAC_ASSET"):
            tiles(server, server.bbox_of(300, 300, 310, 310))


def test_a_server_that_fails_on_the_way_leaves_gaps(tmp_path):
    with StacServer(tmp_path) as server:
        file = tmp_path / f"{ITEMS[0].id}.tif"
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 8])  # the header is there, the pixels are not
        found = tiles(server, server.bbox_of(300, 300, 500, 500))
    assert any(isinstance(tile, Gap) and tile.failed for tile in found.values())
