"""GDAL's surroundings: every use of rasterio in the package is inside :func:`gdal_env`."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import rasterio

CACHE_MB = 256
"""Of GDAL's cache of blocks, one for the whole process; its own default is 5 % of the memory."""

WRITING = {
    "GDAL_TIFF_INTERNAL_MASK": True,
    "GDAL_PAM_ENABLED": False,  # no side-car files
}
"""Options for writing GeoTIFFs."""


def gdal_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """All that rasterio raises when GDAL fails, and others, for an ``except`` clause.

    In some places it passes GDAL's own errors on, whose base is none of its public ones.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    return CPLE_BaseError, RasterioError, *others


def gdal_env(**options: Any) -> "rasterio.Env":
    """A context with GDAL's options, and its cache limited to ``CACHE_MB``.

    The limit holds in the whole process, from GDAL's first use to the end; one that is in the
    environment (``GDAL_CACHEMAX``) or that was in force before stays.
    """
    # As an option of Env it would count in bytes, and leaving any Env would give all threads the
    # default back, while pictures that were opened in it are still being read.
    os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MB))
    import rasterio  # takes a while to import

    return rasterio.Env(**options)
