"""Draw antialiased shapes on an image, in meters."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Color = tuple[int, int, int]
Points = Sequence[tuple[float, float]] | npt.NDArray[np.float64]

SHIFT = 4  # fractional bits of the coordinates passed to cv2


def steps(start: float, stop: float, step: float) -> list[float]:
    """Return the numbers from ``start`` to ``stop`` (exclusive) in steps of ``step``."""
    return [float(value) for value in np.arange(start, stop, step)]


class Brush:
    """Draws shapes given in local coordinates.

    A local point (u, v) is in meters: u along the heading, v to the right of it.

    Args:
        pixels: uint8 (height, width) or (height, width, 3), drawn on in place.
        meters_per_px: Meters per pixel.
        origin_px: Pixel (x, y) of the local point (0, 0).
        heading_deg: Direction of u, in degrees clockwise from up.
    """

    def __init__(
        self,
        pixels: npt.NDArray[np.uint8],
        meters_per_px: float,
        origin_px: tuple[float, float] = (0.0, 0.0),
        heading_deg: float = 90.0,
    ) -> None:
        theta = np.radians(heading_deg)
        along = np.array([np.sin(theta), -np.cos(theta)])
        across = np.array([np.cos(theta), np.sin(theta)])
        self.pixels = pixels
        self.scale = 1 / meters_per_px
        self.matrix = np.stack([along, across]) * self.scale
        self.origin = np.asarray(origin_px, dtype=np.float64)

    def polygon(self, points: Points, color: Color) -> None:
        """Fill a polygon."""
        cv2.fillPoly(self.pixels, [self._fixed(points)], color, cv2.LINE_AA, SHIFT)

    def box(self, u: float, v: float, length: float, width: float, color: Color) -> None:
        """Fill a rectangle around (u, v), ``length`` along u."""
        a, b = length / 2, width / 2
        self.polygon([(u - a, v - b), (u + a, v - b), (u + a, v + b), (u - a, v + b)], color)

    def disc(self, u: float, v: float, radius: float, color: Color) -> None:
        """Fill a circle."""
        (x, y) = self._fixed([(u, v)])[0]
        size = round(radius * self.scale * 2**SHIFT)
        cv2.circle(self.pixels, (int(x), int(y)), size, color, -1, cv2.LINE_AA, SHIFT)

    def line(self, points: Points, width: float, color: Color) -> None:
        """Draw a line, at least one pixel wide."""
        thickness = max(1, round(width * self.scale))
        fixed = [self._fixed(points)]
        cv2.polylines(self.pixels, fixed, False, color, thickness, cv2.LINE_AA, SHIFT)

    def _fixed(self, points: Points) -> npt.NDArray[np.int32]:
        # In cv2, (0, 0) is the center of the first pixel; here it is the corner.
        xy = np.asarray(points, np.float64) @ self.matrix + self.origin - 0.5
        return np.asarray(np.round(xy * 2**SHIFT), dtype=np.int32)
