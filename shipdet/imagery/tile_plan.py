"""Plan a download: zoom, tiles and size, checked against the limits."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipdet.areas import Area
from shipdet.errors import AreaTooLarge, BadOption, BadZoom
from shipdet.geometry import (
    MAX_LATITUDE,
    TILE_PX,
    BBox,
    PixelBox,
    gsd_at,
    pixel_box,
    pixel_to_lonlat,
    tiles_of,
)
from shipdet.imagery.providers import Provider, effective_provider
from shipdet.requests import UPSCALE
from shipdet.settings import Settings, get_settings

if TYPE_CHECKING:
    from shipdet.imagery.stac import Acquisition

#: A scale that is coarser than the model's by up to this factor is treated as equal.
SAME_SCALE = 1.01


@dataclass(frozen=True, slots=True)
class Plan:
    """The tiles and the size of a download; ``searched_px`` is after super-resolution.

    ``provider`` may be the fallback of the requested one; ``acquisition`` is the chosen one of
    dated imagery; the download is limited to the polygons of ``area``.
    """

    provider: Provider
    zoom: int
    box: PixelBox
    tiles: int
    width_px: int
    height_px: int
    gsd_m: float
    searched_px: int
    download_mb: float
    notes: tuple[str, ...] = ()
    acquisition: "Acquisition | None" = None
    area: Area | None = None

    @property
    def wanted(self) -> list[tuple[int, int]]:
        """(x, y) of the tiles to download: those that the area touches, row by row."""
        return _wanted(self.box, self.zoom, self.area)

    @property
    def raw_px(self) -> int:
        """Pixels of the mosaic before super-resolution."""
        return self.width_px * self.height_px


def plan(
    bbox: BBox,
    zoom: int,
    provider: Provider,
    passes: int = 0,
    settings: Settings | None = None,
    *,
    acquisition: "Acquisition | None" = None,
    area: Area | None = None,
) -> Plan:
    """Compute tiles, pixels and megabytes of an area without downloading anything.

    Raises:
        ProviderRefused, BadZoom, BadOption, AreaTooLarge: The provider, the zoom or ``passes``
            cannot be used, or a limit is exceeded.
    """
    settings = settings or get_settings()
    provider, notes = effective_provider(provider, settings)
    _check_passes(passes)
    zoom = check_zoom(zoom, provider)
    box = pixel_box(bbox, zoom)
    if _excess(box, passes, settings):
        raise AreaTooLarge(_too_large(bbox, box, zoom, provider, passes, settings))
    if zoom > provider.native_zoom:
        notes = (
            *notes,
            f"Zoom {zoom} is above the native zoom {provider.native_zoom} of {provider.title}: "
            "the image is enlarged, without more detail.",
        )
    if acquisition is not None:
        notes = (*notes, *acquisition.notes())
    tiles = len(_wanted(box, zoom, area))
    return Plan(
        provider,
        zoom,
        box,
        tiles,
        box.width,
        box.height,
        gsd_at(bbox.center[1], zoom),
        box.width * box.height * UPSCALE ** (2 * passes),
        tiles * provider.tile_kb / 1024,
        notes,
        acquisition,
        area,
    )


def recommended_zoom(
    provider: Provider,
    latitude: float,
    model_gsd_m: float,
    finest_gsd_m: float | None = None,
    passes: int = 0,
) -> tuple[int, str]:
    """Return the coarsest zoom with the detail that the model needs, and the reason.

    Args:
        provider: The provider; its native zoom is the upper limit.
        latitude: Latitude of the middle of the area, in degrees.
        model_gsd_m: Meters per pixel that the model needs.
        finest_gsd_m: Meters per pixel below which the model gains nothing; None: ``model_gsd_m``.
        passes: Number of passes of x4 super-resolution.

    Returns:
        The zoom at which a pixel is at most as large as one of the model, within the provider's
        range, and the reason as a sentence.
    """
    _check_passes(passes)
    raw_gsd_m = model_gsd_m * UPSCALE**passes
    zoom = math.ceil(math.log2(gsd_at(latitude, 0) / (raw_gsd_m * SAME_SCALE)))
    # Above the native zoom there is no more detail; below the useful one ships are not visible.
    chosen = max(provider.min_useful_zoom, min(zoom, provider.native_zoom))
    gsd_m = gsd_at(latitude, chosen)
    scale = f"Zoom {chosen} gives {gsd_m:.2g} m per pixel at latitude {latitude:.1f}"
    if chosen < zoom:
        return chosen, (
            f"{scale}, the native resolution of {provider.title}: a higher zoom adds no detail."
        )
    if chosen > zoom:
        return chosen, f"{scale}: at a lower zoom ships have too few pixels to be recognized."
    finest_gsd_m = finest_gsd_m or model_gsd_m
    if passes:
        sharp_m = gsd_m / UPSCALE**passes
        return chosen, (
            f"{scale}, and {sharp_m:.2g} m after x{UPSCALE**passes} super-resolution, as much "
            f"detail as the model needs ({model_gsd_m:.2g} m)."
        )
    if gsd_m > finest_gsd_m * SAME_SCALE and chosen < provider.native_zoom:
        return chosen, (
            f"{scale}, enough for the model ({model_gsd_m:.2g} m). Zoom {chosen + 1} shows small "
            "ships better and takes four times as many tiles."
        )
    return chosen, f"{scale}, as much detail as the model can use ({finest_gsd_m:.2g} m)."


def check_zoom(zoom: int, provider: Provider) -> int:
    """Return the zoom as an integer; raises BadZoom outside the provider's range."""
    if zoom != zoom or int(zoom) != zoom or not provider.min_zoom <= zoom <= provider.max_zoom:
        raise BadZoom(
            f"{provider.title} has no zoom {zoom}: choose a whole number from "
            f"{provider.min_zoom} to {provider.max_zoom}."
        )
    return int(zoom)


def _check_passes(passes: int) -> None:
    if passes not in (0, 1, 2):
        raise BadOption(f"Super-resolution takes 0, 1 or 2 passes (none, x4 or x16), not {passes}.")


def _wanted(box: PixelBox, zoom: int, area: Area | None) -> list[tuple[int, int]]:
    tiles = tiles_of(box)
    if area is None or area.polygon is None:
        return tiles
    return [(x, y) for x, y in tiles if area.touches(_tile_degrees(zoom, x, y))]


def _tile_degrees(zoom: int, x: int, y: int) -> BBox:
    corners = [[x * TILE_PX, y * TILE_PX], [(x + 1) * TILE_PX, (y + 1) * TILE_PX]]
    (west, north), (east, south) = pixel_to_lonlat(corners, zoom).tolist()
    return BBox(
        max(west, -180.0), max(south, -MAX_LATITUDE), min(east, 180.0), min(north, MAX_LATITUDE)
    )


def _tile_count(box: PixelBox) -> int:
    columns = (box.x1 - 1) // TILE_PX - box.x0 // TILE_PX + 1
    rows = (box.y1 - 1) // TILE_PX - box.y0 // TILE_PX + 1
    return columns * rows


def _excess(box: PixelBox, passes: int, settings: Settings) -> str:
    """Describe the first limit that is exceeded; "" if none is."""
    tiles, raw = _tile_count(box), box.width * box.height
    searched = raw * UPSCALE ** (2 * passes)
    if tiles > settings.max_tiles:
        return f"{tiles:,} tiles, and at most {settings.max_tiles:,} are allowed"
    if raw > settings.max_raw_pixels:
        most = settings.max_raw_pixels / 1e6
        return f"{raw / 1e6:,.0f} million pixels, and at most {most:,.0f} million are allowed"
    if passes and searched > settings.max_searched_pixels:
        return (
            f"{searched / 1e6:,.0f} million pixels after super-resolution x{UPSCALE**passes}, "
            f"and at most {settings.max_searched_pixels / 1e6:,.0f} million are allowed"
        )
    return ""


def _too_large(
    bbox: BBox, box: PixelBox, zoom: int, provider: Provider, passes: int, settings: Settings
) -> str:
    start = (
        f"The area of {bbox.area_km2:,.0f} km² at zoom {zoom} needs "
        f"{_excess(box, passes, settings)}"
    )
    fits = next(
        (
            lower
            for lower in range(zoom - 1, provider.min_zoom - 1, -1)
            if not _excess(pixel_box(bbox, lower), passes, settings)
        ),
        None,
    )
    fewer = "" if _excess(box, 0, settings) else " or use less super-resolution"
    if fits is None:
        return f"{start}, and no lower zoom is within the limits: draw a smaller area{fewer}."
    if fits < provider.min_useful_zoom:
        return (
            f"{start}; the highest zoom within the limits is {fits}, at which ships cannot be "
            f"recognized: draw a smaller area{fewer}."
        )
    return (
        f"{start}: choose zoom {fits}, the highest within the limits, or draw a smaller "
        f"area{fewer}."
    )
