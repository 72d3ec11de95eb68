"""The facts of a user's own image, and an estimate of its search."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shipdet.errors import MissingScale, ShipdetError
from shipdet.geometry import BBox, near_longitude
from shipdet.imagery import open_raster
from shipdet.imagery.preview import band_names, preview
from shipdet.mosaic import Picture, Pixels
from shipdet.pipeline.choosing import plan_search
from shipdet.pipeline.estimating import report_seconds, search_seconds
from shipdet.pipeline.running import check_image
from shipdet.requests import ImageRequest
from shipdet.settings import Settings, get_settings

#: Points along each side of an image whose places make its outline.
_SIDE_POINTS = 8


@dataclass(frozen=True)
class ImageFacts:
    """An image that was looked at.

    Attributes:
        name: Of the file.
        width_px: Columns.
        height_px: Rows.
        gsd_m: Meters per pixel; None where neither the image nor the request says it.
        bands: What the file calls its bands; "" where it gives no name.
        outline: Longitude and latitude of points around it in one direction; None where it has no
            place. Longitudes go beyond 180 where it crosses the antimeridian.
        acquired: When it was taken, ISO 8601 with its zone; None where the file does not say.
        seconds: What the search is likely to take.
        notes: Sentences about how the values were read.
        preview: uint8 (h, w, 3), the image in small, as the search will see it.
        refusal: Why it cannot be searched with this request; None where it can.
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
    def bbox(self) -> BBox | None:
        """The upright box around the outline, where there is one on one side of the line."""
        if self.outline is None:
            return None
        lon, lat = np.array(self.outline).T
        try:
            return BBox(float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
        except ShipdetError:
            return None


def inspect_image(
    path: str | Path,
    request: ImageRequest,
    settings: Settings | None = None,
    *,
    untrusted: bool = False,
) -> ImageFacts:
    """Look at an image without searching it.

    Args:
        path: A PNG, JPEG or GeoTIFF.
        request: How it would be read and searched.
        settings: Instead of those of the environment.
        untrusted: Whether a web visitor asks, who may choose listed models only.

    Returns:
        Its size, place, colors and time; ``refusal`` is what a search would fail with.

    Raises:
        BadImage: It cannot be opened.
        BadOption: A value of the request does not fit it.
        UnknownModel: There is no such model.
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
    """The picture; where its scale is missing, with some scale so that it can be shown."""
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
