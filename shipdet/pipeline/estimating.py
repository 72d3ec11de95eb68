"""What a run will take, before it begins."""

from dataclasses import dataclass

from shipdet import pace
from shipdet.pipeline.choosing import plan_area
from shipdet.requests import UPSCALE, AreaRequest, Search
from shipdet.settings import Settings, get_settings


@dataclass(frozen=True)
class Estimate:
    """What a run will take. ``searched_*`` are of the image after super-resolution."""

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


def estimate(
    request: AreaRequest, settings: Settings | None = None, *, untrusted: bool = False
) -> Estimate:
    """What a search would take; loads no network and fetches no tile.

    A model of the hub is fetched where it is not here yet: what it can see decides. ``untrusted``
    says that a web visitor asks, who may choose listed models only.

    Raises:
        ShipdetError: What the run itself would raise for the same request before its first tile.
    """
    planned = plan_area(request, settings or get_settings(), untrusted)
    imagery, how, search = planned.imagery, planned.how, request.search
    kind, amount = how.work(imagery.raw_px, imagery.gsd_m)
    work = pace.seconds(kind, amount) * (2 if search.selective else 1)  # the raw image as well
    for number in range(search.passes):
        enlarged_px = imagery.raw_px * UPSCALE ** (2 * number)
        work += pace.seconds(f"upscale:{how.upscaler_name}", enlarged_px)
    # Tiles arrive while the first ones are searched already: the slower of the two counts.
    work = max(pace.seconds("fetch", imagery.tiles), work)
    work += pace.seconds("report", imagery.searched_px) + 2.0
    return Estimate(
        zoom=imagery.zoom,
        tiles=imagery.tiles,
        width_px=imagery.width_px,
        height_px=imagery.height_px,
        gsd_m=imagery.gsd_m,
        searched_gsd_m=imagery.gsd_m / UPSCALE**search.passes,
        searched_px=imagery.searched_px,
        download_mb=imagery.download_mb,
        seconds=work,
        notes=(*planned.notes, *_selective_notes(search)),
    )


def _selective_notes(search: Search) -> tuple[str, ...]:
    if not search.selective:
        return ()
    return ("At most: how much is enlarged depends on what the raw image shows.",)
