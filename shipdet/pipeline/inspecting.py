"""Facts about a user's image, and an estimate of its search."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shipdet.errors import MissingScale, ShipdetError
from shipdet.geometry import near_longitude
from shipdet.imagery import open_raster
from shipdet.imagery.preview import band_names, preview
from shipdet.mosaic import Picture, Pixels
from shipdet.pipeline.choosing import plan_search
from shipdet.pipeline.estimating import report_seconds, search_seconds
from shipdet.pipeline.running import check_image
from shipdet.requests import ImageRequest
from shipdet.settings import Settings, get_settings

#: Number of points of the outline along each side of an image.
_SIDE_POINTS = 8


@dataclass(frozen=True)
class ImageFacts:
    """Facts about an image.

    Attributes:
        name: Name of the file.
        width_px: Columns.
        height_px: Rows.
        gsd_m: Meters per pixel; None if neither the image nor the request specifies it.
        bands: Names of the bands in the file; "" for a band without a name.
        outline: Longitude and latitude of points along its border, in degrees; None without a
            georeference. Longitudes exceed ±180 if it crosses the antimeridian.
        acquired: Time of the acquisition, ISO 8601 with a time zone; None if unknown.
        seconds: Estimated duration of the search.
        notes: Sentences about how the values were read.
        preview: uint8 (h, w, 3), a reduced image with the values that the search uses.
        refusal: The error with which a search would fail; None if it would not.
    """

    name: str
    width_px: int
    height_px: int
    gsd_m: float | None
    bands: tuple[str, ...]
    outline: tuple[tuple[float, float], ...] | None
    acquired: str | None
    seconds: float
    notes: tuple[str, ...]
    preview: Pixels
    refusal: ShipdetError | None

    @property
    def bbox(self) -> tuple[float, float, float, float] | None:
        """West, south, east and north of ``outline``; None without a georeference."""
        if self.outline is None:
            return None
        lon, lat = np.array(self.outline).T
        return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


def inspect_image(
    path: str | Path,
    request: ImageRequest,
    settings: Settings | None = None,
    *,
    untrusted: bool = False,
) -> ImageFacts:
    """Read the facts of an image without searching it.

    Args:
        path: A PNG, JPEG or GeoTIFF.
        request: How to read and search it.
        settings: Replaces the settings of the environment.
        untrusted: Whether the request comes from a web visitor, who may choose listed models only.

    Returns:
        The facts; ``refusal`` is the error with which a search would fail.

    Raises:
        BadImage: The image cannot be opened.
        BadOption: A value of the request does not apply to the image.
        UnknownModel: The model does not exist.
    """
    settings = settings or get_settings()
    how = plan_search(request.search, settings, untrusted)
    picture, missing = _opened(Path(path), request, settings)
    refusal: ShipdetError | None = missing
    gsd_m = None if refusal else picture.grid.gsd_m
    if refusal is None:
        try:
            check_image(picture, how)
        except ShipdetError as error:
            refusal = error
    grid = picture.grid
    provenance = picture.provenance
    raw_px = grid.width * grid.height
    return ImageFacts(
        name=provenance.title,
        width_px=grid.width,
        height_px=grid.height,
        gsd_m=gsd_m,
        bands=band_names(Path(path)),
        outline=_outline(picture),
        acquired=provenance.details.get("acquired"),
        seconds=search_seconds(how, raw_px, grid.gsd_m) + report_seconds(how, raw_px),
        notes=provenance.notes,
        preview=preview(picture),
        refusal=refusal,
    )


def _opened(
    path: Path, request: ImageRequest, settings: Settings
) -> tuple[Picture, MissingScale | None]:
    """Open the image; without a scale, at 1 m per pixel and with the error."""
    bands, stretch = request.bands, request.stretch
    try:
        return open_raster(path, request.gsd_m, settings, bands=bands, stretch=stretch), None
    except MissingScale as error:
        return open_raster(path, 1.0, settings, bands=bands, stretch=stretch), error


def _outline(picture: Picture) -> tuple[tuple[float, float], ...] | None:
    grid = picture.grid
    if not grid.georeferenced:
        return None
    share = np.linspace(0, 1, _SIDE_POINTS, endpoint=False)
    ahead, zero, one = share[:, None], np.zeros((len(share), 1)), np.ones((len(share), 1))
    sides = [(ahead, zero), (one, ahead), (1 - ahead, one), (zero, 1 - ahead)]
    around = np.concatenate([np.hstack(side) for side in sides]) * (grid.width, grid.height)
    lonlat = grid.lonlat(around)
    turned = near_longitude(lonlat[:, 0], lonlat[0, 0])
    return tuple((float(lon), float(lat)) for lon, lat in zip(turned, lonlat[:, 1], strict=True))
