"""Runs as generators of progress: search an area, search an image, download imagery."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from shipdet import pace
from shipdet.errors import AreaTooLarge, BadOption
from shipdet.imagery import Arrival, Plan, arriving, open_raster
from shipdet.mosaic import Mosaic, Picture
from shipdet.pipeline.choosing import (
    SearchPlan,
    area_inputs,
    check_scale,
    plan_area,
    plan_imagery,
    plan_search,
)
from shipdet.pipeline.searching import Destination, search_picture, write_pictures
from shipdet.progress import Progress, Steps
from shipdet.report import (
    Clock,
    Review,
    Run,
    imagery_record,
    new_folder,
    prune,
    read_run,
    rewrite,
    write_download,
)
from shipdet.requests import UPSCALE, AreaRequest, ImageRequest, Search
from shipdet.settings import Settings, get_settings


def iter_area(
    request: AreaRequest,
    *,
    out: Path | None = None,
    settings: Settings | None = None,
    untrusted: bool = False,
) -> Steps[Run]:
    """Search an area of the map: download, enlarge, search and write the results.

    The search starts with the first rows of tiles, while the others are downloading.

    Args:
        request: The area, its imagery and how to search it.
        out: The folder to write; None for a new one under the runs folder.
        settings: Replaces the settings of the environment.
        untrusted: Whether the request comes from a web visitor, who may choose listed models only.

    Yields:
        Progress events. Closing the generator cancels the run and removes its files.

    Returns:
        The run.

    Raises:
        ShipdetError: The request is invalid or cannot be carried out.
    """
    settings = settings or get_settings()
    clock = Clock()
    planned = plan_area(request, settings, untrusted)
    inputs = area_inputs(request, planned.imagery.zoom, settings)
    with (
        new_folder(out, request.search.name, settings) as (folder, final),
        _downloading(request, planned.imagery, settings, folder) as arrival,
    ):
        yield from arrival.begin()

        def arrived() -> Steps[Picture]:
            picture = yield from arrival.finish()
            clock.stages["fetch"] = arrival.seconds
            pace.learn("fetch", picture.provenance.fetched, arrival.seconds)
            return picture

        area = request.area if request.polygon else None
        into = Destination(folder, inputs, planned.notes, clock, area)
        yield from search_picture(arrival.picture, arrived, planned.how, into)
    prune(settings, final)
    return read_run(final)


def iter_image(
    source: Any,
    request: ImageRequest,
    *,
    out: Path | None = None,
    settings: Settings | None = None,
    untrusted: bool = False,
) -> Steps[Run]:
    """Search a user's image.

    Args:
        source: A path, array or open image, as for :func:`shipdet.imagery.open_raster`.
        request: How to read and search it.
        out: As for :func:`iter_area`.
        settings: As for :func:`iter_area`.
        untrusted: As for :func:`iter_area`.

    Yields:
        Progress events, as for :func:`iter_area`.

    Returns:
        The run.

    Raises:
        ShipdetError: The image or the request cannot be used.
    """
    settings = settings or get_settings()
    clock = Clock()
    how = plan_search(request.search, settings, untrusted)
    yield Progress("read", 0, 0)
    with clock.stage("read"):
        raw = open_raster(
            source, request.gsd_m, settings, bands=request.bands, stretch=request.stretch
        )
    check_image(raw, how)
    name = raw.provenance.title
    inputs = {**request.model_dump(mode="json"), "image": name}
    with new_folder(out, request.search.name, settings) as (folder, final):

        def arrived() -> Steps[Picture]:
            yield from ()
            return raw

        yield from search_picture(raw, arrived, how, Destination(folder, inputs, (), clock))
    prune(settings, final)
    return read_run(final)


def check_image(raw: Picture, how: SearchPlan) -> None:
    """Check that an image is fine enough, and small enough for super-resolution.

    Raises:
        ScaleTooCoarse: The image has too little detail for the model.
        AreaTooLarge: It is too large for super-resolution.
    """
    check_scale(how, raw.grid.gsd_m, raw.grid.gsd_m, "use an image with more detail")
    passes, limit = how.search.passes, how.settings.max_searched_pixels
    searched_px = raw.grid.width * raw.grid.height * UPSCALE ** (2 * passes)
    if passes and not isinstance(raw, Mosaic):
        raise AreaTooLarge(
            f"Images of more than {how.settings.max_held_pixels / 1e6:,.0f} million pixels "
            "(fewer in a GeoTIFF of more than 8 bits) cannot be enlarged with super-resolution: "
            "search without it, or crop the image."
        )
    if passes and searched_px > limit:
        raise AreaTooLarge(
            f"{searched_px / 1e6:,.0f} million pixels after super-resolution are more than the "
            f"limit of {limit / 1e6:,.0f}: choose fewer passes, or crop the image."
        )


def iter_download(
    request: AreaRequest, *, out: Path | None = None, settings: Settings | None = None
) -> Steps[Run]:
    """Download an area's imagery without searching it; arguments as :func:`iter_area`."""
    settings = settings or get_settings()
    clock = Clock()
    imagery = plan_imagery(request, settings)
    inputs = area_inputs(request, imagery.zoom, settings)
    with (
        new_folder(out, request.search.name, settings) as (folder, final),
        _downloading(request, imagery, settings, folder) as arrival,
    ):
        with clock.stage("fetch"):
            raw = yield from arrival.finish()
        files, covered = yield from write_pictures(folder, raw, None, request.search)
        record = imagery_record(raw, covered, None, inputs, imagery.notes, clock)
        write_download(folder, {**record, "files": files})
    prune(settings, final)
    return read_run(final)


def _downloading(
    request: AreaRequest, imagery: Plan, settings: Settings, folder: Path
) -> AbstractContextManager[Arrival]:
    """Start the download of a plan in the background."""
    # An image to be enlarged stays in memory, since its enlarged copy needs more anyway.
    where = None if request.search.passes else folder
    return arriving(imagery, request, settings, folder=where)


def open_run(folder: str | Path) -> Run:
    """Open a finished run from its folder.

    Args:
        folder: The folder of the run.

    Returns:
        The run.

    Raises:
        BadOption: The folder contains no run.

    Example:
        >>> run = shipdet.open_run("results/gibraltar")
        >>> len(run.detections)
    """
    return read_run(Path(folder))


def refilter(run: Run, threshold: float | None = None, min_length_m: float | None = None) -> Run:
    """Change what counts as a ship and rewrite the files, without another search.

    The folder is replaced atomically: a reader sees either the old files or the new ones.

    Args:
        run: The run to change.
        threshold: Lowest score of a ship, between 0 and 1; None keeps the current value.
        min_length_m: Shortest ship that counts, in meters; None keeps the current value.

    Returns:
        The updated run, with the review that it has on disk.

    Raises:
        BadOption: A value is out of range, or the run was deleted or never searched.

    Example:
        >>> run = shipdet.refilter(run, threshold=0.7, min_length_m=50)
    """
    given = {"threshold": threshold, "min_length_m": min_length_m}
    checked = Search.check(**{name: value for name, value in given.items() if value is not None})
    changed = {name: getattr(checked, name) for name in checked.model_fields_set}
    return rewrite(run, lambda now: replace(now, **changed))


def save_review(run: Run, review: Review) -> Run:
    """Save a review with its run and update the run's files.

    Args:
        run: The reviewed run.
        review: A review derived from ``run.review``.

    Returns:
        The updated run; the model's own results stay in ``run.candidates``.

    Raises:
        BadOption: The review refers to a ship that the run does not have, the run was deleted or
            never searched, or someone else has reviewed it since it was opened.

    Example:
        >>> review = run.review.reject(run.detections[2].key, by="Ada")
        >>> run = shipdet.save_review(run, review)
    """

    def checked(saved: Review) -> Review:
        continued = review.actions[: len(saved.actions)] == saved.actions
        if not continued and saved != run.review:
            raise BadOption(
                "Someone else has changed this review: open the run again, then review it."
            )
        return review

    return change_review(run, checked)


def change_review(run: Run, change: Callable[[Review], Review]) -> Run:
    """Atomically change the saved review of a run.

    Args:
        run: The run; its review may be older than the saved one.
        change: Maps the saved review to the new one.

    Returns:
        As :func:`save_review`.

    Raises:
        BadOption: As :func:`save_review`.
    """
    return rewrite(run, lambda now: replace(now, review=change(now.review)))
