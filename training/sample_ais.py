"""Write the AIS file of the synthetic sample from the ground truth of its ships.

    python -m training.sample_ais

Moving ships report along a straight track through their position at the time of acquisition.
Three cases are added for matching: one ship sends no reports, one reports a wrong position, and
one set of reports comes from a place without a ship.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from shipdet.ais.sphere import carried
from shipdet.ais.tracks import KNOT
from shipdet.imagery import sample
from shipdet.imagery.sample import AIS_FILE, Ship

HEADER = (
    "MMSI,BaseDateTime,LAT,LON,SOG,COG,Heading,VesselName,IMO,CallSign,VesselType,Status,Length,"
    "Width,Draft,Cargo,TransceiverClass"
)
#: The first three digits belong to no country, so the number cannot be that of a real ship.
FIRST_MMSI = 200_000_001
#: Indices into :func:`shipdet.imagery.sample.truth`.
SILENT, WRONG = 7, 8
#: Distance and bearing from the ship to its wrong position.
WRONG_M, WRONG_DEG = 1400.0, 65.0
#: Meters east and south of the sample's center, where there is water and no ship.
GHOST_EAST_M, GHOST_SOUTH_M = -1900.0, 650.0
SPEED_KN = {"container": 11.5, "cargo": 9.0, "ferry": 16.0, "fishing": 5.0, "patrol": 19.0}
#: AIS ship type codes (ITU-R M.1371).
TYPES = {"container": 71, "tanker": 80, "bulk": 70, "cargo": 70, "ferry": 60, "tug": 52,
         "fishing": 30, "patrol": 55}  # fmt: skip
#: Minutes before and after the acquisition, and seconds between reports.
REACH_MIN, MOVING_S, STILL_S = 20, 30, 180
#: Standard deviation of a reported position, including the offset of the antenna.
NOISE_M = 6.0


@dataclass(frozen=True)
class _Reporter:
    """The AIS values of a ship at the time of acquisition."""

    mmsi: int
    name: str
    kind: str
    lon: float
    lat: float
    course_deg: float
    speed_kn: float
    length_m: float
    width_m: float


def write_file() -> None:
    """Write the AIS file into the package."""
    AIS_FILE.write_text(file_text(), encoding="utf-8")


def file_text() -> str:
    """Return the content of the AIS file, identical on every machine."""
    rng = np.random.default_rng(20240607)
    rows = [row for reporter in _reporters() for row in _rows(reporter, rng)]
    return "\n".join([HEADER, *sorted(rows, key=lambda row: row.split(",")[1])]) + "\n"


def _reporters() -> Iterator[_Reporter]:
    for number, ship in enumerate(sample.truth()):
        if number == SILENT:
            continue
        lon, lat = ship.lon, ship.lat
        if number == WRONG:
            lon, lat = carried(np.array([lon, lat]), WRONG_DEG, WRONG_M).tolist()
        yield _reporter(number, ship, lon, lat)
    lon, lat = sample.bbox().center
    east = carried(np.array([lon, lat]), 90.0, GHOST_EAST_M)
    lon, lat = carried(east, 180.0, GHOST_SOUTH_M).tolist()
    yield _Reporter(FIRST_MMSI + 90, "SAMPLE GHOST", "cargo", lon, lat, 0.0, 0.0, 90.0, 15.0)


def _reporter(number: int, ship: Ship, lon: float, lat: float) -> _Reporter:
    speed = SPEED_KN[ship.kind] if ship.state == "moving" else 0.0
    name = f"SAMPLE {ship.kind.upper()} {number + 1}"
    return _Reporter(FIRST_MMSI + number, name, ship.kind, lon, lat, ship.heading_deg, speed,
                     ship.length_m, ship.width_m)  # fmt: skip


def _rows(reporter: _Reporter, rng: np.random.Generator) -> Iterator[str]:
    acquired = datetime.fromisoformat(sample.ACQUIRED)
    step = MOVING_S if reporter.speed_kn else STILL_S
    second = -REACH_MIN * 60.0 + float(rng.integers(step))
    start = np.array([reporter.lon, reporter.lat])
    while second <= REACH_MIN * 60:
        place = carried(start, reporter.course_deg, reporter.speed_kn * KNOT * second)
        error_deg, error_m = float(rng.uniform(0, 360)), abs(float(rng.normal(0, NOISE_M)))
        noisy = carried(place, error_deg, error_m)
        moment = acquired + timedelta(seconds=second)
        status = 0 if reporter.speed_kn else 1
        yield (
            f"{reporter.mmsi},{moment:%Y-%m-%dT%H:%M:%S},{noisy[1]:.5f},{noisy[0]:.5f},"
            f"{reporter.speed_kn:.1f},{reporter.course_deg:.1f},511,{reporter.name},,,"
            f"{TYPES[reporter.kind]},{status},{reporter.length_m:.0f},{reporter.width_m:.0f},,,A"
        )
        second += step


if __name__ == "__main__":
    write_file()
