"""Find ships in satellite imagery, in an area of the map or in an image.

>>> import shipdet
>>> run = shipdet.detect_area((-5.44, 36.12, -5.41, 36.14), provider="esri")
>>> [(ship.lon, ship.lat, ship.length_m) for ship in run.detections]
>>> run.save("ships.gpkg")
>>> shipdet.detect_image("harbor.png", gsd_m=3.0).to_pandas()

Invalid values raise :class:`ShipdetError` with one sentence that says what to do. Models and heavy
libraries are loaded on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from shipdet._version import __version__

_HOMES = {
    "BBox": "shipdet.geometry",
    "Detection": "shipdet.detections",
    "Detections": "shipdet.detections",
    "Estimate": "shipdet.pipeline",
    "Progress": "shipdet.progress",
    "Comparison": "shipdet.report",
    "Review": "shipdet.report",
    "Run": "shipdet.report",
    "RunInfo": "shipdet.pipeline",
    "compare": "shipdet.report",
    "delete_run": "shipdet.pipeline",
    "rename_run": "shipdet.pipeline",
    "runs": "shipdet.pipeline",
    "save_review": "shipdet.pipeline",
    "Search": "shipdet.requests",
    "ShipFilter": "shipdet.report",
    "Settings": "shipdet.settings",
    "ShipdetError": "shipdet.errors",
    "detect_area": "shipdet.pipeline",
    "detect_areas": "shipdet.pipeline",
    "detect_image": "shipdet.pipeline",
    "download_area": "shipdet.pipeline",
    "estimate_area": "shipdet.pipeline",
    "get_settings": "shipdet.settings",
    "models": "shipdet.pipeline",
    "open_run": "shipdet.pipeline",
    "refilter": "shipdet.pipeline",
    "write_bundle": "shipdet.report",
}

__all__ = [
    "BBox",
    "Comparison",
    "Detection",
    "Detections",
    "Estimate",
    "Progress",
    "Review",
    "Run",
    "RunInfo",
    "Search",
    "Settings",
    "ShipFilter",
    "ShipdetError",
    "__version__",
    "compare",
    "delete_run",
    "detect_area",
    "detect_areas",
    "detect_image",
    "download_area",
    "estimate_area",
    "get_settings",
    "models",
    "open_run",
    "refilter",
    "rename_run",
    "runs",
    "save_review",
    "write_bundle",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, which keeps ``import shipdet`` fast."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'shipdet' has no attribute '{name}'")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    """List the public names, including those not imported yet."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


if TYPE_CHECKING:
    from shipdet.detections import Detection, Detections
    from shipdet.errors import ShipdetError
    from shipdet.geometry import BBox
    from shipdet.pipeline import (
        Estimate,
        RunInfo,
        delete_run,
        detect_area,
        detect_areas,
        detect_image,
        download_area,
        estimate_area,
        models,
        open_run,
        refilter,
        rename_run,
        runs,
        save_review,
    )
    from shipdet.progress import Progress
    from shipdet.report import Comparison, Review, Run, ShipFilter, compare, write_bundle
    from shipdet.requests import Search
    from shipdet.settings import Settings, get_settings
