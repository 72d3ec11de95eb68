"""Pictures on disk: PNG, JPEG, and the mosaic as a cloud-optimized GeoTIFF."""

import errno
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from shipdet.errors import StorageFull
from shipdet.gdal import WRITING, gdal_env, gdal_errors, gdal_threads
from shipdet.geometry import Grid
from shipdet.mosaic import Mosaic, Picture, Pixels
from shipdet.report.tiff import is_complete

ImageFormat = Literal["png", "jpg"]
_PIXEL_BYTES = 4  # red, green, blue and mask; or with the overviews instead of the mask
COG = {
    "driver": "COG",
    "compress": "DEFLATE",
    "level": 1,  # of 9: a third of the default's time for 4 % more bytes
    "predictor": "YES",
    "blocksize": 512,
    "overview_resampling": "average",
}
_RUN_LENGTHS = 3  # zlib's Z_RLE
#: Longest side that JPEG can hold.
JPEG_MAX_PX = 65_500
THUMBNAIL_PX = 320


def write_picture(path: Path, pixels: Pixels, quality: int = 90) -> None:
    """Write uint8 (height, width, 3) as PNG or JPEG, as the suffix says."""
    image = Image.fromarray(pixels)
    if path.suffix == ".png":
        # Only runs of a byte are shortened: four times faster than the default on imagery, whose
        # longer repetitions save nothing once lines are filtered, and at most 1 % larger.
        image.save(path, format="PNG", compress_level=1, compress_type=_RUN_LENGTHS)
    else:
        # From 90 on color keeps its full resolution.
        image.save(path, format="JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)


def read_picture(path: Path) -> Pixels:
    """Read a picture that :func:`write_picture` wrote: uint8 (height, width, 3)."""
    # Our own file: its size was checked against the limits before it was computed, and Pillow's
    # guard against decompression bombs is lower than what x4 may give. Only Image.open has that
    # guard; taking it away there would take it from uploads that another thread is opening.
    kind = PngImageFile if path.suffix == ".png" else JpegImageFile
    with kind(path) as image:
        return np.asarray(image.convert("RGB"))


def thumbnail(file: Path) -> bytes:
    """A JPEG of at most :data:`THUMBNAIL_PX` along a side, of a run's preview."""
    out = io.BytesIO()
    with Image.open(file, formats=("JPEG",)) as picture:
        picture.draft("RGB", (THUMBNAIL_PX, THUMBNAIL_PX))
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        picture.save(out, "JPEG", quality=85)
    return out.getvalue()


@contextmanager
def gdal_writing(path: Path, grid: Grid) -> Iterator[None]:
    """GDAL's surroundings for writing a picture to a file, and its failures as one sentence.

    GDAL does not say why it could not write, and what it had written is often gone again: without
    room for the picture uncompressed the disk counts as full (OSError, as any other writer has
    it), otherwise the folder is no good (StorageFull).
    """
    with gdal_env(**WRITING):
        try:
            yield
        except gdal_errors() as error:
            if shutil.disk_usage(path.parent).free < grid.width * grid.height * _PIXEL_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
            raise StorageFull(
                f"{path.name} cannot be written: choose another results folder."
            ) from error


def write_geotiff(path: Path, mosaic: Mosaic) -> None:
    """Write the mosaic with its map grid as a COG; pixels without data are masked.

    Needs a georeferenced grid. Tiled 512 px, overviews, DEFLATE, internal mask.
    """
    from rasterio.io import MemoryFile

    profile = raster_profile(mosaic.grid)
    # The COG driver only copies, and the mask must be inside the file it copies.
    with gdal_writing(path, mosaic.grid), MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(np.moveaxis(mosaic.pixels, -1, 0))
            if not mosaic.coverage.all():
                dataset.write_mask(mosaic.coverage)
            tag(dataset, mosaic)
        with memory.open() as dataset:
            copy_raster(dataset, path, **COG)


def copy_raster(source: Any, target: Path, **options: Any) -> None:
    """Write a dataset or file in another form, as rasterio does, and see that all of it is there.

    Raises RasterioError where it could not be written; GDAL says nothing of a disk that fills up
    with the last bytes.
    """
    from rasterio.errors import RasterioIOError
    from rasterio.shutil import copy

    copy(source, target, num_threads=gdal_threads(), **options)
    if not is_complete(target):
        raise RasterioIOError(f"{target.name} was not written to its end")


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


def tag(dataset: Any, picture: Picture) -> None:
    """Write where a picture comes from into a GeoTIFF."""
    source = picture.provenance
    dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION=source.title, TIFFTAG_COPYRIGHT=source.attribution)
