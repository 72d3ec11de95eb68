"""Estimate the size and duration of a run before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shipdet import pace
from shipdet.pipeline.choosing import SearchPlan, plan_area
from shipdet.requests import UPSCALE, AreaRequest
from shipdet.settings import Settings, get_settings


@dataclass(frozen=True)
class Estimate:
    """The estimated size and duration of a run.

    Attributes:
        zoom: Map zoom.
        tiles: Number of tiles.
        width_px: Columns of the raw image.
        height_px: Rows of the raw image.
        gsd_m: Meters per pixel of the raw image.
        searched_gsd_m: Meters per pixel after super-resolution.
        searched_px: Number of pixels after super-resolution.
        download_mb: Size of the download in megabytes.
        seconds: Duration of the run in seconds.
        notes: Sentences for the user.
        acquisition: Id of the chosen acquisition; "" for undated imagery.
        acquired: Its time, ISO 8601; "" for undated imagery.
    """

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
    acquisition: str = ""
    acquired: str = ""


def estimate(
    request: AreaRequest, settings: Settings | None = None, *, untrusted: bool = False
) -> Estimate:
    """Estimate a search. Loads no network and downloads no tile.

    A model of the hub is downloaded if necessary, since its config determines the scale.

    Args:
        request: The search.
        settings: Replaces the settings of the environment.
        untrusted: Whether the request comes from a web visitor, who may choose listed models only.

    Returns:
        The estimate.

    Raises:
        ShipdetError: The run would fail with the same error before its first tile.
    """
    planned = plan_area(request, settings or get_settings(), untrusted)
    imagery, how, search = planned.imagery, planned.how, request.search
    # Tiles download while the first ones are searched: the slower of the two determines the time.
    fetching = pace.seconds("fetch", imagery.tiles)
    work = max(fetching, search_seconds(how, imagery.raw_px, imagery.gsd_m))
    work += report_seconds(how, imagery.raw_px)
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
        notes=(*planned.notes, *_selective_notes(how, imagery.gsd_m)),
        acquisition=imagery.acquisition.id if imagery.acquisition else "",
        acquired=imagery.acquisition.time if imagery.acquisition else "",
    )


def estimate_together(estimates: Sequence[Estimate]) -> Estimate:
    """Sum the estimates of searches that run one after the other.

    Args:
        estimates: At least one estimate.

    Returns:
        Sums of tiles, pixels, megabytes and seconds; other values are those of the largest search.
    """
    largest = max(estimates, key=lambda one: one.searched_px)
    return replace(
        largest,
        tiles=sum(one.tiles for one in estimates),
        searched_px=sum(one.searched_px for one in estimates),
        download_mb=sum(one.download_mb for one in estimates),
        seconds=sum(one.seconds for one in estimates),
        notes=tuple(dict.fromkeys(note for one in estimates for note in one.notes)),
    )


def search_seconds(how: SearchPlan, raw_px: int, gsd_m: float) -> float:
    """Estimate the seconds to enlarge and search an image."""
    kind, amount = how.work(raw_px, gsd_m)
    searches = 2 if how.search.passes else 1  # of the raw image, too
    work = pace.seconds(kind, amount) * searches
    for number in range(how.search.passes):
        enlarged_px = raw_px * UPSCALE ** (2 * number)
        work += pace.seconds(f"upscale:{how.upscaler_name}", enlarged_px)
    return work


def report_seconds(how: SearchPlan, raw_px: int) -> float:
    """Estimate the seconds to write the results of an image."""
    return pace.seconds("report", raw_px * UPSCALE ** (2 * how.search.passes)) + 2.0


def _selective_notes(how: SearchPlan, gsd_m: float) -> tuple[str, ...]:
    if not how.enlarges_parts(gsd_m):
        return ()
    return ("These are upper limits: how much is enlarged depends on what the raw image shows.",)
