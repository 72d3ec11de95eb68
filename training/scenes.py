"""Scenes as the project's own detector sees them: one way of scoring for training and for use."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from shipdet.detect import detect, with_views
from shipdet.detect.scoring import Scoring, WindowScorer
from shipdet.detections import Detections
from shipdet.geometry import Grid
from shipdet.models import load_upscaler
from shipdet.models.config import Views
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from shipdet.upscale import upscale
from training.datasets import Scene
from training.metrics import Outcome, match
from training.windows import WINDOW_M

UPSCALER = "realesr-general-x4v3"
NO_DATA = 250
"""Planet's scenes are filled with white where there is no data."""


def as_mosaic(scene: Scene, coarser: float = 1.0) -> Mosaic:
    """A scene as a mosaic without a georeference, reduced by `coarser`; white corners uncovered."""
    if scene.gsd_m is None:
        raise ValueError(f"{scene.name} has no known scale")
    picture = scene.read()
    if coarser > 1.0:
        scale = 1 / coarser
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    white = cv2.erode((picture.min(axis=2) >= NO_DATA).astype(np.uint8), np.ones((25, 25)))
    coverage = cv2.dilate(white, np.ones((27, 27))) == 0
    height, width = picture.shape[:2]
    gsd = scene.gsd_m * coarser
    grid = Grid(width, height, gsd, gsd)
    return Mosaic(picture, grid, coverage, Provenance("image", scene.name))


@dataclass(frozen=True)
class Search:
    """How a scene is searched.

    Attributes:
        scoring, stride_px: see shipdet.detect.
        views: how many views of each place are averaged.
        coarser: the scene is reduced by this factor first.
        sharpen: a x4 copy is searched.
        floor: lowest score that is kept; the app's.
    """

    scoring: Scoring = "dense"
    stride_px: int = 0
    views: Views = 1
    coarser: float = 1.0
    sharpen: bool = False
    floor: float = 0.1

    def run(self, scene: Scene, classifier: WindowScorer) -> Detections:
        """Detections in pixels of the (reduced) scene."""
        mosaic = as_mosaic(scene, self.coarser)
        searched = mosaic
        if self.sharpen:
            searched = finish(upscale(mosaic, load_upscaler(UPSCALER)))
        return finish(
            detect(
                searched,
                with_views(classifier, self.views),
                window_m=WINDOW_M,
                raw=mosaic if self.sharpen else None,
                stride_px=self.stride_px,
                scoring=self.scoring,
                floor=self.floor,
            )
        )


def judge(scene: Scene, found: Detections, coarser: float = 1.0) -> Outcome:
    """Match detections on a (reduced) scene with its labels."""
    if scene.gsd_m is None:
        raise ValueError(f"{scene.name} has no known scale")
    height, width = scene.read().shape[:2]
    return match(
        found.centers * coarser,
        np.array([d.score for d in found]),
        np.array([d.length_m for d in found]),
        scene.ships,
        scene.unknown_mask(height, width),
        scene.gsd_m,
        scene.sea_mask(height, width),
    )
