"""Pictures on disk: PNG, JPEG, and the mosaic as a cloud-optimised GeoTIFF; in strips if large."""

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from shipdet.gdal import WRITING, gdal_env
from shipdet.geometry import Grid
from shipdet.mosaic import Mosaic, Picture, Pixels

ImageFormat = Literal["png", "jpg"]
JPEG_MAX_PX = 65_500  # longest side that JPEG can hold
STRIP_PX = 512
COG = {
    "driver": "COG",
    "compress": "DEFLATE",
    "predictor": "YES",
    "blocksize": 512,
    "overview_resampling": "average",
}


def write_picture(path: Path, pixels: Pixels, quality: int = 90) -> None:
    """Write uint8 (height, width, 3) as PNG or JPEG, as the suffix says."""
    image = Image.fromarray(pixels)
    if path.suffix == ".png":
        # Level 3 is four times faster than the default and some 5 % larger on imagery.
        image.save(path, format="PNG", compress_level=3)
    else:
        image.save(path, format="JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)


def read_picture(path: Path) -> Pixels:
    """Read a picture that :func:`write_picture` wrote: uint8 (height, width, 3)."""
    # Our own file: its size was checked against the limits before it was computed, and Pillow's
    # guard against decompression bombs is lower than what x4 may give.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(path, formats=["PNG", "JPEG"]) as image:
                return np.asarray(image.convert("RGB"))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def write_geotiff(path: Path, mosaic: Mosaic) -> None:
    """Write the mosaic with its map grid as a COG; pixels without data are masked.

    Needs a georeferenced grid. Tiled 512 px, overviews, DEFLATE, internal mask.
    """
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    profile = raster_profile(mosaic.grid)
    # The COG driver only copies, and the mask must be inside the file it copies.
    with gdal_env(**WRITING), MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(np.moveaxis(mosaic.pixels, -1, 0))
            if not mosaic.coverage.all():
                dataset.write_mask(mosaic.coverage)
            _tag(dataset, mosaic)
        with memory.open() as dataset:
            copy(dataset, path, **COG)


def write_large(
    picture: Picture, geotiff: Path, flat: Path, preview: Path, preview_px: int, quality: int
) -> float:
    """Write a picture that is too large to hold: COG, PNG or JPEG, and a preview, in strips.

    ``flat`` has the full size; ``preview`` (JPEG) at most ``preview_px`` along a side. Returns the
    share of pixels that have data.
    """
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.shutil import copy
    from rasterio.windows import Window

    grid = picture.grid
    draft = geotiff.with_suffix(".tmp")
    profile = raster_profile(grid) | {
        "tiled": True,
        "blockxsize": STRIP_PX,
        "blockysize": STRIP_PX,
        "BIGTIFF": "IF_SAFER",
    }
    covered = 0
    with gdal_env(**WRITING), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            with rasterio.open(draft, "w", **profile) as dataset:
                for top in range(0, grid.height, STRIP_PX):
                    bottom = min(top + STRIP_PX, grid.height)
                    pixels, mask = picture.read(0, top, grid.width, bottom)
                    window = Window(0, top, grid.width, bottom - top)
                    dataset.write(np.moveaxis(pixels, -1, 0), window=window)
                    dataset.write_mask(mask, window=window)
                    covered += int(np.count_nonzero(mask))
                _tag(dataset, picture)
            with rasterio.open(draft) as dataset:
                copy(dataset, geotiff, **COG, bigtiff="IF_SAFER")
                if flat.suffix == ".png":
                    copy(dataset, flat, driver="PNG", zlevel=3)
                else:
                    copy(dataset, flat, driver="JPEG", quality=quality, internal_mask=False)
        finally:
            draft.unlink(missing_ok=True)
            flat.with_name(f"{flat.name}.msk").unlink(missing_ok=True)
        with rasterio.open(geotiff) as dataset:
            factor = min(1.0, preview_px / max(grid.width, grid.height))
            size = (max(1, round(grid.height * factor)), max(1, round(grid.width * factor)))
            small = dataset.read((1, 2, 3), out_shape=(3, *size), resampling=Resampling.average)
    write_picture(preview, np.moveaxis(small, 0, -1), 95)
    return covered / (grid.width * grid.height)


def read_around(path: Path, x: float, y: float, reach_px: int) -> tuple[Pixels, int, int]:
    """What a large run's GeoTIFF shows around a pixel: uint8 (h, w, 3), its left and its top."""
    import rasterio
    from rasterio.windows import Window

    with gdal_env(), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, driver="GTiff") as dataset:
            left, top = max(0, int(x) - reach_px), max(0, int(y) - reach_px)
            right = min(dataset.width, int(x) + reach_px)
            bottom = min(dataset.height, int(y) + reach_px)
            values = dataset.read((1, 2, 3), window=Window(left, top, right - left, bottom - top))
    return np.ascontiguousarray(np.moveaxis(values, 0, -1)), left, top


def raster_profile(grid: Grid) -> dict[str, Any]:
    """What rasterio must know of an RGB picture to write it as a GeoTIFF."""
    from rasterio.transform import Affine

    profile = {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": 3,
        "dtype": "uint8",
        "photometric": "RGB",
    }
    if grid.georeferenced:
        profile |= {"crs": grid.crs, "transform": Affine(*grid.transform)}
    return profile


def _tag(dataset: Any, picture: Picture) -> None:
    source = picture.provenance
    dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION=source.title, TIFFTAG_COPYRIGHT=source.attribution)
