"""Checks of every image: its scale, its size, and that it has data."""

from shipdet.errors import BadImage, BadOption, MissingScale
from shipdet.settings import Settings

#: Smallest and largest meters per pixel.
GSD_RANGE_M = (0.05, 100.0)


def check_gsd(gsd_m: float) -> float:
    """Return the meters per pixel if they are in ``GSD_RANGE_M``.

    Raises:
        BadOption: They are out of range.
    """
    low, high = GSD_RANGE_M
    if not low <= gsd_m <= high:
        raise BadOption(f"Meters per pixel must be from {low:g} to {high:g}, not {gsd_m:g}.")
    return gsd_m


def check_file_gsd(name: str, gsd_m: float) -> None:
    """Check that the meters per pixel of a file's georeference are in ``GSD_RANGE_M``.

    Raises:
        BadImage: They are out of range.
    """
    low, high = GSD_RANGE_M
    if not low <= gsd_m <= high:
        raise BadImage(
            f"'{name}' has {gsd_m:g} m per pixel according to its georeference, which must be from "
            f"{low:g} to {high:g}: resample it, or correct its coordinate reference system and "
            "transform."
        )


def given_gsd(name: str, gsd_m: float | None) -> float:
    """Return the given meters per pixel of an image whose file does not state them.

    Raises:
        MissingScale: They are missing.
    """
    if gsd_m is None:
        raise MissingScale(f"'{name}' does not state its scale: give the meters per pixel (GSD).")
    return gsd_m


def check_size(name: str, width: int, height: int, limit: int) -> None:
    """Raise BadImage if an image has more pixels than the limit."""
    if width * height > limit:
        raise BadImage(
            f"'{name}' has {width}x{height} pixels ({width * height / 1e6:,.0f} million), more "
            f"than the limit of {limit / 1e6:,.0f} million: crop or reduce it."
        )


def check_covered(name: str, any_covered: bool) -> None:
    """Raise BadImage if no pixel of an image has data."""
    if not any_covered:
        raise BadImage(f"'{name}' is empty: every pixel is transparent or has no data.")


def held_limit(settings: Settings) -> int:
    """Return the largest number of pixels of an image in memory."""
    return min(settings.max_held_pixels, settings.max_raw_pixels)
