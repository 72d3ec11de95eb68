"""The functions of ``import shipdet``, which take options by keyword."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

from shipdet.errors import BadArea
from shipdet.geometry import BBox
from shipdet.options import with_options
from shipdet.pipeline.area_list import areas_of, requests_for
from shipdet.pipeline.estimating import Estimate, estimate, estimate_together
from shipdet.pipeline.running import iter_area, iter_download, iter_image
from shipdet.progress import Progress, finish
from shipdet.report import Run, check_new
from shipdet.requests import (
    NOT_DOWNLOADED,
    AreaOptions,
    AreaRequest,
    ImageOptions,
    ImageRequest,
    ImageryOptions,
    Search,
)
from shipdet.settings import Settings

#: Options of an image other than those of its search.
_IMAGE_ONLY = frozenset(ImageRequest.model_fields) - {"search"}

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
        out: A new or empty folder for the results; None creates one in the runs folder.
        progress: Called with each progress event.
        settings: Replaces the settings of the environment.
        options: Provider ("" is the configured one), zoom (None is the coarsest zoom that reaches
            the model's scale), dates, cloud cover and priority, and the fields of
            :class:`shipdet.Search`.

    Returns:
        The run, with the ships in ``run.detections``.

    Raises:
        ShipdetError: A value is invalid or the search fails; the message says what to do.

    Example:
        >>> import shipdet
        >>> run = shipdet.detect_area((-5.44, 36.12, -5.41, 36.14), provider="esri")
        >>> [(ship.lon, ship.lat, ship.length_m) for ship in run.detections]
        >>> run.save("ships.gpkg")
    """
    request = _area(bbox, dict(options), "use shipdet.detect_areas, or ")
    return finish(iter_area(request, out=_path(out), settings=settings), progress)


@with_options(ImageryOptions, Search)
def detect_areas(
    areas: Any,
    *,
    out: str | Path | None = None,
    progress: Watch | None = None,
    settings: Settings | None = None,
    **options: Unpack[AreaOptions],
) -> list[Run]:
    """Find the ships in several areas, in polygons, or on both sides of the antimeridian.

    Args:
        areas: West, south, east, north in degrees, which may cross the antimeridian; the text of a
            WKT (multi)polygon; a GeoJSON geometry or Feature as a dictionary; or the path of a
            GeoJSON, KML, KMZ, GeoPackage, WKT or CSV file of areas.
        out: A new or empty folder; several areas get one subfolder each.
        progress: Called with each progress event.
        settings: Replaces the settings of the environment.
        options: As for :func:`detect_area`.

    Returns:
        One run per area, in order; two for an area across the antimeridian.

    Raises:
        ShipdetError: A value is invalid or a search fails; finished runs are kept.

    Example:
        >>> import shipdet
        >>> east, west = shipdet.detect_areas((179.9, -16.9, -179.9, -16.8), provider="esri")
    """
    given = dict(options)
    imagery = {n: given.pop(n) for n in ImageryOptions.model_fields if n in given}
    requests = requests_for(areas_of(areas), Search.check(**given), imagery)
    folder = _path(out)
    if len(requests) == 1:
        return [finish(iter_area(requests[0][1], out=folder, settings=settings), progress)]
    if folder is not None:
        check_new(folder)
    return [
        finish(iter_area(request, out=folder and folder / name, settings=settings), progress)
        for name, request in requests
    ]


@with_options(ImageRequest, Search)
def detect_image(
    image: Any,
    *,
    out: str | Path | None = None,
    progress: Watch | None = None,
    settings: Settings | None = None,
    **options: Unpack[ImageOptions],
) -> Run:
    """Find the ships in an image.

    Args:
        image: The path of a PNG, JPEG or GeoTIFF, or an array or open image, as
            :func:`shipdet.imagery.open_raster` takes it.
        out: A new or empty folder for the results; None creates one in the runs folder.
        progress: Called with each progress event.
        settings: Replaces the settings of the environment.
        options: ``gsd_m`` (meters per pixel, required if the image has no georeference),
            ``bands``, ``stretch``, and the fields of :class:`shipdet.Search`.

    Returns:
        The run, with the ships in ``run.detections``.

    Raises:
        ShipdetError: A value is invalid or the search fails; the message says what to do.

    Example:
        >>> import shipdet
        >>> run = shipdet.detect_image("harbor.png", gsd_m=3.0, threshold=0.6)
        >>> run.to_pandas()[["score", "x", "y", "length_m"]]
    """
    given = dict(options)
    reading = {name: given.pop(name) for name in _IMAGE_ONLY if name in given}
    request = ImageRequest.check(search=Search.check(**given), **reading)
    return finish(iter_image(image, request, out=_path(out), settings=settings), progress)


@with_options(ImageryOptions, Search, leave_out=NOT_DOWNLOADED)
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
        out: A new or empty folder for the results; None creates one in the runs folder.
        progress: Called with each progress event.
        settings: Replaces the settings of the environment.
        options: Provider, zoom, dates, cloud cover, priority, image format, quality and name.

    Returns:
        The run, which has images and no detections.

    Raises:
        ShipdetError: A value is invalid or the download fails; the message says what to do.

    Example:
        >>> run = shipdet.download_area((-5.44, 36.12, -5.41, 36.14), provider="esri", zoom=16)
        >>> run.folder
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
    """Estimate size and duration of :func:`detect_area` without downloading imagery.

    Args:
        bbox: West, south, east, north in degrees, which may cross the antimeridian.
        settings: Replaces the settings of the environment.
        options: As for :func:`detect_area`.

    Returns:
        The estimate; for an area across the antimeridian the sum of both sides.

    Raises:
        ShipdetError: The search would fail with the same error before its first tile.

    Example:
        >>> estimate = shipdet.estimate_area((-5.44, 36.12, -5.41, 36.14), provider="esri")
        >>> estimate.tiles, estimate.seconds
    """
    requests = _requests(bbox, dict(options))
    return estimate_together([estimate(request, settings) for request in requests])


def _area(bbox: Box, options: dict[str, Any], instead: str = "") -> AreaRequest:
    """Build the request of an area.

    Raises:
        BadArea: The area crosses the antimeridian; the message suggests ``instead``.
    """
    requests = _requests(bbox, options)
    if len(requests) > 1:
        parts = " and ".join(f"({', '.join(f'{s:.7g}' for s in r.bbox)})" for r in requests)
        raise BadArea(
            "The area crosses the antimeridian (180 degrees) and needs two runs: "
            f"{instead}give {parts} one after the other."
        )
    return requests[0]


def _requests(bbox: Box, options: dict[str, Any]) -> list[AreaRequest]:
    """Build the request of a box, or one for each side of the antimeridian."""
    imagery = {n: options.pop(n) for n in ImageryOptions.model_fields if n in options}
    try:
        sides = [float(side) for side in (bbox.as_tuple() if isinstance(bbox, BBox) else bbox)]
    except (TypeError, ValueError, OverflowError):
        raise BadArea("West, south, east and north must be four numbers in degrees.") from None
    named = requests_for(areas_of(sides), Search.check(**options), imagery)
    return [request for _, request in named]


def _path(out: str | Path | None) -> Path | None:
    return None if out is None else Path(out)
