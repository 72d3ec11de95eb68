"""What run.json says of a run, whatever it found: inputs, source, sizes, timings, versions."""

import importlib.metadata
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from shipdet._version import __version__
from shipdet.mosaic import Mosaic, Picture

PACKAGES = ("torch", "torchvision", "timm", "numpy", "opencv-python", "rasterio", "pillow")


@dataclass
class Clock:
    """Seconds per stage."""

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
        """Seconds per stage and in all, for the record."""
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
    """run.json without results: inputs, source, sizes, timings, versions.

    ``covered`` is the share of the raw picture that has data.
    """
    source = raw.provenance
    grid = raw.grid
    # The plan's notes and the download's overlap; each is told once.
    told = list(dict.fromkeys((*notes, *source.notes)))
    return {
        "format": 1,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "inputs": inputs,
        "source": asdict(replace(source, notes=())),
        "notes": told,
        "raw": {
            "width": grid.width,
            "height": grid.height,
            "gsd_m": grid.gsd_m,
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


def _versions() -> dict[str, str]:
    versions = {"shipdet": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
