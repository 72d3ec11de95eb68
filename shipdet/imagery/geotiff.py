"""GeoTIFF: pixels, scale and place as the file states them; a large one is read in pieces."""

import logging
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import transform as warp_points
from rasterio.windows import Window

from shipdet.errors import BadImage, MissingScale, ShipdetError
from shipdet.gdal import gdal_env, gdal_errors
from shipdet.geometry import Affine, Floats, Grid, distance_m
from shipdet.imagery.picture import (
    Numbers,
    Stretch,
    check_covered,
    check_gsd,
    check_size,
    held_limit,
    sample_step,
    to_mosaic,
    to_rgb,
    usable_values,
)
from shipdet.mosaic import Mask, Mosaic, Picture, Pixels, Provenance
from shipdet.progress import Steps
from shipdet.settings import Settings

WGS84 = CRS.from_epsg(4326)
STRIP_PX = 512
MAX_BLOCK_BYTES = 512 * 1024**2

log = logging.getLogger(__name__)


def open_geotiff(path: Path, gsd_m: float | None, settings: Settings) -> Picture:
    """Read a TIFF; errors as in :func:`~shipdet.imagery.picture.open_raster`."""
    try:
        with gdal_env(), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # answered in _grid
            # Only TIFF: rasterio would follow other formats (VRT) to further files and addresses.
            dataset = rasterio.open(path, driver="GTiff")
            check_size(path.name, dataset.width, dataset.height, settings.max_raw_pixels)
            if dataset.width * dataset.height * _depth(dataset) > held_limit(settings):
                _check_blocks(dataset, path)
                return _opened_large(dataset, path, gsd_m)
            with dataset:
                return _read(dataset, path, gsd_m)
    except ShipdetError:
        raise
    except gdal_errors(OSError, ValueError) as error:
        log.info("cannot read %s: %s", path.name, error)
        raise BadImage(
            f"'{path.name}' is damaged or is a kind of TIFF that cannot be read: export or copy "
            "it again."
        ) from None


def _itemsize(dataset: Any) -> int:
    """Bytes of a value."""
    return max(int(np.dtype(name).itemsize) for name in dataset.dtypes)


def _depth(dataset: Any) -> float:
    """Bytes of a pixel's colours as the file has them, in those of 8-bit RGB: held as numbers of
    8 bytes, a picture takes eight times as much."""
    return max(1.0, min(int(dataset.count), 3) * _itemsize(dataset) / 3)


def _check_blocks(dataset: Any, path: Path) -> None:
    """BadImage for a picture whose pieces, which can only be read whole, are too large."""
    size = max(height * width for height, width in dataset.block_shapes)
    size *= _itemsize(dataset) * dataset.count
    if size > MAX_BLOCK_BYTES:
        raise BadImage(
            f"'{path.name}' is stored in pieces of {size / 1e6:,.0f} MB, more than the limit of "
            f"{MAX_BLOCK_BYTES / 1e6:,.0f} MB: write it with smaller tiles, for example with "
            "`gdal_translate -co TILED=YES`."
        )


def _read(dataset: Any, path: Path, gsd_m: float | None) -> Mosaic:
    notes: list[str] = []
    grid = _grid(dataset, path, gsd_m, notes)
    bands = _Bands.of(dataset, notes)
    values, covered = bands.read(None)
    return to_mosaic(path, values, covered, grid, notes)


def _opened_large(dataset: Any, path: Path, gsd_m: float | None) -> "LargeGeotiff":
    notes: list[str] = []
    grid = _grid(dataset, path, gsd_m, notes)
    bands = _Bands.of(dataset, notes)
    # Most often the first strip has data, so that it costs nothing to ask before the search.
    check_covered(path.name, any(bands.read(strip)[1].any() for strip in _strips(grid)))
    stretch = None
    if bands.dtype != np.uint8:
        stretch = _stretch(bands, grid)
        notes.append(stretch.note(bands.dtype))
    provenance = Provenance(source="image", title=path.name, notes=tuple(notes))
    return LargeGeotiff(bands, grid, provenance, stretch)


def _stretch(bands: "_Bands", grid: Grid) -> Stretch:
    """That of the whole picture, from strips: the same values as if it were held."""
    step, samples = sample_step(grid.width, grid.height), []
    for strip in _strips(grid):
        values, covered = bands.read(strip)
        rows = slice(-strip.row_off % step, None, step)
        samples.append(usable_values(values[rows, ::step], covered[rows, ::step]))
    return Stretch.of(np.concatenate(samples))


@dataclass(frozen=True)
class _Bands:
    """What is read of a file: ``chosen`` bands, or the colours of a palette."""

    dataset: Any
    chosen: list[int]
    palette: Pixels | None

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Number type of the values."""
        return np.dtype(np.uint8 if self.palette is not None else self.dataset.dtypes[0])

    @classmethod
    def of(cls, dataset: Any, notes: list[str]) -> "_Bands":
        """Colour bands as the file has them, or grey."""
        if dataset.colorinterp[0] == ColorInterp.palette:
            table = dataset.colormap(1)
            colors = np.zeros((max(table) + 1, 3), np.uint8)
            for index, color in table.items():
                colors[index] = color[:3]
            return cls(dataset, [1], colors)
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
                else "the first was taken as grey"
            )
            notes.append(f"The picture has {len(usable)} bands: {what}.")
        return cls(dataset, chosen, None)

    def read(self, window: Window | None) -> tuple[Numbers, Mask]:
        """Values (height, width, 1 or 3) and coverage of a window, or of all."""
        covered = self.dataset.dataset_mask(window=window) > 0
        values = np.moveaxis(self.dataset.read(self.chosen, window=window), 0, -1)
        if self.palette is not None:
            return self.palette[np.minimum(values[..., 0], len(self.palette) - 1)], covered
        if np.iscomplexobj(values):
            raise ValueError("complex values")
        if not np.issubdtype(values.dtype, np.integer):
            covered &= np.isfinite(values.astype(np.float32)).all(axis=-1)
        return values, covered


@dataclass(frozen=True)
class LargeGeotiff:
    """A file that is too large to hold: every piece is read when it is needed."""

    bands: _Bands
    grid: Grid
    provenance: Provenance
    stretch: Stretch | None

    def wait(self, bottom: int) -> Steps[None]:
        """See :class:`~shipdet.mosaic.Picture`; everything is there."""
        yield from ()

    def read(self, x0: int, y0: int, x1: int, y1: int) -> tuple[Pixels, Mask]:
        """See :class:`~shipdet.mosaic.Picture`.

        Raises BadImage where the file is damaged.
        """
        try:
            values, covered = self.bands.read(_window(x0, y0, x1, y1))
        except gdal_errors() as error:
            log.info("cannot read %s: %s", self.provenance.title, error)
            raise BadImage(
                f"'{self.provenance.title}' is damaged or incomplete: export or copy it again."
            ) from None
        return to_rgb(values, covered, self.stretch), covered


def _window(x0: int, y0: int, x1: int, y1: int) -> Window:
    return Window(x0, y0, x1 - x0, y1 - y0)


def _strips(grid: Grid) -> Iterator[Window]:
    """All of a picture, from the top."""
    for top in range(0, grid.height, STRIP_PX):
        yield _window(0, top, grid.width, min(top + STRIP_PX, grid.height))


def _grid(dataset: Any, path: Path, gsd_m: float | None, notes: list[str]) -> Grid:
    grid = _stated_grid(dataset)
    if grid is None or not _on_earth(grid):
        lacks = "has no map reference (CRS)"
        if grid is not None:
            lacks = "has a map reference (CRS) that leads to no place on the Earth"
        if gsd_m is None:
            raise MissingScale(
                f"'{path.name}' {lacks}: give the metres per pixel, or a georeferenced file."
            )
        if grid is not None:
            notes.append(f"The file {lacks}: its ships have positions in pixels only.")
        return Grid(dataset.width, dataset.height, gsd_m, gsd_m)
    gsd_x_m, gsd_y_m = _pixel_size(grid)
    for size_m in (gsd_x_m, gsd_y_m):
        check_gsd(size_m)
    grid = replace(grid, gsd_x_m=gsd_x_m, gsd_y_m=gsd_y_m)
    if gsd_m is not None and not math.isclose(gsd_m, grid.gsd_m, rel_tol=0.02):
        notes.append(
            f"The file's own scale of {grid.gsd_m:.3g} m per pixel was used, not the {gsd_m:g} m "
            "that were given."
        )
    return grid


def _stated_grid(dataset: Any) -> Grid | None:
    """The place that a file states, its scale left open; None where it states none."""
    crs, t = dataset.crs, dataset.transform
    if crs is None or t.is_identity:
        return None

    def to_wgs84(points: Floats) -> Floats:
        if crs == WGS84:
            return points
        lon, lat = warp_points(crs, WGS84, points[:, 0].tolist(), points[:, 1].tolist())
        return np.stack([lon, lat], axis=-1)

    affine: Affine = (t.a, t.b, t.c, t.d, t.e, t.f)
    return Grid(dataset.width, dataset.height, 1.0, 1.0, crs.to_string(), affine, to_wgs84)


def _on_earth(grid: Grid) -> bool:
    """Whether middle and corners have a longitude and latitude, as every ship will need.

    They have none in the CRS of a building site, say, or outside the domain of a projection.
    """
    width, height = grid.width, grid.height
    points = [(width / 2, height / 2), (0, 0), (width, 0), (0, height), (width, height)]
    try:
        lonlat = grid.lonlat(points)
    except gdal_errors():
        return False
    # An edge at a pole may lie half a pixel beyond it; the middle may not.
    return bool(np.isfinite(lonlat).all() and abs(lonlat[0, 1]) <= 90)


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
