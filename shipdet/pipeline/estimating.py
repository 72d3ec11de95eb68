"""What a run will take, before it begins."""

from dataclasses import dataclass

from shipdet import pace
from shipdet.pipeline.choosing import chosen_classifier, detect_work, stride_notes
from shipdet.pipeline.planning import check_scale, plan_request
from shipdet.requests import UPSCALE, AreaRequest, Search
from shipdet.settings import Settings, get_settings


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


def estimate(request: AreaRequest, settings: Settings | None = None) -> Estimate:
    """What a search would take; loads no network and fetches no tile.

    A model of the hub is fetched where it is not here yet: what it can see decides.

    Raises the errors that the run itself would raise for the same request before its first tile.
    """
    settings = settings or get_settings()
    provider, zoom, planned, notes = plan_request(request, settings)
    search = request.search
    classifier = chosen_classifier(search, settings)
    check_scale(planned.gsd_m, provider, request.box, search, classifier.shipdet.gsd_max_m)
    factor = UPSCALE**search.passes
    upscaler = search.upscaler or settings.upscaler
    kind, amount = detect_work(planned.raw_px, planned.gsd_m, search, classifier)
    work = pace.seconds(kind, amount) * (2 if search.selective else 1)  # the raw picture as well
    for number in range(search.passes):
        work += pace.seconds(f"upscale:{upscaler}", planned.raw_px * UPSCALE ** (2 * number))
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
        (*notes, *stride_notes(search, classifier), *_selective_notes(search)),
    )


def _selective_notes(search: Search) -> tuple[str, ...]:
    if not search.selective:
        return ()
    return ("At most: how much is sharpened depends on what the raw image shows.",)
