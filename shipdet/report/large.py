"""Pictures that are too large to hold: written in strips, cropped from the file."""

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
from shipdet.report.raster import COG, copy_raster, gdal_writing, raster_profile, tag, write_picture

#: Rows that are held at a time.
STRIP_PX = 512


def write_large(picture: Picture, geotiff: Path, preview: Path, preview_px: int) -> Steps[float]:
    """Write an image that is too large to hold, in strips: a COG and a preview.

    ``preview`` (JPEG) has at most ``preview_px`` along a side. Returns the share of pixels that
    have data. Closing the generator stops within seconds.
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
    """What a large run's GeoTIFF shows around a pixel: uint8 (h, w, 3), its left and its top."""
    from rasterio.windows import Window

    with _opened(path) as dataset:
        left, top = max(0, int(x) - reach_px), max(0, int(y) - reach_px)
        right = min(dataset.width, int(x) + reach_px)
        bottom = min(dataset.height, int(y) + reach_px)
        values = dataset.read((1, 2, 3), window=Window(left, top, right - left, bottom - top))
    return np.ascontiguousarray(np.moveaxis(values, 0, -1)), left, top


def _write_draft(picture: Picture, draft: Path) -> Steps[float]:
    """An uncompressed GeoTIFF with its mask; the share of pixels that have data."""
    import rasterio
    from rasterio.windows import Window

    grid = picture.grid
    profile = raster_profile(grid) | {
        "tiled": True,
        "blockxsize": STRIP_PX,
        "blockysize": STRIP_PX,
        "BIGTIFF": "IF_SAFER",
    }
    # An Env belongs to a thread, and another one may read the next strip.
    with gdal_writing(draft, grid), _without_place():
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
                # rasterio cannot interrupt a copy, but one whose source ends fails as soon as it
                # wants more of it than GDAL's cache has.
                os.truncate(draft, 0)
        copying.result()


def _shrunk(geotiff: Path, most_px: int) -> Pixels:
    """The image of a GeoTIFF with at most this many pixels along a side: uint8 (h, w, 3)."""
    from rasterio.enums import Resampling

    with _opened(geotiff) as dataset:
        factor = min(1.0, most_px / max(dataset.width, dataset.height))
        size = (max(1, round(dataset.height * factor)), max(1, round(dataset.width * factor)))
        small = dataset.read((1, 2, 3), out_shape=(3, *size), resampling=Resampling.average)
    return np.ascontiguousarray(np.moveaxis(small, 0, -1))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A GeoTIFF of ours to read, georeferenced or not."""
    import rasterio

    with gdal_env(), _without_place(), rasterio.open(path, driver="GTiff") as dataset:
        yield dataset


@contextmanager
def _without_place() -> Iterator[None]:
    """No warning of a picture without a georeference: a large one is a GeoTIFF all the same."""
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
