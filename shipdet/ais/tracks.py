"""Determine the position of each ship in an AIS file at a given time."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from shipdet.ais.reading import Reports, read_reports
from shipdet.ais.sphere import carried, great_circle
from shipdet.ais.times import parse_time
from shipdet.areas import boxes_of
from shipdet.geometry import (
    BBox,
    Floats,
    bearing_deg,
    distance_m,
    near_longitude,
)

#: Meters per second.
KNOT = 1852.0 / 3600.0
#: Highest plausible speed; a report that implies more is an error or belongs to another ship.
MAX_SPEED_KN = 60.0
#: Tolerance of the distance between two reports, for position noise.
NOISE_M = 100.0
#: Number of chains that a report can join.
MAX_CHAINS = 20
#: Longest time between two reports over which the position of a moving ship is interpolated.
MAX_GAP_S = 1800.0
#: Longest time before the first or after the last report over which a position is extrapolated.
MAX_CARRY_S = 600.0
#: A ship that moved less than this between two reports is at rest, however long the gap.
STILL_M = 200.0

#: Smallest radius of a gate, for the offset of the antenna from the center of the hull and for
#: errors of the image's georeference.
GATE_M = 150.0
#: Growth of the gate per distance covered since the nearest report, for changes of course.
STRAY = 0.3
#: Largest radius of a gate.
MAX_GATE_M = 3000.0


@dataclass(frozen=True)
class Contact:
    """A ship in the AIS file, at the time of acquisition.

    Attributes:
        mmsi: Maritime Mobile Service Identity.
        name: The last reported name; "" if unknown.
        lon: Longitude in degrees.
        lat: Latitude in degrees.
        speed_kn: Speed over ground in knots.
        course_deg: Course over ground in degrees; None if unknown.
        length_m: Reported length; None if unknown.
        width_m: Reported width; None if unknown.
        ship_type: Code or text in the file; "" if unknown.
        gap_s: Seconds between the acquisition and the nearest report.
        gate_m: Largest distance of a matching detection, in meters.
        in_area: Whether the position is inside the image.
    """

    mmsi: int
    name: str
    lon: float
    lat: float
    speed_kn: float
    course_deg: float | None
    length_m: float | None
    width_m: float | None
    ship_type: str
    gap_s: float
    gate_m: float
    in_area: bool


@dataclass(frozen=True)
class Contacts:
    """All ships of an AIS file near an image at the time of its acquisition.

    Attributes:
        items: The ships, by MMSI.
        acquired: The time of acquisition, UTC.
        file: Name of the AIS file.
        notes: Sentences for the user.
    """

    items: tuple[Contact, ...]
    acquired: datetime
    file: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Contact]:
        return iter(self.items)

    def as_dict(self) -> dict[str, Any]:
        """Convert to JSON values, for run.json."""
        return {
            "file": self.file,
            "acquired": self.acquired.isoformat().replace("+00:00", "Z"),
            "notes": list(self.notes),
            "contacts": [asdict(item) for item in self.items],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Restore contacts from the values of :meth:`as_dict`."""
        return cls(
            tuple(Contact(**item) for item in data["contacts"]),
            parse_time(data["acquired"]),
            data["file"],
            tuple(data["notes"]),
        )


def find_contacts(
    file: str | Path, area: BBox | Sequence[float], acquired: str | datetime
) -> Contacts:
    """Read an AIS file and determine the positions of its ships at a given time.

    Args:
        file: See :func:`~shipdet.ais.reading.read_reports`.
        area: See :func:`~shipdet.ais.reading.read_reports`.
        acquired: Time of acquisition, ISO 8601 with a time zone or an aware datetime.

    Returns:
        The ships with a known position at that time.

    Raises:
        BadAis: See :func:`~shipdet.ais.reading.read_reports`.
        BadOption: ``acquired`` is not a time with a time zone.
        MissingExtra: pyarrow is not installed.

    Example:
        >>> area = shipdet.BBox(-5.44, 36.12, -5.41, 36.14)
        >>> contacts = find_contacts("ais.csv.gz", area, "2024-05-01T10:56:00Z")
        >>> [(ship.mmsi, ship.lon, ship.lat) for ship in contacts]
    """
    moment = parse_time(acquired)
    return contacts_at(read_reports(file, area, moment), area, moment, Path(file).name)


def contacts_at(
    reports: Reports, area: BBox | Sequence[float], acquired: datetime, file: str = ""
) -> Contacts:
    """Determine the position of every ship at the time of acquisition.

    Interpolates between two reports along the great circle at constant speed. Extrapolates before
    the first and after the last report by speed and course, for up to ``MAX_CARRY_S``.

    Args:
        reports: Reports in any order, possibly with errors.
        area: See :func:`~shipdet.ais.reading.read_reports`.
        acquired: The time that ``reports.seconds`` refers to.
        file: Name of the file, for the record.

    Returns:
        The ships near the area, with notes about omitted reports.
    """
    boxes = boxes_of(area)
    left: Counter[str] = Counter()
    items = []
    order = np.lexsort((np.arange(len(reports)), reports.seconds, reports.mmsi))
    mmsi = reports.mmsi[order]
    edges = np.flatnonzero(np.diff(mmsi)) + 1
    for rows in np.split(order, edges):
        if not len(rows):
            continue
        if not _is_ship(int(reports.mmsi[rows[0]])):
            left["station"] += 1
            continue
        found = _contact(reports, rows, boxes, left)
        if found is not None:
            items.append(found)
    return Contacts(tuple(items), acquired, file, (*reports.notes, *_left_out(left)))


def _left_out(left: Counter[str]) -> Iterator[str]:
    if left["twice"]:
        yield (
            f"{left['twice']:,} AIS reports have the same time as another report of their ship: "
            "only the first is used."
        )
    if left["jump"]:
        yield (
            f"{left['jump']:,} AIS reports imply more than {MAX_SPEED_KN:g} knots and were left "
            "out."
        )
    if left["gap"]:
        yield (
            f"{left['gap']:,} ships have no AIS report close enough to the time of acquisition, so "
            "their positions are unknown."
        )


def _is_ship(mmsi: int) -> bool:
    """Return whether an MMSI is that of a ship; base stations and buoys differ (ITU-R M.585)."""
    return 200_000_000 <= mmsi < 800_000_000 or 980_000_000 <= mmsi < 990_000_000


def _contact(
    reports: Reports, rows: npt.NDArray[np.intp], boxes: list[BBox], left: Counter[str]
) -> Contact | None:
    """Build a contact from its reports in order of time; None if the position is unknown."""
    new = np.diff(reports.seconds[rows], prepend=-np.inf) > 0
    left["twice"] += int((~new).sum())
    rows = rows[new]
    kept = _plausible(reports.seconds[rows], reports.lonlat[rows])
    left["jump"] += len(rows) - len(kept)
    rows = rows[kept]
    state = _state(reports, rows)
    if state is None:
        left["gap"] += 1
        return None
    place, speed_m_s, course, gap_s = state
    length = _known(reports.length_m[rows])
    gate = GATE_M + (length or 0.0) / 2 + STRAY * speed_m_s * gap_s
    return Contact(
        int(reports.mmsi[rows[0]]),
        next((name for name in reversed(reports.name[rows]) if name), ""),
        round(float(place[0]), 6),
        round(float(place[1]), 6),
        round(speed_m_s / KNOT, 1),
        None if course is None else round(course, 1),
        length,
        _known(reports.width_m[rows]),
        next((kind for kind in reversed(reports.ship_type[rows]) if kind), ""),
        round(gap_s, 1),
        round(min(gate, MAX_GATE_M), 1),
        any(_inside(place, box) for box in boxes),
    )


def _known(values: Floats) -> float | None:
    given = values[np.isfinite(values)]
    return float(given[-1]) if len(given) else None


def _inside(place: Floats, box: BBox) -> bool:
    middle, half = box.center[0], (box.east - box.west) / 2
    across = abs(float(near_longitude(place[0], middle)) - middle)
    return across <= half and box.south <= float(place[1]) <= box.north


def _plausible(seconds: Floats, lonlat: Floats) -> npt.NDArray[np.intp]:
    """Return the indices of the longest chain of reports without an implausible speed.

    A report joins the nearest chain from whose end it is reachable, or starts a new one. This
    tolerates a wrong first report and two ships with the same MMSI. Only the ``MAX_CHAINS`` chains
    with the latest reports are tried, so that the time grows with the number of reports.
    """
    steps = distance_m(lonlat[:-1], lonlat[1:])
    if (steps <= MAX_SPEED_KN * KNOT * np.diff(seconds) + NOISE_M).all():
        return np.arange(len(seconds))
    chains: list[list[int]] = []
    tried: list[list[int]] = []  # those with the latest reports, in order of time
    for number in range(len(seconds)):
        ends = [chain[-1] for chain in tried]
        away = distance_m(lonlat[ends], lonlat[number])
        reach = MAX_SPEED_KN * KNOT * (seconds[number] - seconds[ends]) + NOISE_M
        away[away > reach] = math.inf
        if ends and math.isfinite(away.min()):
            chain = tried.pop(int(away.argmin()))
        else:
            chain = []
            chains.append(chain)
        chain.append(number)
        tried = [*tried[-MAX_CHAINS + 1 :], chain]
    return np.array(max(chains, key=len), dtype=np.intp)


def _state(
    reports: Reports, rows: npt.NDArray[np.intp]
) -> tuple[Floats, float, float | None, float] | None:
    """Return position, speed in m/s, course and seconds to the nearest report, at second 0.

    None if the position is unknown.
    """
    seconds, lonlat = reports.seconds[rows], reports.lonlat[rows]
    after = int(np.searchsorted(seconds, 0.0))
    if after < len(rows) and seconds[after] == 0.0:
        return lonlat[after], *_motion(reports, rows[after]), 0.0
    if 0 < after < len(rows):
        a, b = lonlat[after - 1], lonlat[after]
        gap = float(seconds[after] - seconds[after - 1])
        moved = float(distance_m(a, b))
        if gap > MAX_GAP_S and moved > STILL_M:
            return None
        share = float(-seconds[after - 1]) / gap
        nearest = min(float(seconds[after]), float(-seconds[after - 1]))
        speed = moved / gap
        stated, course = _motion(reports, rows[after - 1 if share < 0.5 else after])
        return (
            great_circle(a, b, share),
            max(speed, stated) if moved > STILL_M else speed,
            bearing_deg(a, b) if moved > STILL_M else course,
            nearest,
        )
    edge = 0 if after == 0 else len(rows) - 1
    away = float(-seconds[edge])
    speed, course = _motion(reports, rows[edge])
    if abs(away) > MAX_CARRY_S:
        return None
    place = lonlat[edge]
    if course is not None and speed > 0:
        place = carried(place, course, speed * away)
    return place, speed, course, abs(away)


def _motion(reports: Reports, row: np.intp) -> tuple[float, float | None]:
    """Return speed in m/s (0 if missing or implausible) and course (None if missing)."""
    speed, course = float(reports.speed_kn[row]), float(reports.course_deg[row])
    usable = math.isfinite(speed) and speed <= MAX_SPEED_KN
    return speed * KNOT if usable else 0.0, course if math.isfinite(course) else None
