"""AIS files to order."""

import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

ACQUIRED = datetime(2024, 5, 1, 10, 56, tzinfo=UTC)
MARINE_CADASTRE = "MMSI,BaseDateTime,LAT,LON,SOG,COG,Heading,VesselName,IMO,CallSign,VesselType,Status,Length,Width,Draft,Cargo,TransceiverClass"  # noqa: E501
DANISH = "# Timestamp,Type of mobile,MMSI,Latitude,Longitude,Navigational status,ROT,SOG,COG,Heading,IMO,Callsign,Name,Ship type,Cargo type,Width,Length"  # noqa: E501


def report(
    minutes: float, lon: float, lat: float, mmsi: int = 219000001, **more: Any
) -> dict[str, Any]:
    """One report, some minutes after the acquisition."""
    values = {"sog": 0.0, "cog": 0.0, "name": "ANNA", "length": "", "width": ""}
    return {"minutes": minutes, "lon": lon, "lat": lat, "mmsi": mmsi, **values, **more}


def marine_cadastre(rows: Sequence[dict[str, Any]]) -> str:
    lines = [MARINE_CADASTRE]
    for row in rows:
        at = (ACQUIRED + timedelta(minutes=row["minutes"])).strftime("%Y-%m-%dT%H:%M:%S")
        lines.append(
            f"{row['mmsi']},{at},{row['lat']},{row['lon']},{row['sog']},{row['cog']},511,"
            f"{row['name']},,,70,0,{row['length']},{row['width']},,,A"
        )
    return "\n".join(lines) + "\n"


def danish(rows: Sequence[dict[str, Any]]) -> str:
    lines = [DANISH]
    for row in rows:
        at = (ACQUIRED + timedelta(minutes=row["minutes"])).strftime("%d/%m/%Y %H:%M:%S")
        lines.append(
            f"{at},Class A,{row['mmsi']},{row['lat']},{row['lon']},Under way,,{row['sog']},"
            f"{row['cog']},,Unknown,,{row['name']},Cargo,,{row['width']},{row['length']}"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture
def ais_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes reports as a file; the name says how it is packed."""

    def write(
        rows: Sequence[dict[str, Any]],
        name: str = "ais.csv",
        form: Callable[[Sequence[dict[str, Any]]], str] = marine_cadastre,
    ) -> Path:
        path = tmp_path / name
        data = form(rows).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write
