"""Detections: the output of detection and the input of every report."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from shipdet.geometry import Floats

#: Length of the longest ship to find, in meters; the longest existing ships measure 400 m.
LONGEST_SHIP_M = 420.0


#: A reviewer's action on a ship; "" if not reviewed. Rejected ships are not in the results.
Mark = Literal["", "accepted", "moved", "redrawn", "added"]


@dataclass(frozen=True)
class Detection:
    """One ship.

    Pixel coordinates refer to the searched image before any super-resolution: ``x`` to the right
    and ``y`` down, (0.5, 0.5) is the center of the first pixel.

    Attributes:
        id: Number in the list, from 1.
        score: 0 to 1.
        x: Center, in pixels.
        y: Center, in pixels.
        corners: float64 (4, 2), the oriented box in pixels.
        length_m: Length in meters; a lower bound if ``cut``.
        width_m: Width in meters.
        axis_deg: Direction of the keel, 0 to 180 degrees clockwise from north (from up if the image
            has no georeference).
        lon: Longitude of the center in degrees; None without a georeference.
        lat: Latitude of the center in degrees; None without a georeference.
        corners_lonlat: float64 (4, 2), ``corners`` as longitude and latitude; None without a
            georeference.
        near_gap: Whether pixels without data lie within half a window of the center.
        cut: Whether the ship reaches the edge of the image.
        raw_score: Best score at this place in the image before super-resolution; None if there was
            no super-resolution.
        raw_support: Whether ``raw_score`` reaches the threshold of :meth:`Detections.above`.
        key: Number among all candidates, independent of the threshold; 0 if ``id`` is that
            number.
        review: The reviewer's action on the ship.
        acquired: Time of the acquisition, ISO 8601 in UTC; None if unknown.
        scene: Id of the acquisition; None if unknown.
        processing_baseline: Processing baseline of the acquisition; None if unknown.
        mmsi: MMSI of the matching ship in AIS; None if no ship matches or there was no AIS file.
        name: Name of that ship; "" if AIS gives none.
        ais_distance_m: Distance in meters to its AIS position at the acquisition time.
        dark: Whether no AIS track matches; None if there was no AIS file.
    """

    id: int
    score: float
    x: float
    y: float
    corners: Floats = field(compare=False)  # arrays have no truth value
    length_m: float
    width_m: float
    axis_deg: float
    lon: float | None = None
    lat: float | None = None
    corners_lonlat: Floats | None = field(default=None, compare=False)
    near_gap: bool = False
    cut: bool = False
    raw_score: float | None = None
    raw_support: bool | None = None
    key: int = 0
    review: Mark = ""
    acquired: str | None = None
    scene: str | None = None
    processing_baseline: str | None = None
    mmsi: int | None = None
    name: str | None = None
    ais_distance_m: float | None = None
    dark: bool | None = None

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The axis-aligned bounding box (x0, y0, x1, y1), in pixels."""
        x0, y0 = self.corners.min(axis=0)
        x1, y1 = self.corners.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)


@dataclass(frozen=True)
class Sighted:
    """Ships found so far in an image of ``width`` x ``height`` pixels.

    They are provisional: a later canvas may give a better detection of the same ship.
    """

    ships: tuple[Detection, ...]
    width: int
    height: int


@dataclass(frozen=True)
class Detections:
    """Ships, an immutable sequence in descending order of score.

    Attributes:
        items: The ships.
        floor: Lowest score that is kept.

    Example:
        >>> for ship in run.detections:
        ...     print(ship.id, ship.score, ship.length_m)
    """

    items: tuple[Detection, ...] = ()
    floor: float = 0.0

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Detection]:
        return iter(self.items)

    def __getitem__(self, index: int) -> Detection:
        return self.items[index]

    def above(self, threshold: float) -> "Detections":
        """Keep the ships with a score of at least ``threshold``.

        Args:
            threshold: Lowest score, 0 to 1; reviewed ships are kept at any score.

        Returns:
            The ships, numbered from 1 in descending order of score.
        """
        return self.counted(threshold)[0]

    def counted(
        self, threshold: float, min_length_m: float = 0.0
    ) -> "tuple[Detections, Detections]":
        """Separate the ships that count from small craft.

        Args:
            threshold: Lowest score of both, 0 to 1; reviewed ships are kept at any score.
            min_length_m: Shortest ship that counts, in meters.

        Returns:
            Ships of at least ``min_length_m``, numbered from 1, and shorter ones, numbered after
            them; both in descending order of score.

        Example:
            >>> ships, small_craft = run.candidates.counted(0.5, min_length_m=25.0)
        """
        above = [d for d in self.items if d.score >= threshold or d.review]
        ships = [d for d in above if d.length_m >= min_length_m]
        small = [d for d in above if d.length_m < min_length_m]
        floor = max(threshold, self.floor)
        numbered = [
            replace(
                d,
                id=number,
                key=d.key or d.id,
                raw_support=None if d.raw_score is None else d.raw_score >= threshold,
            )
            for number, d in enumerate([*ships, *small], start=1)
        ]
        return (
            Detections(tuple(numbered[: len(ships)]), floor),
            Detections(tuple(numbered[len(ships) :]), floor),
        )

    @property
    def centers(self) -> Floats:
        """Pixel centers, float64 (n, 2)."""
        return np.array([(d.x, d.y) for d in self.items], dtype=np.float64).reshape(-1, 2)
