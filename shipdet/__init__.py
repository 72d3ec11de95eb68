"""Find ships in satellite imagery: an area of interest in, every ship in it out.

>>> from shipdet import AreaRequest, Search, detect_area, finish
>>> run = finish(detect_area(AreaRequest(bbox=(-5.44, 36.12, -5.41, 36.14), provider="esri")))
>>> [(ship.lon, ship.lat, ship.length_m) for ship in run.detections]
"""

import importlib
from typing import TYPE_CHECKING, Any

from shipdet._version import __version__

_HOMES = {
    "AreaRequest": "shipdet.requests",
    "BBox": "shipdet.geometry",
    "Detection": "shipdet.detections",
    "Detections": "shipdet.detections",
    "ImageRequest": "shipdet.requests",
    "Progress": "shipdet.progress",
    "Search": "shipdet.requests",
    "ShipdetError": "shipdet.errors",
    "detect_area": "shipdet.pipeline",
    "detect_image": "shipdet.pipeline",
    "download_area": "shipdet.pipeline",
    "estimate": "shipdet.pipeline",
    "finish": "shipdet.progress",
    "get_settings": "shipdet.settings",
    "refilter": "shipdet.pipeline",
}

__all__ = [
    "AreaRequest",
    "BBox",
    "Detection",
    "Detections",
    "ImageRequest",
    "Progress",
    "Search",
    "ShipdetError",
    "__version__",
    "detect_area",
    "detect_image",
    "download_area",
    "estimate",
    "finish",
    "get_settings",
    "refilter",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import shipdet`` takes no time."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'shipdet' has no attribute '{name}'")
    return getattr(importlib.import_module(home), name)


if TYPE_CHECKING:
    from shipdet.detections import Detection, Detections
    from shipdet.errors import ShipdetError
    from shipdet.geometry import BBox
    from shipdet.pipeline import detect_area, detect_image, download_area, estimate, refilter
    from shipdet.progress import Progress, finish
    from shipdet.requests import AreaRequest, ImageRequest, Search
    from shipdet.settings import get_settings
