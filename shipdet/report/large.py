"""Images that do not fit in memory: written in strips, cropped from the file."""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from shipdet.gdal import gdal_env
from shipdet.geometry import Grid
from shipdet.mosaic import Picture, Pixels
from shipdet.progress import HEARTBEAT_S, Progress, Steps
from shipdet.report.raster import (
    COG,
    check_complete,
    copy_raster,
    gdal_writing,
    raster_profile,
    tag,
    write_picture,
)

#: Rows in memory at a time.
STRIP_PX = 512


def write_large(picture: Picture, geotiff: Path, preview: Path, preview_px: int) -> Steps[float]:
    """Write a COG and a preview of an image that does not fit in memory, in strips.

    Closing the generator stops within seconds.

    Args:
        picture: The image.
        geotiff: The file of the COG.
        preview: The file of the preview, a JPEG.
        preview_px: Longest side of the preview.

    Returns:
        The share of pixels that have data.
    """
    draft, grid = geotiff.with_suffix(".tmp"), picture.grid
    try:
        covered = yield from _write_draft(picture, draft)
        yield from _copy(draft, geotiff, grid, **COG, bigtiff="IF_SAFER")
    finally:
        draft.unlink(missing_ok=True)
    yield Progress("report", 0, 0, note=f"writing {preview.name}")
    write_picture(preview, _shrunk(geotiff, preview_px), 95)
    return covered


def read_around(path: Path, x: float, y: float, reach_px: int) -> tuple[Pixels, int, int]:
    """Read the surroundings of a pixel from the GeoTIFF of a large run.

    Args:
        path: The GeoTIFF.
        x: Column of the pixel.
        y: Row of the pixel.
        reach_px: Half the side of the square to read; it is clipped to the image.

    Returns:
        uint8 (h, w, 3), and the column and row of its upper left pixel.
    """
    from rasterio.windows import Window

    with _open(path) as dataset:
        left, top = max(0, int(x) - reach_px), max(0, int(y) - reach_px)
        right = min(dataset.width, int(x) + reach_px)
        bottom = min(dataset.height, int(y) + reach_px)
        values = dataset.read((1, 2, 3), window=Window(left, top, right - left, bottom - top))
    return np.ascontiguousarray(np.moveaxis(values, 0, -1)), left, top


def _write_draft(picture: Picture, draft: Path) -> Steps[float]:
    """Write an uncompressed GeoTIFF with a mask; return the share of pixels that have data."""
    import rasterio
    from rasterio.windows import Window

    grid = picture.grid
    profile = raster_profile(grid) | {
        "tiled": True,
        "blockxsize": STRIP_PX,
        "blockysize": STRIP_PX,
        "BIGTIFF": "IF_SAFER",
    }
    # An Env belongs to one thread, and the generator may continue in another one.
    with gdal_writing(draft, grid), _ignore_missing_georeference():
        dataset = rasterio.open(draft, "w", **profile)
    covered = 0
    with closing(dataset):
        tag(dataset, picture)
        for top in range(0, grid.height, STRIP_PX):
            yield Progress("report", top, grid.height, "rows", "copying the image")
            bottom = min(top + STRIP_PX, grid.height)
            pixels, mask = picture.read(0, top, grid.width, bottom)
            window = Window(0, top, grid.width, bottom - top)
            with gdal_writing(draft, grid):
                dataset.write(np.moveaxis(pixels, -1, 0), window=window)
                dataset.write_mask(mask, window=window)
            covered += int(np.count_nonzero(mask))
    with gdal_writing(draft, grid):
        check_complete(draft)
    return covered / (grid.width * grid.height)


def _copy(draft: Path, target: Path, grid: Grid, **options: Any) -> Steps[None]:
    """Write the draft in another format, in a thread, so that the caller can cancel."""

    def copied() -> None:
        with gdal_writing(target, grid):
            copy_raster(draft, target, **options)

    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(copied)
        try:
            while not wait([copying], HEARTBEAT_S).done:
                yield Progress("report", 0, 0, note=f"writing {target.name}")
        finally:
            if not copying.done():
                # rasterio cannot interrupt a copy. Truncating the source makes the copy fail at the
                # next read beyond GDAL's cache.
                os.truncate(draft, 0)
        copying.result()


def _shrunk(geotiff: Path, most_px: int) -> Pixels:
    """Read a GeoTIFF, reduced to at most ``most_px`` along a side: uint8 (h, w, 3)."""
    from rasterio.enums import Resampling

    with _open(geotiff) as dataset:
        factor = min(1.0, most_px / max(dataset.width, dataset.height))
        size = (max(1, round(dataset.height * factor)), max(1, round(dataset.width * factor)))
        small = dataset.read((1, 2, 3), out_shape=(3, *size), resampling=Resampling.average)
    return np.ascontiguousarray(np.moveaxis(small, 0, -1))


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open a GeoTIFF that this package wrote, with or without a georeference."""
    import rasterio

    with gdal_env(), _ignore_missing_georeference(), rasterio.open(path, driver="GTiff") as dataset:
        yield dataset


@contextmanager
def _ignore_missing_georeference() -> Iterator[None]:
    """Suppress rasterio's warning about a missing georeference; large images may lack one."""
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
