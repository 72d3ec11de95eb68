"""Read a user's image from a file or from memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shipdet.errors import BadImage
from shipdet.geometry import Grid
from shipdet.imagery import arrays, plain
from shipdet.imagery.bands import Bands, parse_bands
from shipdet.imagery.limits import check_gsd, check_size, given_gsd, held_limit
from shipdet.imagery.rendering import render
from shipdet.imagery.stretch import check_stretch
from shipdet.imagery.survey import ArrayValues
from shipdet.imagery.tiff_pages import TIFF_MAGIC
from shipdet.mosaic import Picture
from shipdet.settings import Settings, get_settings


def open_raster(
    source: Any,
    gsd_m: float | None = None,
    settings: Settings | None = None,
    *,
    bands: Bands = None,
    stretch: str = "auto",
) -> Picture:
    """Read an image as 8-bit RGB with coverage, scale and georeference.

    Values of more than 8 bits are converted to 8 bits. Red, green and blue bands are chosen by the
    colors stated in the file. An undeclared constant border is treated as no data. The notes of the
    image's provenance describe these decisions.

    Args:
        source: Path of a PNG, JPEG or GeoTIFF (recognized by content), NumPy array (h, w),
            (h, w, 1) or (h, w, 3), Pillow image, open rasterio dataset, or xarray DataArray with
            the dimensions y, x and at most one for bands.
        gsd_m: Meters per pixel, required without a georeference, which takes precedence.
        settings: Replaces the settings of the environment.
        bands: Numbers, from 1, of the red, green and blue bands or of one gray band, as "3,2,1" or
            (3, 2, 1).
        stretch: "auto" imitates 8-bit imagery, "percentile" stretches the 2nd to the 98th
            percentile, "minmax" the lowest to the highest value, "none" clips to 0 to 255.

    Returns:
        A :class:`~shipdet.mosaic.Mosaic`, uint8 (h, w, 3). For a TIFF or dataset larger than
        ``settings.max_held_pixels``, a :class:`~shipdet.mosaic.Picture` that reads windows on
        demand.

    Raises:
        BadImage: The image is unreadable, too large, or has no data, or the scale of its
            georeference is out of range.
        MissingScale: The image has no georeference and ``gsd_m`` is missing.
        BadOption: ``gsd_m``, ``bands`` or ``stretch`` is out of range.

    Example:
        >>> picture = open_raster("harbor.tif")
        >>> picture = open_raster(np.zeros((100, 100, 3), np.uint8), gsd_m=3)
    """
    settings = settings or get_settings()
    chosen, how = parse_bands(bands), check_stretch(stretch)
    if gsd_m is not None:
        check_gsd(gsd_m)
    if isinstance(source, str | os.PathLike):
        path = Path(os.fsdecode(source))
        name = os.fsencode(path.name).decode("utf-8", "replace")
        if _is_tiff(path, name):
            # rasterio takes a while to import.
            from shipdet.imagery.geotiff import Reading, open_geotiff

            return open_geotiff(path, name, Reading(gsd_m, chosen, how, settings))
        notes: list[str] = []
        values, covered = plain.read_file(path, name, gsd_m, settings, notes)
    elif isinstance(source, Image.Image):
        name, notes = "the Pillow image", []
        check_size(name, source.width, source.height, held_limit(settings))
        values, covered = plain.read_pillow(source, notes)
    elif isinstance(source, np.ndarray):
        name, notes = "the array", []
        if source.ndim >= 2:
            check_size(name, source.shape[1], source.shape[0], held_limit(settings))
        values, covered = arrays.read_array(source, name, chosen, notes)
        chosen = ()
    elif arrays.is_data_array(source):
        return _data_array(source, gsd_m, settings, chosen, how)
    elif all(hasattr(source, name) for name in ("read", "dataset_mask", "transform", "crs")):
        from shipdet.imagery.geotiff import Reading, open_dataset

        title = os.path.basename(str(source.name)) or "the dataset"
        return open_dataset(source, title, Reading(gsd_m, chosen, how, settings))
    else:
        raise BadImage(
            f"A {type(source).__name__} is not an image: give a path, a NumPy "
            "array, a Pillow image, a rasterio dataset or an xarray DataArray."
        )
    if chosen:
        values, covered = arrays.read_array(
            np.ma.array(values, mask=np.broadcast_to(~covered[..., None], values.shape)),
            name,
            chosen,
            notes,
        )
    gsd_m = given_gsd(name, gsd_m)
    height, width = covered.shape
    grid = Grid(width, height, gsd_m, gsd_m)
    return render(ArrayValues(values, covered), grid, name, notes, how, hold=True)


def _is_tiff(path: Path, name: str) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in TIFF_MAGIC
    except (OSError, ValueError) as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise BadImage(f"The image '{name}' {reason}: choose another file.") from None


def _data_array(
    source: Any, gsd_m: float | None, settings: Settings, chosen: tuple[int, ...], how: Any
) -> Picture:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    from shipdet.imagery.placing import Georeference, place

    name = str(source.name or "the DataArray")
    notes: list[str] = []
    values, covered, calibration, crs, transform = arrays.read_data_array(
        source, name, chosen, held_limit(settings), notes
    )
    height, width = covered.shape
    stated = Georeference()
    if transform:
        try:
            stated = Georeference(CRS.from_user_input(crs) if crs else None, transform)
        except CRSError:
            notes.append("The coordinate reference system (CRS) of the DataArray is invalid.")
    grid = place((width, height), stated, name, gsd_m, notes)
    data = ArrayValues(values, covered, calibration)
    return render(data, grid, name, notes, how, hold=True)
