"""Preview an image and list its bands, to choose how to read it."""

import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from PIL import Image

from shipdet.imagery.survey import strips
from shipdet.imagery.tiff_pages import TIFF_MAGIC
from shipdet.mosaic import Picture, Pixels

#: Longest side of a preview in pixels.
PREVIEW_PX = 720
#: Color interpretations that do not name a color.
_NO_COLORS = ("undefined", "gray", "grey")


def preview(picture: Picture, longest_px: int = PREVIEW_PX) -> Pixels:
    """Reduce an image that is completely downloaded.

    Args:
        picture: The image.
        longest_px: Largest length of the longer side.

    Returns:
        uint8 (h, w, 3) RGB, averaged over blocks of pixels; black where there is no data.
    """
    import cv2  # takes a while to import

    grid = picture.grid
    step = max(1, math.ceil(max(grid.width, grid.height) / longest_px))
    width = math.ceil(grid.width / step)
    rows = []
    for strip in strips((grid.width, grid.height), step):
        pixels, _ = picture.read(*strip)
        height = math.ceil(strip.height / step)
        rows.append(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
    return np.asarray(np.concatenate(rows), np.uint8)


def band_names(path: Path) -> tuple[str, ...]:
    """Return the names of the bands of an image file, in order.

    Args:
        path: A file that :func:`~shipdet.imagery.picture.open_raster` opens.

    Returns:
        A name for each band, such as "red" or "B04"; "" if the file has none.
    """
    try:
        with path.open("rb") as file:
            is_tiff = file.read(4) in TIFF_MAGIC
        return _tiff_bands(path) if is_tiff else _plain_bands(path)
    except OSError:
        return ()


def _tiff_bands(path: Path) -> tuple[str, ...]:
    from shipdet.gdal import gdal_env, gdal_errors
    from shipdet.imagery.geotiff import largest_page, opened  # import rasterio

    try:
        with gdal_env(), ExitStack() as stack:
            page, _, _ = largest_page(path, stack.enter_context(opened(path, stack)), [], stack)
            described = page.descriptions
            colors = [meaning.name for meaning in page.colorinterp]
    except gdal_errors(ValueError):
        return ()
    return tuple(
        name or ("" if color in _NO_COLORS else color)
        for name, color in zip(described, colors, strict=True)
    )


def _plain_bands(path: Path) -> tuple[str, ...]:
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        names = {"R": "red", "G": "green", "B": "blue", "A": "alpha"}
        return tuple(names.get(band, "") for band in image.getbands())
