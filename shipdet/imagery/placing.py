"""Determine the grid of an image from its georeference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.transform import GCPTransformer, from_gcps
from rasterio.warp import transform as warp_points

from shipdet.errors import MissingScale
from shipdet.gdal import gdal_env, gdal_errors
from shipdet.geometry import Affine, Floats, Grid, ToLonLat, distance_m, near_longitude
from shipdet.imagery.limits import check_file_gsd

WGS84 = CRS.from_epsg(4326)
#: Largest error of an affine transform, in pixels, with which it replaces ground control points.
AFFINE_RESIDUAL_PX = 0.5


@dataclass(frozen=True)
class Georeference:
    """The georeference that a file states; ``transform`` has six numbers, x before y."""

    crs: CRS | None = None
    transform: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    gcps: Sequence[Any] = ()
    gcp_crs: CRS | None = None
    rpcs: bool = False

    @classmethod
    def of(cls, dataset: Any) -> "Georeference":
        """Return the georeference of an open rasterio dataset."""
        t = dataset.transform
        gcps, gcp_crs = dataset.gcps
        return cls(
            dataset.crs, (t.a, t.b, t.c, t.d, t.e, t.f), gcps, gcp_crs, dataset.rpcs is not None
        )

    @property
    def has_transform(self) -> bool:
        """Whether the file states a transform."""
        return self.transform != Georeference.transform

    @property
    def placed(self) -> bool:
        """Whether there is a CRS with a transform or control points."""
        return (self.crs is not None and self.has_transform) or bool(self.gcps and self.gcp_crs)

    def scaled(self, x: float, y: float) -> "Georeference":
        """Return the georeference for pixels that are ``x`` and ``y`` times as large."""
        a, b, c, d, e, f = self.transform
        return replace(
            self,
            transform=(a * x, b * y, c, d * x, e * y, f) if self.has_transform else self.transform,
            gcps=[GroundControlPoint(p.row / y, p.col / x, p.x, p.y, p.z) for p in self.gcps],
        )


def place(
    size: tuple[int, int],
    stated: Georeference,
    name: str,
    gsd_m: float | None,
    notes: list[str],
) -> Grid:
    """Return the grid of an image.

    The scale of a georeference takes precedence over ``gsd_m``, the user's meters per pixel.

    Raises:
        MissingScale: The image has neither.
        BadImage: The scale of the georeference is out of range.
    """
    grid = _stated_grid(size, stated, notes)
    if grid is None or not _on_earth(grid):
        lacks = "has no coordinate reference system (CRS)"
        if stated.crs is not None and not stated.has_transform:
            lacks = "has a coordinate reference system (CRS) without a transform"
        if grid is not None:
            lacks = "has coordinates that cannot be converted to longitude and latitude"
        elif stated.rpcs:
            lacks = "is georeferenced only by a camera model (RPC), which needs terrain heights"
        elif stated.gcps:
            lacks = "has unusable ground control points"
        if gsd_m is None:
            remedy = "an orthorectified" if stated.rpcs else "a georeferenced"
            raise MissingScale(
                f"'{name}' {lacks}: give the meters per pixel (GSD), or {remedy} file."
            )
        if stated.crs is not None or stated.has_transform or stated.rpcs or stated.gcps:
            notes.append(f"The file {lacks}: ships have positions in pixels only.")
        return Grid(*size, gsd_m, gsd_m)
    gsd_x_m, gsd_y_m = _pixel_size(grid)
    for size_m in (gsd_x_m, gsd_y_m):
        check_file_gsd(name, size_m)
    grid = replace(grid, gsd_x_m=gsd_x_m, gsd_y_m=gsd_y_m)
    if gsd_m is not None and not math.isclose(gsd_m, grid.gsd_m, rel_tol=0.02):
        notes.append(
            f"The scale of the file, {grid.gsd_m:.3g} m per pixel, is used instead of the given "
            f"{gsd_m:g} m."
        )
    return grid


def _stated_grid(size: tuple[int, int], stated: Georeference, notes: list[str]) -> Grid | None:
    """Return the grid that a file states, with a scale of 1; None if it states none."""
    if not stated.placed:
        return None
    if stated.crs is None or not stated.has_transform:
        return _controlled_grid(size, stated, notes)
    crs = stated.crs
    return Grid(*size, 1.0, 1.0, crs.to_string(), stated.transform, _to_lonlat(crs))


def _to_lonlat(crs: CRS) -> ToLonLat:
    def convert(points: Floats) -> Floats:
        if crs == WGS84:
            return points
        with gdal_env():
            lon, lat = warp_points(crs, WGS84, points[:, 0].tolist(), points[:, 1].tolist())
        return np.stack([lon, lat], axis=-1)

    return convert


def _controlled_grid(size: tuple[int, int], stated: Georeference, notes: list[str]) -> Grid | None:
    """Return a grid from ground control points: affine if that fits, else a thin-plate spline."""
    crs = stated.gcp_crs
    if crs is None or len(stated.gcps) < 3:
        return None
    gcps = _continuous(stated.gcps) if crs.is_geographic else stated.gcps
    pixels = np.array([(p.col, p.row) for p in gcps], np.float64)
    mapped = np.array([(p.x, p.y) for p in gcps], np.float64)
    try:
        t = from_gcps(gcps)
        affine: Affine = (t.a, t.b, t.c, t.d, t.e, t.f)
        residual = float(np.abs(_inverse(affine, mapped) - pixels).max())
    except gdal_errors(ValueError, np.linalg.LinAlgError):
        return None
    if not math.isfinite(residual):
        return None
    how = f"{len(gcps)} ground control points"
    to_lonlat = _to_lonlat(crs)
    spline = _spline(gcps) if residual > AFFINE_RESIDUAL_PX and len(gcps) >= 4 else None
    if spline:

        def convert(points: Floats) -> Floats:
            xy = _inverse(affine, points)
            with gdal_env():
                x, y = spline.xy(xy[:, 1].tolist(), xy[:, 0].tolist(), offset="ul")
            return to_lonlat(np.stack([np.asarray(x), np.asarray(y)], axis=-1))

        notes.append(
            f"The ships are georeferenced by {how}; the written image has the best affine "
            f"transform, which differs by up to {residual:.0f} pixels."
        )
        return Grid(*size, 1.0, 1.0, crs.to_string(), affine, convert)
    if residual > AFFINE_RESIDUAL_PX:
        how += f", with errors of up to {residual:.0f} pixels"
    notes.append(f"The image is georeferenced by {how}.")
    return Grid(*size, 1.0, 1.0, crs.to_string(), affine, to_lonlat)


def _spline(gcps: Sequence[Any]) -> GCPTransformer | None:
    """Return a thin-plate spline through points; None for points that contradict each other."""
    try:
        with gdal_env():
            spline = GCPTransformer(gcps, tps=True)
            first = spline.xy([gcps[0].row], [gcps[0].col], offset="ul")
    except gdal_errors():
        return None
    return spline if np.isfinite(first).all() else None


def _continuous(gcps: Sequence[Any]) -> list[GroundControlPoint]:
    """Remove the jump at the antimeridian from points in degrees; longitudes may exceed 180."""
    lons = near_longitude([p.x for p in gcps], gcps[0].x).tolist()
    return [
        GroundControlPoint(p.row, p.col, lon, p.y, p.z) for p, lon in zip(gcps, lons, strict=True)
    ]


def _inverse(affine: Affine, mapped: Floats) -> Floats:
    """Convert map coordinates (n, 2) to pixels (n, 2)."""
    a, b, c, d, e, f = affine
    pixels: Floats = np.linalg.solve(np.array([[a, b], [d, e]]), (mapped - (c, f)).T).T
    return pixels


def _on_earth(grid: Grid) -> bool:
    """Whether center and corners have a longitude and latitude, which ships need.

    They have none in a local CRS or outside the domain of a projection. A geocentric CRS measures
    from the center of the earth along three axes, and images have two.
    """
    if grid.crs is not None and CRS.from_string(grid.crs).to_wkt().startswith("GEOCCS"):
        return False
    width, height = grid.width, grid.height
    points = [(width / 2, height / 2), (0, 0), (width, 0), (0, height), (width, height)]
    try:
        lonlat = grid.lonlat(points)
    except gdal_errors():
        return False
    a, b, _, d, e, _ = grid.transform
    if math.isclose(a * e, b * d, abs_tol=1e-300):
        return False  # all pixels lie on one line
    # An edge at a pole may lie half a pixel beyond it; the center may not.
    return bool(np.isfinite(lonlat).all() and abs(lonlat[0, 1]) <= 90)


def _pixel_size(grid: Grid) -> tuple[float, float]:
    """Return the ground meters per column and per row in the middle of the image.

    Measured on the ground, so that degrees, feet and distorted projections are handled alike, and
    over several pixels, since one of 0.05 m is at the limit of double precision.
    """
    x, y, step = grid.width / 2, grid.height / 2, 8.0
    left, right, top, bottom = grid.lonlat(
        [(x - step, y), (x + step, y), (x, y - step), (x, y + step)]
    )
    across, down = distance_m(left, right), distance_m(top, bottom)
    return float(across) / (2 * step), float(down) / (2 * step)
