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
    license: str = ""
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


def fill_uncovered(pixels: Pixels, covered: Mask) -> Pixels:
    """Give every pixel without data the color of the nearest one with data.

    The edge of the data then looks like a flat continuation to a network, and not like a coast.

    Args:
        pixels: uint8 (h, w, 3); not changed.
        covered: bool (h, w).

    Returns:
        uint8 (h, w, 3); ``pixels`` itself where all or none of it is covered. Distances are those
        of OpenCV's 5 x 5 mask, which are within 2 % of Euclidean ones.
    """
    if covered.all() or not covered.any():
        return pixels
    import cv2  # takes a while to import

    _, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels[covered]] = np.flatnonzero(covered)
    return np.asarray(pixels.reshape(-1, 3)[nearest[labels]])
