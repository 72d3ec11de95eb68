"""The picture that travels through the pipeline: pixels, map grid, coverage mask, provenance."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from shipdet.geometry import Grid


@dataclass(frozen=True)
class Provenance:
    """Where the pixels come from; written to run.json as it is."""

    source: str  # provider id, or "image"
    title: str = ""
    attribution: str = ""
    licence: str = ""
    zoom: int | None = None
    tiles: int = 0
    fetched: int = 0
    cached: int = 0
    missing: int = 0
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mosaic:
    """An image of an area.

    ``pixels`` is uint8 (height, width, 3) RGB; ``coverage`` is bool (height, width), False where
    there is no data (such pixels are never scored); ``grid`` has the same height and width.
    """

    pixels: npt.NDArray[np.uint8]
    grid: Grid
    coverage: npt.NDArray[np.bool_]
    provenance: Provenance

    def __post_init__(self) -> None:
        size = (self.grid.height, self.grid.width)
        if self.pixels.shape != (*size, 3) or self.pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be uint8 {(*size, 3)}, not {self.pixels.shape}")
        if self.coverage.shape != size or self.coverage.dtype != np.bool_:
            raise ValueError(f"coverage must be bool {size}, not {self.coverage.shape}")
