"""The runs that can be asked for: an area searched, a picture searched, imagery downloaded."""

from pathlib import Path

from shipdet import pace
from shipdet.errors import AreaTooLarge
from shipdet.imagery import open_raster
from shipdet.mosaic import Picture
from shipdet.pipeline.choosing import chosen_classifier, stride_notes
from shipdet.pipeline.planning import check_scale, open_download, plan_request
from shipdet.pipeline.searching import search_picture, write_pictures
from shipdet.progress import Progress, Steps, finish
from shipdet.report import (
    Clock,
    Run,
    check_name,
    copy_pictures,
    imagery_record,
    new_folder,
    prune,
    read_run,
    replaced_folder,
    write_download,
    write_results,
)
from shipdet.requests import UPSCALE, AreaRequest, ImageRequest, Search
from shipdet.settings import Settings, get_settings


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
    provider, zoom, planned, notes = plan_request(request, settings)
    classifier = chosen_classifier(search, settings, public)
    check_scale(planned.gsd_m, provider, request.box, search, classifier.shipdet.gsd_max_m)
    notes = (*notes, *stride_notes(search, classifier))
    inputs = {**request.model_dump(mode="json"), "zoom": zoom, "provider": provider.id}
    with (
        new_folder(out, search.name, settings) as (folder, final),
        open_download(request, zoom, provider, settings, folder) as arrival,
    ):
        yield from arrival.begin()

        def arrived() -> Steps[Picture]:
            picture = yield from arrival.finish()
            clock.stages["fetch"] = arrival.seconds
            pace.learn("fetch", picture.provenance.fetched, arrival.seconds)
            return picture

        picture = arrival.picture
        yield from search_picture(
            picture, arrived, search, folder, inputs, notes, clock, settings, public
        )
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
    gsd_max_m = chosen_classifier(search, settings, public).shipdet.gsd_max_m
    yield Progress("fetch", 0, 1, "pictures", "reading the picture")
    raw = open_raster(path, request.gsd_m, settings)
    check_scale(raw.grid.gsd_m, None, None, search, gsd_max_m)
    searched_px = raw.grid.width * raw.grid.height * UPSCALE ** (2 * search.passes)
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

        yield from search_picture(raw, arrived, search, folder, inputs, (), clock, settings, public)
    prune(settings, final)
    return read_run(final)


def download_area(
    request: AreaRequest, *, out: Path | None = None, settings: Settings | None = None
) -> Steps[Run]:
    """Download an area's imagery without searching it; arguments as :func:`detect_area`."""
    settings = settings or get_settings()
    clock = Clock()
    check_name(request.search.name)
    provider, zoom, _, notes = plan_request(request, settings)
    inputs = {**request.model_dump(mode="json"), "zoom": zoom, "provider": provider.id}
    with (
        new_folder(out, request.search.name, settings) as (folder, final),
        open_download(request, zoom, provider, settings, folder) as arrival,
    ):
        with clock.stage("fetch"):
            raw = yield from arrival.finish()
        files, covered = yield from write_pictures(folder, raw, None, request.search)
        record = imagery_record(raw, covered, None, inputs, notes, clock)
        yield from write_download(folder, {**record, "files": files})
    prune(settings, final)
    return read_run(final)


def open_run(folder: Path) -> Run:
    """A finished run from its folder."""
    return read_run(folder)


def refilter(run: Run, threshold: float) -> Run:
    """The run with another threshold; its files are rewritten, nothing is computed again.

    They change all at once: whoever reads the folder sees the old ones or the new ones.
    """
    threshold = Search.check(threshold=threshold).threshold or run.threshold
    with replaced_folder(run.folder) as folder:
        copy_pictures(run, folder)
        finish(write_results(folder, run.record, run.candidates, threshold))
    return read_run(run.folder)
