"""Where each ship of an AIS file was at one moment."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from shipdet.ais.reading import Reports, read_reports
from shipdet.ais.times import parse_time
from shipdet.geometry import MEAN_RADIUS_M, BBox, Floats, bearing_deg, distance_m

#: Meters per second.
KNOT = 1852.0 / 3600.0
#: No ship is faster: what would need more is another ship's report or an error.
MAX_SPEED_KN = 60.0
#: Two reports may be this much farther apart than that speed allows: noise of the positions.
NOISE_M = 100.0
#: Between reports that lie further apart in time a moving ship's place is not known.
MAX_GAP_S = 1800.0
#: After its last report, or before its first, a ship is carried on for so long at most.
MAX_CARRY_S = 600.0
#: A ship that has moved less than this between two reports lay still, whatever time is between.
STILL_M = 200.0

#: A gate's radius for a ship whose place is exactly known: the antenna is not in the middle of
#: the hull, and the picture's own place has an error.
GATE_M = 150.0
#: A ship may have left the straight line by this share of what it covers since the nearest report.
STRAY = 0.3
#: No gate is larger: a ship further away than this is another one.
MAX_GATE_M = 3000.0


@dataclass(frozen=True)
class Contact:
    """A ship of the AIS file at the time of acquisition.

    Attributes:
        mmsi: its Maritime Mobile Service Identity.
        name: as last given; empty where unknown.
        lon: degrees.
        lat: degrees.
        speed_kn: knots over ground.
        course_deg: degrees over ground, None where unknown.
        length_m: as stated, None where unknown.
        width_m: as stated, None where unknown.
        ship_type: as the file writes it, a code or a word; empty where unknown.
        gap_s: seconds between the acquisition and the nearest report.
        gate_m: a detection further away is another ship.
        in_area: whether the place lies inside the picture.
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
    """All ships of an AIS file near a picture at the time of its acquisition.

    Attributes:
        items: the ships, by MMSI.
        acquired: the time, UTC.
        file: name of the AIS file.
        notes: what a reader of the results should know, in sentences.
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
        """Plain JSON values, for run.json."""
        return {
            "file": self.file,
            "acquired": self.acquired.isoformat().replace("+00:00", "Z"),
            "notes": list(self.notes),
            "contacts": [asdict(item) for item in self.items],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What :meth:`as_dict` wrote."""
        return cls(
            tuple(Contact(**item) for item in data["contacts"]),
            parse_time(data["acquired"]),
            data["file"],
            tuple(data["notes"]),
        )


def find_contacts(file: str | Path, area: BBox, acquired: str | datetime) -> Contacts:
    """Read an AIS file and find where its ships were when a picture was taken.

    Args:
        file: see :func:`~shipdet.ais.reading.read_reports`.
        area: where the picture lies.
        acquired: when it was taken.

    Returns:
        The ships whose place at that time is known.

    Raises:
        BadAis: see :func:`~shipdet.ais.reading.read_reports`.
        BadOption: ``acquired`` is no time with a zone.
    """
    moment = parse_time(acquired)
    return contacts_at(read_reports(file, area, moment), area, moment, Path(file).name)


def contacts_at(reports: Reports, area: BBox, acquired: datetime, file: str = "") -> Contacts:
    """The place of every ship at the time of acquisition.

    Between two reports a ship goes along the great circle at constant speed. Before its first or
    after its last report it is carried on by speed and course for ``MAX_CARRY_S``.

    Args:
        reports: of any order, with any errors.
        area: where the picture lies.
        acquired: the time to which ``reports.seconds`` refer.
        file: its name, for the record.

    Returns:
        Ships near the area; notes say what was left out.
    """
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
        found = _contact(reports, rows, area, left)
        if found is not None:
            items.append(found)
    return Contacts(tuple(items), acquired, file, (*reports.notes, *_left_out(left)))


def _left_out(left: Counter[str]) -> Iterator[str]:
    if left["twice"]:
        yield (
            f"{left['twice']:,} AIS reports have the time of another one of their ship: the first "
            "of them counts."
        )
    if left["jump"]:
        yield (
            f"{left['jump']:,} AIS reports would need more than {MAX_SPEED_KN:g} knots and were "
            "left out."
        )
    if left["gap"]:
        yield (
            f"{left['gap']:,} ships have no AIS report near enough to the time of acquisition: "
            "where they were then is not known."
        )


def _is_ship(mmsi: int) -> bool:
    """Whether an MMSI is a ship's, not a base station's, aircraft's or buoy's (ITU-R M.585)."""
    return 200_000_000 <= mmsi < 800_000_000 or 980_000_000 <= mmsi < 990_000_000


def _contact(
    reports: Reports, rows: npt.NDArray[np.intp], area: BBox, left: Counter[str]
) -> Contact | None:
    """One ship from its reports in order of time; None where its place is not known."""
    new = np.diff(reports.seconds[rows], prepend=-np.inf) > 0
    left["twice"] += int((~new).sum())
    rows = rows[new]
    kept = _plausible(reports.seconds[rows], reports.lonlat[rows])
    left["jump"] += len(rows) - len(kept)
    rows = rows[kept]
    placed = _placed(reports, rows)
    if placed is None:
        left["gap"] += 1
        return None
    place, speed_m_s, course, gap_s = placed
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
        _inside(place, area),
    )


def _known(values: Floats) -> float | None:
    given = values[np.isfinite(values)]
    return float(given[-1]) if len(given) else None


def _inside(place: Floats, area: BBox) -> bool:
    middle, half = area.center[0], (area.east - area.west) / 2
    across = abs((float(place[0]) - middle + 180.0) % 360.0 - 180.0)
    return across <= half and area.south <= float(place[1]) <= area.north


def _plausible(seconds: Floats, lonlat: Floats) -> npt.NDArray[np.intp]:
    """Numbers of the reports of the longest chain in which no step needs an impossible speed.

    A report joins the chain whose end it can have come from, the nearest if several; otherwise it
    begins one. So neither a wrong first report nor two ships with one MMSI spoils the rest.
    """
    steps = distance_m(lonlat[:-1], lonlat[1:])
    if (steps <= MAX_SPEED_KN * KNOT * np.diff(seconds) + NOISE_M).all():
        return np.arange(len(seconds))
    chains: list[list[int]] = []
    for number in range(len(seconds)):
        best, nearest = -1, math.inf
        for which, chain in enumerate(chains):
            away = float(distance_m(lonlat[chain[-1]], lonlat[number]))
            reach = MAX_SPEED_KN * KNOT * (seconds[number] - seconds[chain[-1]]) + NOISE_M
            if away <= reach and away < nearest:
                best, nearest = which, away
        if best < 0:
            chains.append([number])
        else:
            chains[best].append(number)
    return np.array(max(chains, key=len), dtype=np.intp)


def _placed(
    reports: Reports, rows: npt.NDArray[np.intp]
) -> tuple[Floats, float, float | None, float] | None:
    """Place, speed in m/s, course and seconds to the nearest report, at second 0."""
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
    """Speed in m/s, 0 where it is not given or impossible, and course."""
    speed, course = float(reports.speed_kn[row]), float(reports.course_deg[row])
    usable = math.isfinite(speed) and speed <= MAX_SPEED_KN
    return speed * KNOT if usable else 0.0, course if math.isfinite(course) else None


def great_circle(a: Floats, b: Floats, share: float) -> Floats:
    """A point of the way between two places.

    Args:
        a: longitude and latitude, degrees.
        b: the same.
        share: 0 at ``a`` to 1 at ``b``.

    Returns:
        Longitude (-180 to 180) and latitude on the great circle, by spherical interpolation of
        unit vectors; the 180th meridian is a line like any other.
    """
    p, q = _vector(a), _vector(b)
    angle = math.atan2(float(np.linalg.norm(np.cross(p, q))), float(p @ q))
    if angle < 1e-12:
        return a
    mixed = (math.sin((1 - share) * angle) * p + math.sin(share * angle) * q) / math.sin(angle)
    return _lonlat(mixed)


def carried(place: Floats, course_deg: float, meters: float) -> Floats:
    """Where a ship is after a distance in meters (before, when negative) on a course.

    Args:
        place: longitude and latitude, degrees.
        course_deg: clockwise from north.
        meters: along the great circle.

    Returns:
        Longitude (-180 to 180) and latitude.
    """
    up = _vector(place)
    lon = math.radians(float(place[0]))
    east = np.array([-math.sin(lon), math.cos(lon), 0.0])
    north = np.cross(up, east)
    theta = math.radians(course_deg)
    ahead = math.cos(theta) * north + math.sin(theta) * east
    angle = meters / MEAN_RADIUS_M
    return _lonlat(math.cos(angle) * up + math.sin(angle) * ahead)


def _vector(place: Floats) -> Floats:
    lon, lat = (math.radians(float(value)) for value in place)
    return np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])


def _lonlat(vector: Floats) -> Floats:
    x, y, z = vector.tolist()
    return np.degrees([math.atan2(y, x), math.atan2(z, math.hypot(x, y))])
