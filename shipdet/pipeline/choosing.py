"""Resolve a request into a frozen plan, so that each choice is made once."""

from dataclasses import dataclass

from shipdet.errors import BadModel, ScaleTooCoarse
from shipdet.geometry import gsd_at
from shipdet.imagery import Plan, Provider, get_provider, plan, recommended_zoom
from shipdet.models import ClassifierConfig, resolve, resolve_public
from shipdet.requests import UPSCALE, AreaRequest, Search
from shipdet.settings import Settings

#: In coarser imagery ships cannot be recognized, even after super-resolution.
NATIVE_GSD_MAX_M = 12.0

#: Lowest score kept as a candidate, so that the threshold can be lowered later.
MIN_SCORE = 0.1


@dataclass(frozen=True)
class SearchPlan:
    """How an image is searched: a request's search with every default filled in.

    Attributes:
        search: The request.
        settings: The settings that the plan was made with.
        untrusted: Whether the request comes from a visitor, who may choose listed models only.
        classifier: The ship model's config; no network is loaded.
        classifier_name: The ship model's name, as requested or configured.
        upscaler_name: The super-resolution model's name, even if it is not used.
        threshold: Lowest score of a ship.
        min_score: Lowest score that is kept as a candidate.
    """

    search: Search
    settings: Settings
    untrusted: bool
    classifier: ClassifierConfig
    classifier_name: str
    upscaler_name: str
    threshold: float
    min_score: float

    def work(self, raw_px: int, gsd_m: float) -> tuple[str, float]:
        """Return the kind and amount of work of the search, for :mod:`shipdet.pace`."""
        return "detect", raw_px * (gsd_m / self.classifier.network_gsd_m(gsd_m)) ** 2

    def enlarges_parts(self, gsd_m: float) -> bool:
        """Whether only parts of an image of ``gsd_m`` meters per pixel are enlarged.

        The parts are selected by a search of the image, so it must be fine enough for the model.
        """
        search = self.search
        return search.passes > 0 and search.selective and gsd_m <= self.classifier.shipdet.gsd_max_m


@dataclass(frozen=True)
class AreaPlan:
    """How an area is downloaded and searched.

    Attributes:
        request: The request.
        imagery: The download: zoom, provider, tiles and size.
        how: The search.
        notes: Sentences for the user.
    """

    request: AreaRequest
    imagery: Plan
    how: SearchPlan
    notes: tuple[str, ...]


def area_inputs(request: AreaRequest, zoom: int, settings: Settings) -> dict[str, object]:
    """Return the request for run.json, with the chosen zoom and provider."""
    provider = request.provider or settings.provider
    return {**request.model_dump(mode="json"), "zoom": zoom, "provider": provider}


def plan_search(search: Search, settings: Settings, untrusted: bool = False) -> SearchPlan:
    """Plan a search without loading a network.

    Raises:
        UnknownModel: The model does not exist, or a visitor may not choose it.
        BadModel: The model is not a ship classifier.
    """
    find = resolve_public if untrusted else resolve
    name = search.model or settings.classifier
    folder = find(name, settings)
    config = folder.config
    if not isinstance(config, ClassifierConfig):
        raise BadModel(f"{folder.name} is a model for {folder.task}, not a ship classifier.")
    threshold = config.shipdet.threshold if search.threshold is None else search.threshold
    return SearchPlan(
        search=search,
        settings=settings,
        untrusted=untrusted,
        classifier=config,
        classifier_name=name,
        upscaler_name=search.upscaler or settings.upscaler,
        threshold=threshold,
        min_score=min(MIN_SCORE, threshold),
    )


def default_zoom(
    provider_id: str, latitude: float, search: Search, settings: Settings, untrusted: bool = False
) -> tuple[int, str]:
    """Return the zoom that the model needs at a latitude, and a sentence that explains it."""
    how = plan_search(search, settings, untrusted)
    provider = get_provider(provider_id or settings.provider, settings)
    return model_zoom(provider, latitude, how.classifier, search.passes)


def model_zoom(
    provider: Provider, latitude: float, model: ClassifierConfig, passes: int
) -> tuple[int, str]:
    """Return the zoom of a provider that a model needs, and a sentence that explains it."""
    return recommended_zoom(provider, latitude, model.gsd_m, model.gsd_min_m, passes)


def plan_area(request: AreaRequest, settings: Settings, untrusted: bool = False) -> AreaPlan:
    """Plan the download and search of an area. Downloads no tile.

    Raises:
        ShipdetError: The request is invalid or cannot be carried out.
    """
    provider = get_provider(request.provider or settings.provider, settings)
    how = plan_search(request.search, settings, untrusted)
    imagery = plan_imagery(request, settings, how)
    native_m = gsd_at(request.box.center[1], provider.native_zoom)
    # An overzoomed tile has no more detail than a tile of the native zoom.
    check_scale(how, imagery.gsd_m, max(imagery.gsd_m, native_m), "choose a higher zoom")
    return AreaPlan(request, imagery, how, imagery.notes)


def plan_imagery(request: AreaRequest, settings: Settings, how: SearchPlan | None = None) -> Plan:
    """Plan the download of an area at the requested zoom or the one that the model needs."""
    provider = get_provider(request.provider or settings.provider, settings)
    box, passes, zoom = request.box, request.search.passes, request.zoom
    if zoom is None:
        how = how or plan_search(request.search, settings)
        zoom, _ = model_zoom(provider, box.center[1], how.classifier, passes)
    planned = plan(box, zoom, provider, passes, settings, area=request.area)
    if planned.provider.kind != "stac":
        return planned
    from shipdet.imagery.stac import acquisition_for  # uses the network, so after the limit checks

    chosen = acquisition_for(planned.provider, box, request, settings)
    return plan(box, zoom, provider, passes, settings, acquisition=chosen, area=request.area)


def check_scale(how: SearchPlan, gsd_m: float, native_m: float, remedy: str) -> None:
    """Check that the imagery is fine enough to recognize ships.

    Args:
        how: The search, with its model and passes of super-resolution.
        gsd_m: Meters per pixel of the raw image.
        native_m: Meters per pixel of its actual detail.
        remedy: Advice for the error message.

    Raises:
        ScaleTooCoarse: The image has too little detail for the model.
    """
    gsd_max_m = how.classifier.shipdet.gsd_max_m
    if native_m > NATIVE_GSD_MAX_M:
        raise ScaleTooCoarse(
            f"At {native_m:.3g} m per pixel ships cannot be recognized (at most "
            f"{NATIVE_GSD_MAX_M:g} m): {remedy}."
        )
    searched_m = gsd_m / UPSCALE**how.search.passes
    if searched_m > gsd_max_m:
        raise ScaleTooCoarse(
            f"The model needs {gsd_max_m:g} m per pixel or finer and would get {searched_m:.3g} m: "
            f"{remedy}, or enlarge it x4."
        )
