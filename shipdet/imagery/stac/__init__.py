"""Dated imagery from a STAC API: acquisitions to choose from, and tiles of the chosen one.

STAC (SpatioTemporal Asset Catalogs, https://stacspec.org) lists scenes with date, footprint and
cloud cover; their images are cloud-optimized GeoTIFFs, of which only the needed part is read.
"""

from shipdet.imagery.stac.acquisition import Acquisition, Scene
from shipdet.imagery.stac.search import (
    acquisition_for,
    acquisitions_for,
    choose_acquisition,
    search_acquisitions,
)
from shipdet.imagery.stac.source import StacSource, acquisition_digest

__all__ = [
    "Acquisition",
    "Scene",
    "StacSource",
    "acquisition_digest",
    "acquisition_for",
    "acquisitions_for",
    "choose_acquisition",
    "search_acquisitions",
]
