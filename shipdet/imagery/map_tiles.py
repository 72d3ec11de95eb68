"""Single tiles for a map in a browser, of providers that a browser cannot access."""

import asyncio
from typing import TYPE_CHECKING

from shipdet.errors import BadZoom, NoImagery, ProviderRefused, ProviderUnreachable
from shipdet.imagery.providers import Provider, effective_provider
from shipdet.imagery.retry import RetryPolicy, refused
from shipdet.imagery.sources import Gap
from shipdet.imagery.tile_png import tile_png
from shipdet.imagery.tiles import tile_source
from shipdet.requests import ImageryOptions
from shipdet.settings import Settings

if TYPE_CHECKING:
    from shipdet.imagery.stac import Acquisition

#: At a lower zoom a tile of dated imagery would need dozens of scenes.
LEAST_DATED_ZOOM = 8


async def map_tile(
    provider: Provider,
    zoom: int,
    x: int,
    y: int,
    settings: Settings,
    acquisition: "Acquisition | None" = None,
) -> bytes:
    """Return a tile as PNG, from the cache or the provider.

    Args:
        provider: The provider; its fallback is used if it has no instance id.
        zoom: The zoom of the tile. Any integers are safe.
        x: Column, counted to the east.
        y: Row, counted to the south.
        settings: Secrets, limits and the cache.
        acquisition: The acquisition, for dated imagery.

    Raises:
        BadZoom: There is no such tile.
        NoImagery: The provider has no image there, or no acquisition is chosen.
        ProviderRefused: The provider does not allow the download.
        ProviderUnreachable: The provider does not answer.
    """
    used, _ = effective_provider(provider, settings)
    least = LEAST_DATED_ZOOM if used.kind == "stac" else used.min_zoom
    if used.kind == "stac" and acquisition is None:
        raise NoImagery(f"{used.title} needs an acquisition: choose one to show it.")
    if not least <= zoom <= used.max_zoom or not (0 <= x < 2**zoom and 0 <= y < 2**zoom):
        raise BadZoom(
            f"{used.title} is shown from zoom {least} to {used.max_zoom}: zoom "
            f"{'in' if zoom < least else 'out'}."
        )
    policy = RetryPolicy(retries=0)  # the browser requests the tile again when the map moves
    options = ImageryOptions()
    async with tile_source(zoom, acquisition, used, options, settings, policy) as source:
        tile = await source.tile(x, y)
    if isinstance(tile, Gap):
        if tile.denied:
            raise ProviderRefused(refused(used.title, 403, used.needs_instance))
        if tile.failed:
            raise ProviderUnreachable(f"{used.title} does not answer for this tile: {tile.reason}.")
        raise NoImagery(f"{used.title} has no image here.")
    return await asyncio.to_thread(tile_png, tile.pixels, tile.covered)
