"""The environment of GDAL: every use of rasterio in the package is inside :func:`gdal_env`."""

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
"""Of GDAL's cache of blocks, one for the whole process; its own default is 5 % of the memory."""

WRITING = {
    "GDAL_TIFF_INTERNAL_MASK": True,
    "GDAL_PAM_ENABLED": False,  # no side-car files
}
"""Options for writing GeoTIFFs."""
DATA_VARIABLES = ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH")
"""Where other programs (PostGIS, QGIS, conda) say that *their* GDAL has its data and plugins."""


class _Fork:
    """Whether this process was forked from one that may have used GDAL."""

    after_rasterio = False


def _after_fork_in_child() -> None:
    _Fork.after_rasterio = "rasterio" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def gdal_threads() -> str:
    """GDAL's option ``NUM_THREADS``: all processors, but one where a fork has lost its threads.

    A forked process has GDAL's pool of threads but none of its threads, and would wait for them
    without end.
    """
    return "1" if _Fork.after_rasterio else "ALL_CPUS"


def gdal_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """All that rasterio raises when GDAL fails, and others, for an ``except`` clause.

    In some places it passes GDAL's own errors on, whose base class is not public.
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


def _use_own_data() -> None:
    """Let rasterio read the data of its own wheel, whatever the environment names.

    Databases of another version of PROJ cannot be read, and rasterio prefers the environment's.
    The variables are removed from this process, because PROJ reads them in every thread. A
    rasterio without data of its own (built against the system's GDAL) keeps the environment's.
    """
    spec = find_spec("rasterio")
    if spec is None or spec.origin is None:
        return  # importing it says so
    data = Path(spec.origin).parent / "proj_data"
    named = [name for name in DATA_VARIABLES if name in os.environ]
    if not named or not (data / "proj.db").is_file():
        return
    for name in named:
        del os.environ[name]
    log.info("%s ignored: rasterio has data of its own", " and ".join(named))
    if "rasterio" in sys.modules:  # it has read the variables already
        from rasterio.env import set_proj_data_search_path

        set_proj_data_search_path(str(data))


_use_own_data()  # here, since values of rasterio are made while modules are imported
