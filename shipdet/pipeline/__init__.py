"""The complete pipeline, from an area or image to a run, for UI, API, CLI and cluster.

``iter_area``, ``iter_image`` and ``iter_download`` are generators of
:class:`~shipdet.progress.Progress` that return a :class:`~shipdet.report.Run`; closing one cancels
it at the next event. ``detect_area``, ``detect_image`` and ``download_area``, the functions of
``import shipdet``, run them to the end and return the run.
"""

from shipdet.pipeline.ais_matching import ais_of_area, ais_of_image, match_ais
from shipdet.pipeline.area_list import areas_of, requests_for
from shipdet.pipeline.batch import Batch, find_images, iter_images
from shipdet.pipeline.calling import (
    detect_area,
    detect_areas,
    detect_image,
    download_area,
    estimate_area,
)
from shipdet.pipeline.choosing import default_zoom
from shipdet.pipeline.estimating import Estimate, estimate, estimate_together
from shipdet.pipeline.history import RunInfo, delete_run, find_run, rename_run, runs
from shipdet.pipeline.inspecting import ImageFacts, inspect_image
from shipdet.pipeline.listing import ModelInfo, backends, models
from shipdet.pipeline.running import (
    change_review,
    iter_area,
    iter_download,
    iter_image,
    open_run,
    refilter,
    save_review,
)
from shipdet.report import Comparison, Review, Run, ShipFilter, compare, write_bundle

__all__ = [
    "Batch",
    "Comparison",
    "Estimate",
    "ImageFacts",
    "ModelInfo",
    "Review",
    "Run",
    "RunInfo",
    "ShipFilter",
    "ais_of_area",
    "ais_of_image",
    "areas_of",
    "backends",
    "change_review",
    "compare",
    "default_zoom",
    "delete_run",
    "detect_area",
    "detect_areas",
    "detect_image",
    "download_area",
    "estimate",
    "estimate_area",
    "estimate_together",
    "find_images",
    "find_run",
    "inspect_image",
    "iter_area",
    "iter_download",
    "iter_image",
    "iter_images",
    "match_ais",
    "models",
    "open_run",
    "refilter",
    "rename_run",
    "requests_for",
    "runs",
    "save_review",
    "write_bundle",
]
