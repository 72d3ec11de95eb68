"""Routes of map tiles: the sample, and providers that a browser cannot request directly."""

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from shipdet.errors import BadZoom, NoImagery, ShipdetError
from shipdet.geometry import BBox
from shipdet.imagery import Provider, catalog, sample
from shipdet.imagery.map_tiles import map_tile
from shipdet.settings import Settings

if TYPE_CHECKING:
    from shipdet.imagery.stac import Acquisition

DAY_S = 86_400


def tile_routes(settings: Settings) -> list[BaseRoute]:
    """Return the routes below ``/tiles``; an error is one sentence for the map to show.

    A missing tile is an empty response, which browsers do not report as an error.
    """
    slots = asyncio.Semaphore(settings.connections_per_host)

    def sample_tile(request: Request) -> Response:
        where = request.path_params
        png = sample.tile(where["z"], where["x"], where["y"])
        headers = {"Cache-Control": f"public, max-age={DAY_S}"}
        if png is None:
            return Response(status_code=204, headers=headers)
        return Response(png, media_type="image/png", headers=headers)

    async def provider_tile(request: Request) -> Response:
        where = request.path_params
        provider = catalog(settings).get(where["provider"])
        if provider is None or provider.base_layer:
            return PlainTextResponse("This server has no such tiles.", 404)
        zoom, x, y = where["z"], where["x"], where["y"]
        try:
            async with slots:
                chosen = await asyncio.to_thread(_acquisition, provider, request, settings)
                png = await map_tile(provider, zoom, x, y, settings, chosen)
        except ShipdetError as error:
            missing = isinstance(error, NoImagery | BadZoom)
            return Response(status_code=204) if missing else PlainTextResponse(str(error), 502)
        headers = {"Cache-Control": f"private, max-age={DAY_S}"}
        return Response(png, media_type="image/png", headers=headers)

    path = "/{z:int}/{x:int}/{y:int}.png"
    return [
        Route(f"/tiles/sample{path}", sample_tile),
        Route(f"/tiles/{{provider}}{path}", provider_tile),
    ]


def _acquisition(provider: Provider, request: Request, settings: Settings) -> "Acquisition | None":
    """Return the acquisition named in a tile's address, as for a request of the same area."""
    chosen, area = request.query_params.get("acquisition"), request.query_params.get("area")
    if provider.kind != "stac" or not chosen or not area:
        return None
    from shipdet.imagery.stac import choose_acquisition

    return choose_acquisition(BBox.parse(area), settings, acquisition=chosen[:200])
