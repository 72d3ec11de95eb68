"""The image that the pipeline works on: pixels, grid, coverage mask and provenance."""

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
    """Where the pixels come from; written to run.json unchanged."""

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
    """An image, in memory (:class:`Mosaic`) or, if large, read by windows."""

    @property
    def grid(self) -> Grid:
        """Size, scale and georeference."""

    @property
    def provenance(self) -> Provenance:
        """Where the pixels come from."""

    def wait(self, bottom: int) -> Steps[None]:
        """Wait until all rows above ``bottom`` are downloaded."""

    def read(self, x0: int, y0: int, x1: int, y1: int) -> tuple[Pixels, Mask]:
        """Read a window inside the image.

        Args:
            x0: Left edge, in pixels.
            y0: Upper edge.
            x1: Right edge, exclusive.
            y1: Lower edge, exclusive.

        Returns:
            Read-only uint8 (h, w, 3) RGB, and bool (h, w), False where there is no data.
        """


@dataclass(frozen=True)
class Mosaic:
    """An image in memory.

    Attributes:
        pixels: uint8 (height, width, 3), RGB.
        grid: Size, scale and georeference, of the same height and width.
        coverage: bool (height, width), False where there is no data; these pixels are not scored.
        provenance: Where the pixels come from.
        arrival: While tiles are still downloading, waits for all rows above a given one.
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
    """Give every pixel without data the color of the nearest pixel with data.

    The network then sees flat water or land at the edge of the data instead of a coast.

    Args:
        pixels: uint8 (h, w, 3); not modified.
        covered: bool (h, w), False where there is no data.

    Returns:
        uint8 (h, w, 3); ``pixels`` itself if all or none of it is covered. Distances use OpenCV's
        5 x 5 mask, within 2 % of Euclidean distances.
    """
    if covered.all() or not covered.any():
        return pixels
    import cv2  # slow to import

    _, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels[covered]] = np.flatnonzero(covered)
    return np.asarray(pixels.reshape(-1, 3)[nearest[labels]])
