"""What every image that is opened must satisfy: its scale, its size, some data."""

import math

from shipdet.errors import BadImage, BadOption
from shipdet.settings import Settings

#: Smallest and largest meters per pixel.
GSD_RANGE_M = (0.05, 100.0)


def check_gsd(gsd_m: float) -> float:
    """The meters per pixel, or BadOption when they make no sense."""
    low, high = GSD_RANGE_M
    if not (math.isfinite(gsd_m) and low <= gsd_m <= high):
        raise BadOption(f"Meters per pixel must be from {low:g} to {high:g}, not {gsd_m:g}.")
    return gsd_m


def check_size(name: str, width: int, height: int, limit: int) -> None:
    """BadImage with the numbers when an image has more pixels than the limit."""
    if width * height > limit:
        raise BadImage(
            f"'{name}' has {width}x{height} pixels ({width * height / 1e6:,.0f} million), more "
            f"than the limit of {limit / 1e6:,.0f} million: cut or shrink it."
        )


def check_covered(name: str, any_covered: bool) -> None:
    """BadImage when not a pixel of an image has data."""
    if not any_covered:
        raise BadImage(f"'{name}' is empty: every pixel is transparent or without data.")


def held_limit(settings: Settings) -> int:
    """Most pixels of an image that must be held as a whole."""
    return min(settings.max_held_pixels, settings.max_raw_pixels)
