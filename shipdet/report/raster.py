"""Images on disk: PNG, JPEG, and the mosaic as a cloud-optimized GeoTIFF (COG)."""

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
_PIXEL_BYTES = 4  # red, green, blue, and the mask or the overviews
COG = {
    "driver": "COG",
    "compress": "DEFLATE",
    "level": 1,  # of 9: a third of the time of the default, 4 % more bytes
    "predictor": "YES",
    "blocksize": 512,
    "overview_resampling": "average",
}
_RUN_LENGTHS = 3  # zlib's Z_RLE
#: Longest side of a JPEG.
JPEG_MAX_PX = 65_500
THUMBNAIL_PX = 320


def write_picture(path: Path, pixels: Pixels, quality: int = 90) -> None:
    """Write uint8 (height, width, 3) as PNG or JPEG, depending on the suffix."""
    image = Image.fromarray(pixels)
    if path.suffix == ".png":
        # Run-length encoding alone is four times faster than the default and at most 1 % larger:
        # filtered lines of imagery have few longer repetitions.
        image.save(path, format="PNG", compress_level=1, compress_type=_RUN_LENGTHS)
    else:
        encoded = io.BytesIO()  # into a file, Pillow does not report a write that is cut short
        # At 90 and above, color keeps its full resolution.
        image.save(encoded, format="JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)
        path.write_bytes(encoded.getbuffer())


def read_picture(path: Path) -> Pixels:
    """Read an image that :func:`write_picture` wrote: uint8 (height, width, 3)."""
    # Super-resolved images may exceed Pillow's limit for decompression bombs. Only Image.open
    # checks it, and changing it there would also affect uploads in other threads. These files are
    # safe: their size is checked against our own limits before they are written.
    kind = PngImageFile if path.suffix == ".png" else JpegImageFile
    with kind(path) as image:
        return np.asarray(image.convert("RGB"))


def thumbnail(file: Path) -> bytes:
    """Return a JPEG of a run's preview with at most :data:`THUMBNAIL_PX` along a side."""
    out = io.BytesIO()
    with Image.open(file, formats=("JPEG",)) as picture:
        picture.draft("RGB", (THUMBNAIL_PX, THUMBNAIL_PX))
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        picture.save(out, "JPEG", quality=85)
    return out.getvalue()


@contextmanager
def gdal_writing(path: Path, grid: Grid) -> Iterator[None]:
    """Set GDAL's options for writing an image, and convert its errors.

    GDAL does not report why writing fails, and may delete what it has written. So the disk counts
    as full if the uncompressed image does not fit on it.

    Raises:
        OSError: The disk is full (ENOSPC).
        StorageFull: Writing fails for another reason.
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
    """Write a georeferenced mosaic as a COG; pixels without data are masked.

    The file has tiles of 512 px, overviews, DEFLATE compression and an internal mask.
    """
    from rasterio.io import MemoryFile

    profile = raster_profile(mosaic.grid)
    # The COG driver can only copy a dataset, and its source must include the mask.
    with gdal_writing(path, mosaic.grid), MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(np.moveaxis(mosaic.pixels, -1, 0))
            if not mosaic.coverage.all():
                dataset.write_mask(mosaic.coverage)
            tag(dataset, mosaic)
        with memory.open() as dataset:
            copy_raster(dataset, path, **COG)


def copy_raster(source: Any, target: Path, **options: Any) -> None:
    """Copy a dataset or file to another format, and check that the result is complete.

    Raises:
        RasterioError: The file cannot be written.
    """
    from rasterio.shutil import copy

    copy(source, target, num_threads=gdal_threads(), **options)
    check_complete(target)


def check_complete(path: Path) -> None:
    """Check a TIFF that GDAL wrote: it does not report a disk that is full at the last write.

    Raises:
        RasterioError: The file is incomplete.
    """
    from rasterio.errors import RasterioIOError

    if not is_complete(path):
        raise RasterioIOError(f"{path.name} is incomplete")


def raster_profile(grid: Grid) -> dict[str, Any]:
    """Return rasterio's profile of an RGB image as a GeoTIFF."""
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
    """Write title and attribution of an image into the tags of a GeoTIFF."""
    source = picture.provenance
    dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION=source.title, TIFFTAG_COPYRIGHT=source.attribution)
