"""The whole way: area or picture in, run out. UI, API, CLI and cluster call this and only this.

Every long function is a generator of :class:`~shipdet.progress.Progress` that returns a
:class:`~shipdet.report.Run`; closing it cancels at the next block.
"""

from shipdet.detections import Detections
from shipdet.pipeline.estimating import Estimate, estimate
from shipdet.pipeline.listing import ModelInfo, backends, models
from shipdet.pipeline.runs import (
    detect_area,
    detect_image,
    download_area,
    open_run,
    refilter,
)
from shipdet.report import Run
from shipdet.requests import AreaRequest, ImageRequest, Search

__all__ = [
    "AreaRequest",
    "Detections",
    "Estimate",
    "ImageRequest",
    "ModelInfo",
    "Run",
    "Search",
    "backends",
    "detect_area",
    "detect_image",
    "download_area",
    "estimate",
    "models",
    "open_run",
    "refilter",
]
