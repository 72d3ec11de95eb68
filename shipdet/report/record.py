"""The content of run.json except the results: inputs, source, sizes, timings, versions."""

import importlib.metadata
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shipdet._version import __version__
from shipdet.geometry import Floats, Grid, mercator_to_lonlat, near_longitude
from shipdet.mosaic import Mosaic, Picture

PACKAGES = (
    *("torch", "torchvision", "timm", "openvino"),
    *("numpy", "opencv-python", "rasterio", "pillow"),
)


@dataclass
class Clock:
    """Measures the seconds of each stage."""

    stages: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block as a stage."""
        before = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = time.perf_counter() - before

    def timings(self) -> dict[str, float]:
        """Return the seconds per stage and in total (``all``), for the record."""
        total = time.perf_counter() - self.started
        return {name: round(value, 3) for name, value in (*self.stages.items(), ("all", total))}


def imagery_record(
    raw: Picture,
    covered: float,
    upscaled: Mosaic | None,
    inputs: dict[str, Any],
    notes: tuple[str, ...],
    clock: Clock,
) -> dict[str, Any]:
    """Return run.json without results: inputs, source, sizes, timings, versions.

    Args:
        raw: The raw image.
        covered: Share of its pixels that have data.
        upscaled: The image after super-resolution; None without it.
        inputs: The request.
        notes: Notes of the plan.
        clock: The timings.
    """
    source = raw.provenance
    grid = raw.grid
    # The notes of the plan and of the download may repeat each other.
    all_notes = list(dict.fromkeys((*notes, *source.notes)))
    return {
        "format": 1,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "inputs": inputs,
        "source": asdict(replace(source, notes=())),
        "notes": all_notes,
        "raw": {
            "width": grid.width,
            "height": grid.height,
            "gsd_m": grid.gsd_m,
            "gsd_x_m": grid.gsd_x_m,
            "gsd_y_m": grid.gsd_y_m,
            "crs": grid.crs,
            "transform": grid.transform if grid.georeferenced else None,
            "georeferenced": grid.georeferenced,
            "covered": covered,
            "large": not isinstance(raw, Mosaic),
        },
        "searched": None
        if upscaled is None
        else {
            "width": upscaled.grid.width,
            "height": upscaled.grid.height,
            "gsd_m": upscaled.grid.gsd_m,
        },
        "timings": clock.timings(),
        "versions": _versions(),
    }


def grid_of(record: dict[str, Any]) -> Grid:
    """Return the grid of a run's raw image, from its record."""
    raw = record["raw"]
    gsd_x_m, gsd_y_m = raw.get("gsd_x_m", raw["gsd_m"]), raw.get("gsd_y_m", raw["gsd_m"])
    if not raw.get("georeferenced") or not raw.get("transform"):
        return Grid(raw["width"], raw["height"], gsd_x_m, gsd_y_m)
    crs = raw["crs"]

    def to_wgs84(xy: Floats) -> Floats:
        if crs == "EPSG:3857":
            return mercator_to_lonlat(xy)
        from rasterio.warp import transform  # takes a while to import

        lon, lat = transform(crs, "EPSG:4326", xy[:, 0].tolist(), xy[:, 1].tolist())[:2]
        return np.stack([lon, lat], axis=-1)

    place = tuple(float(value) for value in raw["transform"])
    return Grid(raw["width"], raw["height"], gsd_x_m, gsd_y_m, crs, place, to_wgs84)  # type: ignore[arg-type]


def corners_of(record: dict[str, Any]) -> Floats:
    """Return longitude and latitude (4, 2) of the corners of a run's raw image.

    Clockwise from the upper left. Longitudes exceed 180 if the image crosses the antimeridian. The
    image must have a georeference.
    """
    grid = grid_of(record)
    w, h = grid.width, grid.height
    lon, lat = grid.lonlat([(0, 0), (w, 0), (w, h), (0, h)]).T
    return np.stack([near_longitude(lon, lon[0]), lat], axis=-1)


def pixels_of(record: dict[str, Any], lonlat: npt.ArrayLike) -> Floats:
    """Convert longitude and latitude (n, 2) to pixels (n, 2) of a run's raw image.

    The inverse of ``grid_of(record).lonlat``. The image must have a georeference.
    """
    raw, grid = record["raw"], grid_of(record)
    edge = np.array([(0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height)])
    places = np.concatenate([np.asarray(lonlat, np.float64).reshape(-1, 2), grid.lonlat(edge)])
    from rasterio.warp import transform  # takes a while to import

    x, y = transform("EPSG:4326", raw["crs"], places[:, 0].tolist(), places[:, 1].tolist())[:2]
    a, b, c, d, e, f = grid.transform
    mapped = np.stack([np.asarray(x) - c, np.asarray(y) - f])
    pixels = np.linalg.solve(np.array([[a, b], [d, e]]), mapped).T
    # A corner may come back a turn of the globe away, if map coordinates exceed 180 degrees. Of the
    # copies of a place at such distances, the one nearest to the image's middle is taken.
    copies = pixels[:-4, None] + (edge - pixels[-4:])
    nearest = np.abs(copies - (grid.width / 2, grid.height / 2)).sum(axis=-1).argmin(axis=-1)
    return np.asarray(copies[np.arange(len(copies)), nearest])


def _versions() -> dict[str, str]:
    versions = {"shipdet": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
