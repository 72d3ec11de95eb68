"""Detections: what detection returns and every report reads."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from shipdet.geometry import Floats

#: Longest ship that is searched for, in meters; the longest ones afloat have 400 m.
LONGEST_SHIP_M = 420.0


#: A reviewer's mark of a ship; "" if nobody reviewed it. Rejected ships are not in the results.
Mark = Literal["", "accepted", "moved", "redrawn", "added"]


@dataclass(frozen=True)
class Detection:
    """One ship.

    Pixel values (``x``, ``y``, ``corners``) refer to the searched image at its original
    resolution, before any super-resolution. ``corners`` (4, 2) is the tight rotated box.
    ``axis_deg`` is the direction of the keel, 0 to 180 clockwise from north (from up if the
    image has no georeference).
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
    near_gap: bool = False  # within half a window of a gap
    cut: bool = False  # the ship reaches the image's edge, so its length is a lower bound
    raw_score: float | None = None  # best score of the raw image there; None: no super-resolution
    raw_support: bool | None = None  # whether that reaches the threshold of ``above``
    key: int = 0  # the id among all candidates, which no threshold changes; 0: ``id`` is it
    review: Mark = ""  # what a reviewer did with it
    # Dated imagery; None if the date is not known
    acquired: str | None = None  # ISO 8601, UTC
    scene: str | None = None  # id of the acquisition
    processing_baseline: str | None = None
    # From AIS; None if there was no AIS file
    mmsi: int | None = None  # of the matched ship
    name: str | None = None  # its name, "" if AIS gives none
    ais_distance_m: float | None = None  # to its AIS position at the acquisition
    dark: bool | None = None  # whether no AIS track matches

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1), the upright box around the rotated one, in pixels."""
        x0, y0 = self.corners.min(axis=0)
        x1, y1 = self.corners.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)


@dataclass(frozen=True)
class Sighted:
    """Ships that a search has found so far, in an image of ``width`` x ``height`` pixels.

    They are provisional: a later canvas may show the same ship better.
    """

    ships: tuple[Detection, ...]
    width: int
    height: int


@dataclass(frozen=True)
class Detections:
    """Ships in descending order of score, and the score below which none were kept."""

    items: tuple[Detection, ...] = ()
    floor: float = 0.0

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Detection]:
        return iter(self.items)

    def __getitem__(self, index: int) -> Detection:
        return self.items[index]

    def above(self, threshold: float) -> "Detections":
        """Those with a score of at least ``threshold``, numbered from 1."""
        return self.counted(threshold)[0]

    def counted(
        self, threshold: float, min_length_m: float = 0.0
    ) -> "tuple[Detections, Detections]":
        """The ships that count, and the small craft that do not.

        Args:
            threshold: Lowest score of both; what a reviewer accepted counts at any score.
            min_length_m: Shortest ship that counts, in meters.

        Returns:
            Ships of ``min_length_m`` and more, numbered from 1, and shorter ones, numbered after
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
