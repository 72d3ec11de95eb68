"""Recognize the columns of AIS files of MarineCadastre and the Danish Maritime Authority."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from shipdet.errors import BadAis

#: Column names by meaning, in lowercase, letters and digits only. MarineCadastre uses BaseDateTime,
#: LAT, VesselName; its files from 2025 on use base_date_time, latitude, vessel_name.
_NAMES = {
    "mmsi": ("mmsi",),
    "time": ("basedatetime", "timestamp"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "longitude"),
    "speed": ("sog",),
    "course": ("cog",),
    "name": ("vesselname", "name", "shipname"),
    "length": ("length",),
    "width": ("width",),
    "ship_type": ("vesseltype", "shiptype"),
}
_NEEDED = {
    "mmsi": "MMSI",
    "time": "BaseDateTime (or Timestamp)",
    "lat": "LAT (or Latitude)",
    "lon": "LON (or Longitude)",
}
_UTC = ("utc", "gmt", "z")


@dataclass(frozen=True)
class Columns:
    """The names of the used columns in a file, by meaning."""

    names: dict[str, str]

    @classmethod
    def of(cls, header: Sequence[str]) -> Self:
        """Find the columns in a header.

        Raises:
            BadAis: A required column is missing, or the times are not in UTC.
        """
        plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(header)}
        found = {}
        for meaning, known in _NAMES.items():
            match = next((plain[name] for name in known if name in plain), None)
            if match is not None:
                found[meaning] = match
        if "time" not in found:
            zoned = _zoned_time(plain)
            if zoned is not None:
                found["time"] = zoned
        missing = [title for meaning, title in _NEEDED.items() if meaning not in found]
        if missing:
            raise BadAis(
                f"The AIS file has no column {' and no column '.join(missing)}: use a file with "
                "the columns of MarineCadastre or of the Danish Maritime Authority."
            )
        return cls(found)


def _zoned_time(plain: dict[str, str]) -> str | None:
    """Find a column of times with UTC in its name.

    Raises:
        BadAis: The name contains another zone.
    """
    for name, own in plain.items():
        for known in _NAMES["time"]:
            if name.startswith(known):
                if name.removeprefix(known) in _UTC:
                    return own
                raise BadAis(
                    f"The times in column '{own[:40]}' do not seem to be in UTC: convert them to "
                    "UTC and name the column Timestamp."
                )
    return None
