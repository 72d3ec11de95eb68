"""GeoTIFF: pixels, scale and place as the file states them."""

import logging
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.warp import transform as warp_points

from shipdet.errors import BadImage, MissingScale, ShipdetError
from shipdet.geometry import Affine, Floats, Grid, distance_m
from shipdet.imagery.picture import Numbers, check_gsd, check_size, to_mosaic
from shipdet.mosaic import Mosaic
from shipdet.settings import Settings

WGS84 = CRS.from_epsg(4326)

log = logging.getLogger(__name__)


def open_geotiff(path: Path, gsd_m: float | None, settings: Settings) -> Mosaic:
    """Read a TIFF; errors as in :func:`~shipdet.imagery.picture.open_picture`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # answered in _grid
            # Only TIFF: rasterio would follow other formats (VRT) to further files and addresses.
            with rasterio.open(path, driver="GTiff") as dataset:
                return _read(dataset, path, gsd_m, settings)
    except ShipdetError:
        raise
    except (RasterioError, OSError, ValueError) as error:
        log.info("cannot read %s: %s", path.name, error)
        raise BadImage(
            f"'{path.name}' is damaged or is a kind of TIFF that cannot be read: export or copy "
            "it again."
        ) from None


def _read(dataset: Any, path: Path, gsd_m: float | None, settings: Settings) -> Mosaic:
    check_size(path.name, dataset.width, dataset.height, settings)
    notes: list[str] = []
    grid = _grid(dataset, path, gsd_m, notes)
    covered = dataset.dataset_mask() > 0
    bands = _bands(dataset, notes)
    if not np.issubdtype(bands.dtype, np.integer):
        covered &= np.isfinite(bands.astype(np.float32)).all(axis=-1)
    return to_mosaic(path, bands, covered, grid, notes)


def _bands(dataset: Any, notes: list[str]) -> Numbers:
    """Values (height, width, 1 or 3): colour bands as the file has them, or grey."""
    if dataset.colorinterp[0] == ColorInterp.palette:
        table = dataset.colormap(1)
        colors = np.zeros((max(table) + 1, 3), np.uint8)
        for index, color in table.items():
            colors[index] = color[:3]
        return np.asarray(colors[np.minimum(dataset.read(1), max(table))])
    usable = [
        index
        for index, meaning in zip(dataset.indexes, dataset.colorinterp, strict=True)
        if meaning != ColorInterp.alpha
    ]
    if not usable:
        raise ValueError("no band but alpha")
    chosen = usable[:3] if len(usable) >= 3 else usable[:1]
    if len(usable) > len(chosen):
        what = (
            "the first three were taken as red, green and blue"
            if len(chosen) == 3
            else ("the first was taken as grey")
        )
        notes.append(f"The picture has {len(usable)} bands: {what}.")
    values = dataset.read(chosen)
    if np.iscomplexobj(values):
        raise ValueError("complex values")
    return np.moveaxis(values, 0, -1)


def _grid(dataset: Any, path: Path, gsd_m: float | None, notes: list[str]) -> Grid:
    width, height = dataset.width, dataset.height
    if dataset.crs is None or dataset.transform.is_identity:
        if gsd_m is None:
            raise MissingScale(
                f"'{path.name}' has no map reference (CRS): give the metres per pixel, or a "
                "georeferenced file."
            )
        return Grid(width, height, gsd_m, gsd_m)
    crs = dataset.crs

    def to_wgs84(points: Floats) -> Floats:
        if crs == WGS84:
            return points
        lon, lat = warp_points(crs, WGS84, points[:, 0].tolist(), points[:, 1].tolist())
        return np.stack([lon, lat], axis=-1)

    t = dataset.transform
    affine: Affine = (t.a, t.b, t.c, t.d, t.e, t.f)
    grid = Grid(width, height, 1.0, 1.0, crs.to_string(), affine, to_wgs84)
    gsd_x_m, gsd_y_m = _pixel_size(grid)
    for size_m in (gsd_x_m, gsd_y_m):
        if not math.isfinite(size_m):
            raise BadImage(f"'{path.name}' has a map reference that cannot be used.")
        check_gsd(size_m)
    grid = replace(grid, gsd_x_m=gsd_x_m, gsd_y_m=gsd_y_m)
    if gsd_m is not None and not math.isclose(gsd_m, grid.gsd_m, rel_tol=0.02):
        notes.append(
            f"The file's own scale of {grid.gsd_m:.3g} m per pixel was used, not the {gsd_m:g} m "
            "that were given."
        )
    return grid


def _pixel_size(grid: Grid) -> tuple[float, float]:
    """Ground metres per pixel across and down in the middle of the picture.

    Measured between places on the ground, so that degrees, feet and stretched projections all
    come out right. Over some pixels, as one of 0.05 m is at the limit of double precision.
    """
    x, y, step = grid.width / 2, grid.height / 2, 8.0
    left, right, top, bottom = grid.lonlat(
        [(x - step, y), (x + step, y), (x, y - step), (x, y + step)]
    )
    across, down = distance_m(left, right), distance_m(top, bottom)
    return float(across) / (2 * step), float(down) / (2 * step)
