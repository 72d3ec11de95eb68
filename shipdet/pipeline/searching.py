"""Enlarge and search an image, and write the results to a run folder."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shipdet import pace
from shipdet.areas import Area
from shipdet.detect import detect
from shipdet.detections import Detection
from shipdet.models import Classifier, Upscaler, load_classifier, load_upscaler
from shipdet.mosaic import Mosaic, Picture
from shipdet.pipeline import device
from shipdet.pipeline.choosing import SearchPlan
from shipdet.pipeline.enlarging import enlarge
from shipdet.progress import Progress, Steps, mapped
from shipdet.report import (
    Clock,
    imagery_record,
    write_imagery,
    write_large_imagery,
    write_map,
    write_results,
)
from shipdet.requests import Search


@dataclass(frozen=True)
class Destination:
    """Where to write a run, and the parts of its record that only the caller knows.

    Attributes:
        folder: The folder to write into.
        inputs: The request, for run.json.
        notes: Sentences for the reader of the results.
        clock: Measures the seconds per stage.
        area: Ships outside it are not reported; None reports all.
    """

    folder: Path
    inputs: dict[str, Any]
    notes: tuple[str, ...]
    clock: Clock
    area: Area | None = None


@dataclass(frozen=True)
class _Models:
    """The networks of a run."""

    classifier: Classifier
    upscaler: Upscaler | None

    def record(self, how: SearchPlan) -> dict[str, Any]:
        """Return architecture, checksum and backend of each model, for run.json."""
        used = {"classifier": self.classifier, "upscaler": self.upscaler}
        facts: dict[str, Any] = {
            role: {
                "architecture": model.config.architecture,
                "sha256": model.config.shipdet.sha256,
                **asdict(model.backend),
            }
            for role, model in used.items()
            if model is not None
        }
        upscaler = how.upscaler_name if self.upscaler is not None else None
        return facts | {"names": {"classifier": how.classifier_name, "upscaler": upscaler}}


def _load(how: SearchPlan) -> Steps[_Models]:
    yield Progress("load", 0, 0)
    search, settings = how.search, how.settings
    where = search.backend or None, search.device or None, settings
    precision, public = search.precision or None, how.untrusted
    classifier = load_classifier(how.classifier_name, *where, precision=precision, public=public)
    upscaler = None
    if search.passes:
        upscaler = load_upscaler(how.upscaler_name, *where, precision=precision, public=public)
    ran = classifier.backend
    note = f"{ran.name} on {ran.device}, {ran.precision}"
    yield Progress("load", 1, 1, note=note)
    return _Models(classifier, upscaler)


def search_picture(
    raw: Picture, arrived: Callable[[], Steps[Picture]], how: SearchPlan, into: Destination
) -> Steps[None]:
    """Enlarge, search and write an image.

    Args:
        raw: The image, which may still be downloading.
        arrived: Waits for the complete image and returns it with its provenance.
        how: How to search it.
        into: Where to write.

    Raises:
        ShipdetError: A model cannot be loaded, or memory or disk space is too small.
    """
    clock = into.clock
    yield from device.wait()
    with device.held():
        with clock.stage("load"):
            used = yield from _load(how)
        enlarged = None
        if used.upscaler is not None:
            enlarged = yield from enlarge(raw, used.classifier, used.upscaler, how, clock)
        upscaled = enlarged.mosaic if enlarged else None
        with clock.stage("detect"):
            waiting = pace.Waiting()
            steps = detect(
                upscaled or raw,
                used.classifier,
                raw=raw if enlarged else None,
                raw_survey=enlarged.survey if enlarged else None,
                floor=how.min_score,
                counts=partial(_counts, how=how, area=into.area),
            )
            found = yield from mapped(steps, waiting)
        kind, work = how.work(raw.grid.width * raw.grid.height, raw.grid.gsd_m)
        if enlarged and enlarged.survey is None and len(found.survey.candidates):
            work *= 2  # the raw image was searched, too
        pace.learn(kind, work, clock.stages["detect"] - waiting.seconds)
    ships = found.detections
    if into.area is not None:
        inside = _inside(ships.items, into.area)
        ships = replace(ships, items=tuple(compress(ships.items, inside)))
    raw = yield from arrived()
    with clock.stage("report"):
        files, covered = yield from write_pictures(into.folder, raw, upscaled, how.search)
        if how.search.map:
            surveyed = found.survey
            files |= write_map(into.folder, surveyed.layers, surveyed.cells, raw.grid)
        record = imagery_record(raw, covered, upscaled, into.inputs, into.notes, clock) | {
            "files": files,
            "models": used.record(how),
            "super_resolution": enlarged.record() if enlarged else None,
            "network_gsd_m": found.survey.view.net_gsd_m,
            "min_length_m": how.search.min_length_m,
        }
        yield from write_results(into.folder, record, ships, how.threshold)


def _counts(ship: Detection, how: SearchPlan, area: Area | None) -> bool:
    """Whether a ship found during the search counts."""
    if ship.score < how.threshold or ship.length_m < how.search.min_length_m:
        return False
    return area is None or bool(_inside([ship], area)[0])


def _inside(ships: Sequence[Detection], area: Area) -> npt.NDArray[np.bool_]:
    """Return which ships lie in an area, bool (n,)."""
    return area.contains(np.array([(s.lon, s.lat) for s in ships], np.float64).reshape(-1, 2))


def write_pictures(
    folder: Path, raw: Picture, upscaled: Mosaic | None, search: Search
) -> Steps[tuple[dict[str, str], float]]:
    """Write the images; return file names by kind, and the share of ``raw`` that has data."""
    if not isinstance(raw, Mosaic):
        return (yield from write_large_imagery(folder, raw))
    files = yield from write_imagery(folder, raw, upscaled, search.image_format, search.quality)
    return files, float(np.mean(raw.coverage))
