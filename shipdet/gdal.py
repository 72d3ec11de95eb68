"""GDAL's options. All uses of rasterio in the package are inside :func:`gdal_env`."""

import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import rasterio

log = logging.getLogger(__name__)

CACHE_MB = 256
"""Size of GDAL's block cache, one per process; GDAL's own default is 5 % of the memory."""

WRITING = {
    "GDAL_TIFF_INTERNAL_MASK": True,
    "GDAL_PAM_ENABLED": False,  # no side-car files
}
"""Options for writing GeoTIFFs."""
DATA_VARIABLES = ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH")
"""Variables that PostGIS, QGIS and conda set to the data and plugins of their own GDAL."""


class _Fork:
    """Whether this process was forked from one that may have used GDAL."""

    after_rasterio = False


def _after_fork_in_child() -> None:
    _Fork.after_rasterio = "rasterio" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def gdal_threads() -> str:
    """Return GDAL's option ``NUM_THREADS``: all processors, or "1" in a forked process.

    A process forked after the import of GDAL has GDAL's thread pool without its threads, and would
    wait for them forever.
    """
    return "1" if _Fork.after_rasterio else "ALL_CPUS"


def gdal_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return what rasterio raises when GDAL fails, and ``others``, for an ``except`` clause.

    rasterio sometimes passes on GDAL's own errors, whose base class is not public.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    return CPLE_BaseError, RasterioError, *others


def gdal_env(**options: Any) -> "rasterio.Env":
    """Return a context with GDAL's options, and limit GDAL's cache to ``CACHE_MB``.

    The limit applies to the whole process once GDAL is used. An existing ``GDAL_CACHEMAX`` of the
    environment takes precedence.
    """
    # Not an option of Env: leaving an Env would restore the default limit in all threads, while
    # images opened in it are still being read.
    os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MB))
    import rasterio  # slow to import

    return rasterio.Env(**options)


def _use_own_data() -> None:
    """Make rasterio use the data of its own wheel instead of the environment's.

    rasterio prefers the environment's data, which is unreadable if it belongs to another version of
    PROJ. The variables are removed from this process, because PROJ reads them in every thread. A
    rasterio without its own data (built against the system's GDAL) keeps the environment's.
    """
    spec = find_spec("rasterio")
    if spec is None or spec.origin is None:
        return  # importing rasterio raises the error
    data = Path(spec.origin).parent / "proj_data"
    named = [name for name in DATA_VARIABLES if name in os.environ]
    if not named or not (data / "proj.db").is_file():
        return
    for name in named:
        del os.environ[name]
    log.info("%s ignored: rasterio has its own data", " and ".join(named))
    if "rasterio" in sys.modules:  # it has already read the variables
        from rasterio.env import set_proj_data_search_path

        set_proj_data_search_path(str(data))


_use_own_data()  # at import time, since other modules create rasterio values at import time
