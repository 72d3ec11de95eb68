"""Download the imagery of an area, or read a user's image."""

from shipdet.imagery import sample
from shipdet.imagery.picture import open_raster
from shipdet.imagery.providers import Provider, catalog, get_provider
from shipdet.imagery.tile_plan import Plan, plan, recommended_zoom
from shipdet.imagery.tiles import Arrival, arriving, download

__all__ = [
    "Arrival",
    "Plan",
    "Provider",
    "arriving",
    "catalog",
    "download",
    "get_provider",
    "open_raster",
    "plan",
    "recommended_zoom",
    "sample",
]
