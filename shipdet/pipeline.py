"""The whole way: area or picture in, run out. UI, API, CLI and cluster call this and only this.

Every long function is a generator of :class:`~shipdet.progress.Progress` that returns a
:class:`~shipdet.report.Run`; closing it cancels at the next block.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shipdet import pace
from shipdet.detect import Scoring, detect, scoring_for
from shipdet.detections import Detections
from shipdet.errors import AreaTooLarge, BadModel, ScaleTooCoarse
from shipdet.geometry import BBox, gsd_at
from shipdet.imagery import (
    Arrival,
    ImageryOptions,
    Plan,
    Provider,
    arriving,
    get_provider,
    open_picture,
    plan,
    recommended_zoom,
)
from shipdet.models import (
    BackendState,
    Classifier,
    ClassifierConfig,
    Upscaler,
    available_backends,
    list_models,
    load_classifier,
    load_upscaler,
    resolve,
    resolve_public,
)
from shipdet.mosaic import Mosaic, Picture
from shipdet.progress import Progress, Steps
from shipdet.report import (
    Clock,
    Run,
    check_name,
    imagery_record,
    new_folder,
    prune,
    read_run,
    storage_errors,
    write_download,
    write_imagery,
    write_large_imagery,
    write_results,
)
from shipdet.requests import AreaRequest, ImageRequest, Search
from shipdet.settings import Settings, get_settings
from shipdet.upscale import upscale

FLOOR = 0.1  # lowest score kept as a candidate, so that a threshold can be lowered afterwards
NATIVE_GSD_MAX_M = 12.0  # coarser imagery shows no ship, however much it is enlarged
SCALE = 4  # of one super-resolution pass

_device = threading.Lock()


@dataclass(frozen=True)
class Estimate:
    """What a run will take. ``searched_*`` are of the picture after super-resolution."""

    zoom: int
    tiles: int
    width_px: int
    height_px: int
    gsd_m: float
    searched_gsd_m: float
    searched_px: int
    download_mb: float
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelInfo:
    """One model that can be chosen; ``threshold`` is a classifier's own."""

    name: str
    task: str
    title: str
    parameters: int
    bundled: bool
    threshold: float | None = None


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


def models(settings: Settings | None = None) -> list[ModelInfo]:
    """The models that are ready to run on this machine."""
    settings = settings or get_settings()
    found = []
    for model in list_models(settings):
        count = _parameters(model.weights)
        found.append(
            ModelInfo(
                model.name,
                model.task,
                f"{model.name} ({count / 1e6:.1f} M)",
                count,
                model.path.parent == settings.weights_dir,
                model.config.shipdet.threshold
                if isinstance(model.config, ClassifierConfig)
                else None,
            )
        )
    # The configured ones first: they are what a list should offer before all others.
    preferred = (settings.classifier, settings.upscaler)
    return sorted(found, key=lambda m: (m.name not in preferred, m.name))


def backends() -> list[BackendState]:
    """Both backends, whether they can run here and why not."""
    return available_backends()


def open_run(folder: Path) -> Run:
    """A finished run from its folder."""
    return read_run(folder)


def refilter(run: Run, threshold: float) -> Run:
    """The run with another threshold; its files are rewritten, nothing is computed again."""
    threshold = Search.check(threshold=threshold).threshold or run.threshold
    with storage_errors(run.folder):
        return write_results(run.folder, run.record, run.candidates, threshold)


def estimate(request: AreaRequest, settings: Settings | None = None) -> Estimate:
    """What a search would take; fetches and loads nothing.

    Raises the errors that the run itself would raise for the same request before its first tile.
    """
    settings = settings or get_settings()
    provider, zoom, planned, notes = _planned(request, settings)
    search = request.search
    classifier = _classifier_config(search, settings)
    _check_scale(planned.gsd_m, provider, request.box, search, classifier.shipdet.gsd_max_m)
    factor = SCALE**search.passes
    upscaler = search.upscaler or settings.upscaler
    kind, amount = _detect_work(planned.raw_px, planned.gsd_m, search, classifier)
    work = pace.seconds(kind, amount)
    for number in range(search.passes):
        work += pace.seconds(f"upscale:{upscaler}", planned.raw_px * SCALE ** (2 * number))
    # Tiles arrive while the first ones are searched already: the slower of the two counts.
    work = max(pace.seconds("fetch", planned.tiles), work)
    work += pace.seconds("report", planned.searched_px) + 2.0
    return Estimate(
        zoom,
        planned.tiles,
        planned.width_px,
        planned.height_px,
        planned.gsd_m,
        planned.gsd_m / factor,
        planned.searched_px,
        planned.download_mb,
        work,
        (*notes, *_stride_notes(search, classifier)),
    )


def detect_area(
    request: AreaRequest,
    *,
    out: Path | None = None,
    settings: Settings | None = None,
    public: bool = False,
) -> Steps[Run]:
    """Search an area of the map: download, sharpen, search, measure, write.

    The search begins with the first rows of tiles, while the others are on their way.

    ``out`` is the folder to write (None: a new one under the runs folder). ``public`` says that
    the request comes from a web visitor, who may choose models from the list only.
    """
    settings = settings or get_settings()
    clock = Clock()
    search = request.search
    check_name(search.name)
    provider, zoom, planned, notes = _planned(request, settings)
    classifier = _classifier_config(search, settings, public)
    _check_scale(planned.gsd_m, provider, request.box, search, classifier.shipdet.gsd_max_m)
    notes = (*notes, *_stride_notes(search, classifier))
    inputs = {**request.model_dump(mode="json"), "zoom": zoom, "provider": provider.id}
    with (
        new_folder(out, search.name, settings) as (folder, final),
        _arriving(request, zoom, provider, settings, folder) as arrival,
    ):
        yield from arrival.begin()

        def arrived() -> Steps[Picture]:
            picture = yield from arrival.finish()
            clock.stages["fetch"] = arrival.seconds
            pace.learn("fetch", picture.provenance.fetched, arrival.seconds)
            return picture

        picture = arrival.picture
        yield from _search(picture, arrived, search, folder, inputs, notes, clock, settings, public)
    prune(settings, final)
    return read_run(final)


def detect_image(
    path: Path,
    request: ImageRequest,
    *,
    out: Path | None = None,
    settings: Settings | None = None,
    public: bool = False,
) -> Steps[Run]:
    """Search a picture of one's own; arguments as :func:`detect_area`."""
    settings = settings or get_settings()
    clock = Clock()
    search = request.search
    check_name(search.name)
    gsd_max_m = _classifier_config(search, settings, public).shipdet.gsd_max_m
    yield Progress("fetch", 0, 1, "pictures", "reading the picture")
    raw = open_picture(path, request.gsd_m, settings)
    _check_scale(raw.grid.gsd_m, None, None, search, gsd_max_m)
    searched_px = raw.grid.width * raw.grid.height * SCALE ** (2 * search.passes)
    if search.passes and searched_px > settings.max_searched_pixels:
        raise AreaTooLarge(
            f"{searched_px / 1e6:,.0f} million pixels after sharpening are more than the limit of "
            f"{settings.max_searched_pixels / 1e6:,.0f}: sharpen less, or cut the picture."
        )
    inputs = {**request.model_dump(mode="json"), "image": path.name}
    with new_folder(out, search.name, settings) as (folder, final):

        def arrived() -> Steps[Picture]:
            yield from ()
            return raw

        yield from _search(raw, arrived, search, folder, inputs, (), clock, settings, public)
    prune(settings, final)
    return read_run(final)


def download_area(
    request: AreaRequest, *, out: Path | None = None, settings: Settings | None = None
) -> Steps[Run]:
    """Download an area's imagery without searching it; arguments as :func:`detect_area`."""
    settings = settings or get_settings()
    clock = Clock()
    check_name(request.search.name)
    provider, zoom, _, notes = _planned(request, settings)
    inputs = {**request.model_dump(mode="json"), "zoom": zoom, "provider": provider.id}
    with (
        new_folder(out, request.search.name, settings) as (folder, final),
        _arriving(request, zoom, provider, settings, folder) as arrival,
    ):
        with clock.stage("fetch"):
            raw = yield from arrival.finish()
        yield Progress("report", 0, 1, "files")
        files, covered = _write_pictures(folder, raw, None, request.search)
        record = imagery_record(raw, covered, None, inputs, notes, clock)
        write_download(folder, {**record, "files": files})
        yield Progress("report", 1, 1, "files")
    prune(settings, final)
    return read_run(final)


def _planned(
    request: AreaRequest, settings: Settings
) -> tuple[Provider, int, Plan, tuple[str, ...]]:
    """Provider, zoom, plan and notes of a request, refused here when it cannot be done."""
    box, passes = request.box, request.search.passes
    provider = get_provider(request.provider or settings.provider, settings)
    _imagery_options(request)
    zoom = request.zoom
    if zoom is None:
        zoom, _ = recommended_zoom(provider, box.center[1], passes)
    planned = plan(box, zoom, provider, passes, settings)
    return provider, zoom, planned, planned.notes


def _imagery_options(request: AreaRequest) -> ImageryOptions:
    return ImageryOptions.parse(request.date_from, request.date_to, request.max_cloud, None)


def _arriving(
    request: AreaRequest, zoom: int, provider: Provider, settings: Settings, folder: Path
) -> AbstractContextManager[Arrival]:
    """The download of a request, behind whatever is done with its picture."""
    options = _imagery_options(request)
    # What is sharpened must be held: the sharpened picture is larger than it in any case.
    where = None if request.search.passes else folder
    return arriving(request.box, zoom, provider, options, settings, folder=where)


def _classifier_config(
    search: Search, settings: Settings, public: bool = False
) -> ClassifierConfig:
    """The chosen classifier's config; loads no network."""
    find = resolve_public if public else resolve
    folder = find(search.model or settings.classifier, settings)
    if not isinstance(folder.config, ClassifierConfig):
        raise BadModel(f"{folder.name} is a model for {folder.task}, not a ship classifier.")
    return folder.config


def _stride_px(search: Search, classifier: ClassifierConfig) -> int:
    """As asked, else one cell."""
    return search.stride or classifier.cell_px


def _scoring(search: Search, classifier: ClassifierConfig) -> Scoring:
    """As asked, else as the model was trained; a stride that divides no cell means exact."""
    wanted = search.scoring or classifier.shipdet.scoring
    return scoring_for(_stride_px(search, classifier), classifier.cell_px, wanted)


def _stride_notes(search: Search, classifier: ClassifierConfig) -> tuple[str, ...]:
    """What to tell when a stride forbids the dense scoring that was wanted."""
    wanted = search.scoring or classifier.shipdet.scoring
    if wanted == _scoring(search, classifier):
        return ()
    return (
        f"A stride of {search.stride} does not divide {classifier.cell_px}, so windows are scored "
        "one by one.",
    )


def _detect_work(
    raw_px: int, gsd_m: float, search: Search, classifier: ClassifierConfig
) -> tuple[str, float]:
    """Kind and amount of the search's work, for :mod:`shipdet.pace`."""
    block, stride = classifier.shipdet, _stride_px(search, classifier)
    net_px = raw_px * (gsd_m * block.window_px / block.window_m) ** 2
    if _scoring(search, classifier) == "dense":
        return "detect:dense", net_px * max(1.0, (classifier.cell_px / stride) ** 2)
    return "detect:exact", net_px * (block.window_px / stride) ** 2


def _check_scale(
    gsd_m: float, provider: Provider | None, box: BBox | None, search: Search, gsd_max_m: float
) -> None:
    """Refuse imagery in which no ship can be recognised, before it is fetched."""
    native_m = gsd_m
    if provider is not None and box is not None:  # an overzoomed tile shows no more than it has
        native_m = max(gsd_m, gsd_at(box.center[1], provider.native_zoom))
    remedy = "choose a higher zoom" if provider else "use a picture with more detail"
    if native_m > NATIVE_GSD_MAX_M:
        raise ScaleTooCoarse(
            f"At {native_m:.3g} m per pixel no ship can be recognised (at most "
            f"{NATIVE_GSD_MAX_M:g} m): {remedy}."
        )
    searched_m = gsd_m / SCALE**search.passes
    if searched_m > gsd_max_m:
        raise ScaleTooCoarse(
            f"The model needs {gsd_max_m:g} m per pixel or finer and would get {searched_m:.3g} m: "
            f"{remedy}, or sharpen x4."
        )


def _load(search: Search, settings: Settings, public: bool) -> Steps[_Models]:
    yield Progress("load", 0, 1, "models")
    backend, device = search.backend or None, search.device or None
    classifier = load_classifier(search.model or None, backend, device, settings, public=public)
    upscaler = None
    if search.passes:
        upscaler = load_upscaler(search.upscaler or None, backend, device, settings, public=public)
    ran = classifier.backend
    note = f"{ran.name} on {ran.device}, {ran.precision}"
    yield Progress("load", 1, 1, "models", note)
    return _Models(classifier, upscaler)


@contextmanager
def _own_device() -> Iterator[None]:
    try:
        yield
    finally:
        _device.release()


def _wait_for_device() -> Steps[None]:
    """One run computes at a time; the others wait, and can be cancelled while they do."""
    while not _device.acquire(timeout=0.25):
        yield Progress("wait", 0, 0, note="another run is using the processor")


def _search(
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
    yield from _wait_for_device()
    with _own_device():
        with clock.stage("load"):
            used = yield from _load(search, settings, public)
        upscaled = None
        if used.upscaler is not None:
            if not isinstance(raw, Mosaic):
                raise AreaTooLarge(
                    f"Pictures of more than {settings.max_held_pixels / 1e6:,.0f} million pixels "
                    "cannot be sharpened: search without, or cut the picture."
                )
            with clock.stage("upscale"):
                passes: Literal[1, 2] = 1 if search.passes == 1 else 2
                upscaled = yield from upscale(raw, used.upscaler, passes)
            name = f"upscale:{search.upscaler or settings.upscaler}"
            amount = raw_px * (1 if passes == 1 else 1 + SCALE**2)
            pace.learn(name, amount, clock.stages["upscale"])
        config = used.classifier.config.shipdet
        scoring = _scoring(search, used.classifier.config)
        stride_px = _stride_px(search, used.classifier.config)
        threshold = config.threshold if search.threshold is None else search.threshold
        with clock.stage("detect"):
            candidates = yield from detect(
                upscaled or raw,
                used.classifier,
                window_m=config.window_m,
                raw=raw if upscaled else None,
                stride_px=stride_px,
                scoring=scoring,
                floor=min(FLOOR, threshold),
            )
        kind, work = _detect_work(raw_px, raw.grid.gsd_m, search, used.classifier.config)
        pace.learn(kind, work, clock.stages["detect"])
    raw = yield from arrived()
    yield Progress("report", 0, 2, "steps", "writing pictures")
    with clock.stage("report"):
        files, covered = _write_pictures(folder, raw, upscaled, search)
        yield Progress("report", 1, 2, "steps", "writing tables and crops")
        record = imagery_record(raw, covered, upscaled, inputs, notes, clock) | {
            "files": files,
            "models": used.record()
            | {
                "names": {
                    "classifier": search.model or settings.classifier,
                    "upscaler": (search.upscaler or settings.upscaler) if upscaled else None,
                }
            },
            "scoring": scoring,
            "stride_px": stride_px,
            "window_m": config.window_m,
        }
        write_results(folder, record, candidates, threshold)
    yield Progress("report", 2, 2, "steps")


def _write_pictures(
    folder: Path, raw: Picture, upscaled: Mosaic | None, search: Search
) -> tuple[dict[str, str], float]:
    """File names by kind, and the share of the raw picture that has data."""
    if not isinstance(raw, Mosaic):
        return write_large_imagery(folder, raw, search.image_format, search.quality)
    files = write_imagery(folder, raw, upscaled, search.image_format, search.quality)
    return files, float(np.mean(raw.coverage))


def _parameters(weights: Path) -> int:
    """Number of values in a safetensors file, from its header."""
    from safetensors import safe_open

    with safe_open(weights, framework="np") as file:
        return sum(int(np.prod(file.get_slice(key).get_shape())) for key in file.keys())  # noqa: SIM118


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
