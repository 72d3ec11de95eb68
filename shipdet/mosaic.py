"""The picture that travels through the pipeline: pixels, map grid, coverage mask, provenance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from shipdet.geometry import Grid
from shipdet.progress import Steps

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


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


class Picture(Protocol):
    """An image of an area, in memory (:class:`Mosaic`) or read piece by piece where it is large."""

    @property
    def grid(self) -> Grid:
        """Size, scale and place."""

    @property
    def provenance(self) -> Provenance:
        """Where the pixels come from."""

    def wait(self, bottom: int) -> Steps[None]:
        """Let all rows above ``bottom`` arrive; they may still be on their way."""

    def read(self, x0: int, y0: int, x1: int, y1: int) -> tuple[Pixels, Mask]:
        """A rectangle inside the picture: uint8 (h, w, 3) and its coverage (h, w); not to write."""


@dataclass(frozen=True)
class Mosaic:
    """An image of an area.

    ``pixels`` is uint8 (height, width, 3) RGB; ``coverage`` is bool (height, width), False where
    there is no data (such pixels are never scored); ``grid`` has the same height and width.
    While tiles are still on their way, ``arrival`` waits for all rows above a given one.
    """

    pixels: Pixels
    grid: Grid
    coverage: Mask
    provenance: Provenance
    arrival: Callable[[int], Steps[None]] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        size = (self.grid.height, self.grid.width)
        if self.pixels.shape != (*size, 3) or self.pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be uint8 {(*size, 3)}, not {self.pixels.shape}")
        if self.coverage.shape != size or self.coverage.dtype != np.bool_:
            raise ValueError(f"coverage must be bool {size}, not {self.coverage.shape}")

    def wait(self, bottom: int) -> Steps[None]:
        """See :class:`Picture`."""
        if self.arrival is not None:
            yield from self.arrival(bottom)

    def read(self, x0: int, y0: int, x1: int, y1: int) -> tuple[Pixels, Mask]:
        """See :class:`Picture`."""
        return self.pixels[y0:y1, x0:x1], self.coverage[y0:y1, x0:x1]
