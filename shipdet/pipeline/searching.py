"""A picture into a run folder: sharpened, searched, written."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shipdet import pace
from shipdet.detect import detect, with_views
from shipdet.models import Classifier, Upscaler, load_classifier, load_upscaler
from shipdet.mosaic import Mosaic, Picture
from shipdet.pipeline import device
from shipdet.pipeline.choosing import chosen_scoring, chosen_stride_px, chosen_views, detect_work
from shipdet.pipeline.sharpening import sharpen
from shipdet.progress import Progress, Steps
from shipdet.report import (
    Clock,
    imagery_record,
    write_imagery,
    write_large_imagery,
    write_results,
)
from shipdet.requests import Search
from shipdet.settings import Settings

FLOOR = 0.1  # lowest score kept as a candidate, so that a threshold can be lowered afterwards


@dataclass(frozen=True)
class _Models:
    """The networks of a run."""

    classifier: Classifier
    upscaler: Upscaler | None

    def record(self) -> dict[str, Any]:
        """Name, checksum and what really ran, for run.json."""
        used = {"classifier": self.classifier, "upscaler": self.upscaler}
        return {
            role: {
                "architecture": model.config.architecture,
                "sha256": model.config.shipdet.sha256,
                **asdict(model.backend),
            }
            for role, model in used.items()
            if model is not None
        }


def _load(search: Search, settings: Settings, public: bool) -> Steps[_Models]:
    yield Progress("load", 0, 1, "models")
    backend, place = search.backend or None, search.device or None
    classifier = load_classifier(search.model or None, backend, place, settings, public=public)
    upscaler = None
    if search.passes:
        upscaler = load_upscaler(search.upscaler or None, backend, place, settings, public=public)
    ran = classifier.backend
    note = f"{ran.name} on {ran.device}, {ran.precision}"
    yield Progress("load", 1, 1, "models", note)
    return _Models(classifier, upscaler)


def search_picture(
    raw: Picture,
    arrived: Callable[[], Steps[Picture]],
    search: Search,
    folder: Path,
    inputs: dict[str, Any],
    notes: tuple[str, ...],
    clock: Clock,
    settings: Settings,
    public: bool,
) -> Steps[None]:
    """Sharpen, search and write a picture into a folder.

    ``raw`` may still be arriving while it is searched; ``arrived`` gives it with its provenance.
    """
    raw_px = raw.grid.width * raw.grid.height
    yield from device.wait()
    with device.held():
        with clock.stage("load"):
            used = yield from _load(search, settings, public)
        config = used.classifier.config.shipdet
        scoring = chosen_scoring(search, used.classifier.config)
        stride_px = chosen_stride_px(search, used.classifier.config)
        views = chosen_views(search, used.classifier.config)
        scorer = with_views(used.classifier, views)
        threshold = config.threshold if search.threshold is None else search.threshold
        floor = min(FLOOR, threshold)
        sharpened = None
        if used.upscaler is not None:
            sharpened = yield from sharpen(
                raw, used.classifier, used.upscaler, search, floor, clock, settings
            )
        upscaled = sharpened.mosaic if sharpened else None
        with clock.stage("detect"):
            candidates = yield from detect(
                upscaled or raw,
                scorer,
                window_m=config.window_m,
                raw=raw if sharpened else None,
                raw_survey=sharpened.survey if sharpened else None,
                stride_px=stride_px,
                scoring=scoring,
                floor=floor,
            )
        kind, work = detect_work(raw_px, raw.grid.gsd_m, search, used.classifier.config)
        pace.learn(kind, work, clock.stages["detect"])
    raw = yield from arrived()
    with clock.stage("report"):
        files, covered = yield from write_pictures(folder, raw, upscaled, search)
        record = imagery_record(raw, covered, upscaled, inputs, notes, clock) | {
            "files": files,
            "models": used.record()
            | {
                "names": {
                    "classifier": search.model or settings.classifier,
                    "upscaler": (search.upscaler or settings.upscaler) if upscaled else None,
                }
            },
            "sharpened": sharpened.record() if sharpened else None,
            "scoring": scoring,
            "stride_px": stride_px,
            "views": views,
            "window_m": config.window_m,
        }
        yield from write_results(folder, record, candidates, threshold)


def write_pictures(
    folder: Path, raw: Picture, upscaled: Mosaic | None, search: Search
) -> Steps[tuple[dict[str, str], float]]:
    """File names by kind, and the share of the raw picture that has data."""
    if not isinstance(raw, Mosaic):
        return (yield from write_large_imagery(folder, raw, search.image_format, search.quality))
    files = yield from write_imagery(folder, raw, upscaled, search.image_format, search.quality)
    return files, float(np.mean(raw.coverage))
