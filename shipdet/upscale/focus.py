"""Where an image needs super-resolution."""

from dataclasses import dataclass

from shipdet.geometry import Floats
from shipdet.upscale.plan import Span


@dataclass(frozen=True, slots=True)
class Focus:
    """Upright rectangles around points of a picture.

    ``points`` are float64 (n, 2), x and y in pixels; ``reach`` is half a rectangle's width and
    height in pixels.
    """

    points: Floats
    reach: tuple[float, float]

    def meets(self, y: Span, x: Span) -> bool:
        """Whether a rectangle and the part of a block that is used have a pixel in common."""
        low = self.points - self.reach
        high = self.points + self.reach
        inside = (low < (x.last, y.last)) & (high > (x.first, y.first))
        return bool(inside.all(axis=1).any())

    def scaled(self, factor: int) -> "Focus":
        """The same on a picture that was enlarged."""
        return Focus(self.points * factor, (self.reach[0] * factor, self.reach[1] * factor))
