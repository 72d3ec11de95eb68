"""The parts of an image that need super-resolution."""

from dataclasses import dataclass

from shipdet.geometry import Floats
from shipdet.upscale.plan import Span


@dataclass(frozen=True, slots=True)
class Focus:
    """Upright rectangles of equal size around points of an image.

    Attributes:
        points: float64 (n, 2), x and y of the centers in pixels.
        reach: Half the width and half the height of a rectangle, in pixels.
    """

    points: Floats
    reach: tuple[float, float]

    def meets(self, y: Span, x: Span) -> bool:
        """Return whether a rectangle overlaps the used part of a block."""
        low = self.points - self.reach
        high = self.points + self.reach
        inside = (low < (x.last, y.last)) & (high > (x.first, y.first))
        return bool(inside.all(axis=1).any())

    def scaled(self, factor: int) -> "Focus":
        """Return the same rectangles on the image enlarged by ``factor``."""
        return Focus(self.points * factor, (self.reach[0] * factor, self.reach[1] * factor))
