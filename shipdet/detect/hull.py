"""What measuring gives: the box of a hull."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shipdet.geometry import Floats, rectangle


@dataclass(frozen=True)
class Hull:
    """A rotated box in network pixels; ``axis_deg`` clockwise from up, 0 to 180."""

    x: float
    y: float
    length: float
    width: float
    axis_deg: float
    method: str

    @property
    def corners(self) -> Floats:
        """See :func:`~shipdet.geometry.rectangle`; network pixels."""
        return rectangle((self.x, self.y), self.length, self.width, self.axis_deg)


def axis_deg(axis: npt.NDArray[np.float64]) -> float:
    """Direction of a vector (x right, y down), clockwise from up, 0 to 180."""
    return float(np.degrees(np.arctan2(axis[0], -axis[1])) % 180.0)


def axis_vector(angle_deg: float) -> npt.NDArray[np.float64]:
    """Unit vector (x right, y down) of a direction, clockwise from up."""
    theta = np.radians(angle_deg)
    return np.array([np.sin(theta), -np.cos(theta)])
