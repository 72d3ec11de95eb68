"""The functions of ``import shipdet``: options by keyword, a value back."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

from shipdet.geometry import BBox
from shipdet.options import with_options
from shipdet.pipeline.estimating import Estimate, estimate
from shipdet.pipeline.running import iter_area, iter_download, iter_image
from shipdet.progress import Progress, finish
from shipdet.report import Run
from shipdet.requests import (
    AreaOptions,
    AreaRequest,
    ImageRequest,
    ImageryOptions,
    Search,
    SearchOptions,
)
from shipdet.settings import Settings

#: Options that mean nothing without a search.
_SEARCH_ONLY = frozenset(Search.model_fields) - {"image_format", "quality", "name"}

Watch = Callable[[Progress], None]
Box = BBox | Sequence[float]


@with_options(ImageryOptions, Search)
def detect_area(
    bbox: Box,
    *,
    out: str | Path | None = None,
    progress: Watch | None = None,
    settings: Settings | None = None,
    **options: Unpack[AreaOptions],
) -> Run:
    """Find the ships in an area of the map.

    Args:
        bbox: West, south, east, north in degrees.
        out: A new or empty folder for the results; None makes one under the runs folder.
        progress: Called with every step forward.
        settings: Instead of those of the environment.
        options: Provider ("" is the configured one), zoom (None is the coarsest that has the
            model's own scale), dates, cloud cover and priority, and the fields of
            :class:`shipdet.Search`.

    Returns:
        The run, with the ships in ``run.detections``.

    Raises:
        ShipdetError: A value is wrong or the search cannot be done; the message says what to do.

    Example:
        >>> import shipdet
        >>> run = shipdet.detect_area((-5.44, 36.12, -5.41, 36.14), provider="esri")
        >>> [(ship.lon, ship.lat, ship.length_m) for ship in run.detections]
        >>> run.save("ships.gpkg")
    """
    request = _area(bbox, dict(options))
    return finish(iter_area(request, out=_path(out), settings=settings), progress)


@with_options(Search)
def detect_image(
    image: Any,
    *,
    gsd_m: float | None = None,
    out: str | Path | None = None,
    progress: Watch | None = None,
    settings: Settings | None = None,
    **options: Unpack[SearchOptions],
) -> Run:
    """Find the ships in an image.

    Args:
        image: The path of a PNG, JPEG or GeoTIFF, or an array or open image, as
            :func:`shipdet.imagery.open_raster` takes it.
        gsd_m: Meters per pixel; needed where the image has no georeference.
        out: A new or empty folder for the results; None makes one under the runs folder.
        progress: Called with every step forward.
        settings: Instead of those of the environment.
        options: Fields of :class:`shipdet.Search`.

    Returns:
        The run, with the ships in ``run.detections``.

    Raises:
        ShipdetError: A value is wrong or the search cannot be done; the message says what to do.

    Example:
        >>> import shipdet
        >>> run = shipdet.detect_image("harbor.png", gsd_m=3.0, threshold=0.6)
        >>> run.to_pandas()[["score", "x", "y", "length_m"]]
    """
    request = ImageRequest.check(gsd_m=gsd_m, search=Search.check(**options))
    return finish(iter_image(image, request, out=_path(out), settings=settings), progress)


@with_options(ImageryOptions, Search, leave_out=_SEARCH_ONLY)
def download_area(
    bbox: Box,
    *,
    out: str | Path | None = None,
    progress: Watch | None = None,
    settings: Settings | None = None,
    **options: Unpack[AreaOptions],
) -> Run:
    """Download the imagery of an area without searching it.

    Args:
        bbox: West, south, east, north in degrees.
        out: A new or empty folder for the results; None makes one under the runs folder.
        progress: Called with every step forward.
        settings: Instead of those of the environment.
        options: Provider, zoom, dates, cloud cover, priority, image format, quality and name.

    Returns:
        The run, which has images and no detections.

    Raises:
        ShipdetError: A value is wrong or the download fails; the message says what to do.
    """
    request = _area(bbox, dict(options))
    return finish(iter_download(request, out=_path(out), settings=settings), progress)


@with_options(ImageryOptions, Search)
def estimate_area(
    bbox: Box,
    *,
    settings: Settings | None = None,
    **options: Unpack[AreaOptions],
) -> Estimate:
    """What :func:`detect_area` would take, without fetching anything.

    Args:
        bbox: West, south, east, north in degrees.
        settings: Instead of those of the environment.
        options: As for :func:`detect_area`.

    Returns:
        Zoom, tiles, pixels, megabytes and seconds.

    Raises:
        ShipdetError: What :func:`detect_area` would raise before it fetches the first tile.
    """
    return estimate(_area(bbox, dict(options)), settings)


def _area(bbox: Box, options: dict[str, Any]) -> AreaRequest:
    box = bbox.as_tuple() if isinstance(bbox, BBox) else bbox
    imagery = {n: options.pop(n) for n in ImageryOptions.model_fields if n in options}
    return AreaRequest.check(bbox=box, search=Search.check(**options), **imagery)


def _path(out: str | Path | None) -> Path | None:
    return None if out is None else Path(out)
