"""What a request comes to: provider, zoom and tiles, refused before anything is fetched."""

from contextlib import AbstractContextManager
from pathlib import Path

from shipdet.errors import ScaleTooCoarse
from shipdet.geometry import BBox, gsd_at
from shipdet.imagery import (
    Arrival,
    ImageryOptions,
    Plan,
    Provider,
    arriving,
    get_provider,
    plan,
    recommended_zoom,
)
from shipdet.requests import UPSCALE, AreaRequest, Search
from shipdet.settings import Settings

NATIVE_GSD_MAX_M = 12.0  # coarser imagery shows no ship, however much it is enlarged


def plan_request(
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
    return ImageryOptions.parse(
        request.date_from, request.date_to, request.max_cloud, request.priority
    )


def open_download(
    request: AreaRequest, zoom: int, provider: Provider, settings: Settings, folder: Path
) -> AbstractContextManager[Arrival]:
    """The download of a request, behind whatever is done with its picture."""
    options = _imagery_options(request)
    # What is sharpened must be held: the sharpened picture is larger than it in any case.
    where = None if request.search.passes else folder
    return arriving(request.box, zoom, provider, options, settings, folder=where)


def check_scale(
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
    searched_m = gsd_m / UPSCALE**search.passes
    if searched_m > gsd_max_m:
        raise ScaleTooCoarse(
            f"The model needs {gsd_max_m:g} m per pixel or finer and would get {searched_m:.3g} m: "
            f"{remedy}, or sharpen x4."
        )
    if search.selective and gsd_m > gsd_max_m:
        raise ScaleTooCoarse(
            f"The raw image, {gsd_m:.3g} m per pixel, is too coarse to say where ships could be "
            f"(at most {gsd_max_m:g} m): {remedy}, or sharpen all of it."
        )
