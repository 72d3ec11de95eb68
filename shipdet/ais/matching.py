"""Match detections with the ships in an AIS file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from shipdet.ais.tracks import Contact, Contacts, find_contacts
from shipdet.detections import Detection, Detections
from shipdet.errors import BadAis
from shipdet.gdal import gdal_env
from shipdet.geometry import BBox, distance_m, near_longitude

#: Cost per unit of |ln(reported length / measured length)|, in units of the gate radius.
LENGTH_WEIGHT = 0.25
NO_PLACE = "The image has no map reference, so AIS cannot be matched with it."
NO_DATE = (
    "The imagery has no date, so AIS cannot be matched: use dated imagery such as sentinel2 or a "
    "GeoTIFF with an acquisition time, or give the time with --acquired 2024-05-01T10:56:00Z."
)
#: Cost of an impossible pair; it exceeds the cost of all possible pairs together.
_IMPOSSIBLE = 1e6


class SearchedRun(Protocol):
    """The part of :class:`shipdet.report.Run` that the matching needs."""

    @property
    def record(self) -> dict[str, Any]:
        """The content of run.json."""

    @property
    def detections(self) -> Detections:
        """The ships above the threshold."""


@dataclass(frozen=True)
class Matches:
    """The result of matching detections with AIS.

    Attributes:
        detections: All detections with ``dark``; matched ones also with ``mmsi``, ``name`` and
            ``ais_distance_m``.
        contacts: The ships in the AIS file at the time of acquisition.
    """

    detections: Detections
    contacts: Contacts

    @property
    def dark(self) -> tuple[Detection, ...]:
        """Detections without a matching ship in AIS."""
        return tuple(ship for ship in self.detections if ship.dark)

    @property
    def unseen(self) -> tuple[Contact, ...]:
        """Ships in the AIS file that are inside the image and have no detection."""
        seen = {ship.mmsi for ship in self.detections}
        return tuple(c for c in self.contacts if c.in_area and c.mmsi not in seen)


def match(
    searched: SearchedRun | Detections,
    file: str | Path,
    acquired: str | datetime | None = None,
    area: BBox | Sequence[float] | None = None,
) -> Matches:
    """Match the ships in an image with the ships in an AIS file.

    Args:
        searched: A run, or detections with longitude and latitude.
        file: See :func:`~shipdet.ais.reading.read_reports`.
        acquired: Time of acquisition, ISO 8601 with a time zone; None for that of the run.
        area: The area of the image, as for :func:`~shipdet.ais.reading.read_reports`; None for the
            run's area, or the extent of the detections.

    Returns:
        The matched detections, and the ships in the file.

    Raises:
        BadAis: The image has no date or georeference, or the file does not cover it.
        BadOption: ``acquired`` is not a time with a time zone.
        MissingExtra: pyarrow is not installed.

    Example:
        >>> matches = match(run, "aisdk-2024-05-01.csv", acquired="2024-05-01T10:56:00Z")
        >>> len(matches.dark), [contact.name for contact in matches.unseen]
        (1, ['MAERSK TIGRIS'])
    """
    if isinstance(searched, Detections):
        detections, record = searched, {}
    else:
        detections, record = searched.detections, searched.record
    moment = acquired or acquired_of(record)
    if moment is None:
        raise BadAis(NO_DATE)
    place = area or area_of(record) or _extent(detections)
    contacts = find_contacts(file, place, moment)
    return Matches(assign(detections, contacts), contacts)


def acquired_of(record: dict[str, Any]) -> str | None:
    """Return the acquisition time of a run from run.json; None if unknown."""
    said = record.get("source", {}).get("details", {}).get("acquired")
    return str(said) if said else None


def area_of(record: dict[str, Any]) -> Sequence[float] | None:
    """Return west, south, east and north of a run's image from run.json, in degrees.

    West is more than 180 degrees east of east, or a longitude is above 180, if the image crosses
    the antimeridian. None without a georeference.
    """
    raw = record.get("raw")
    if not raw or not raw.get("georeferenced"):
        return None
    from rasterio.warp import transform_bounds

    a, b, c, d, e, f = raw["transform"]
    corners = np.array([(x, y) for x in (0, raw["width"]) for y in (0, raw["height"])])
    xs, ys = (corners @ [[a, d], [b, e]] + [c, f]).T
    with gdal_env():
        bounds: tuple[float, float, float, float] = transform_bounds(
            raw["crs"], "EPSG:4326", xs.min(), ys.min(), xs.max(), ys.max()
        )
    return bounds


def assign(detections: Detections, contacts: Contacts) -> Detections:
    """Match detections and ships one to one: as many pairs as possible, at the lowest cost.

    The two members of a pair are within the ship's gate. The cost of a pair is their distance in
    units of the gate radius, plus a term for the difference of the reported and measured lengths
    (assignment problem, ``scipy.optimize.linear_sum_assignment``).

    Args:
        detections: Detections with longitude and latitude.
        contacts: The ships in the AIS file at the time of acquisition.

    Returns:
        The detections in the same order, all with ``dark``; matched ones also with ``mmsi``,
        ``name`` and ``ais_distance_m``.

    Raises:
        BadAis: The detections have no longitude and latitude.
    """
    if not detections.items:
        return detections
    ships = np.array([(s.lon, s.lat) for s in detections], dtype=np.float64)
    if not np.isfinite(ships).all():
        raise BadAis(NO_PLACE)
    pairs: dict[int, tuple[Contact, float]] = {}
    if contacts.items:
        from scipy.optimize import linear_sum_assignment

        places = np.array([(c.lon, c.lat) for c in contacts])
        gates = np.array([c.gate_m for c in contacts])
        away = distance_m(ships[:, None], places[None])
        cost = away / gates
        stated = np.array([c.length_m or math.nan for c in contacts])
        measured = np.maximum([s.length_m for s in detections], 1.0)
        cost += LENGTH_WEIGHT * np.abs(np.nan_to_num(np.log(stated / measured[:, None])))
        cost[away > gates] = _IMPOSSIBLE
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, column] < _IMPOSSIBLE:
                pairs[int(row)] = (contacts.items[column], float(away[row, column]))
    return replace(
        detections,
        items=tuple(_identified(ship, pairs.get(number)) for number, ship in enumerate(detections)),
    )


def _identified(ship: Detection, pair: tuple[Contact, float] | None) -> Detection:
    if pair is None:
        return replace(ship, mmsi=None, name=None, ais_distance_m=None, dark=True)
    contact, away_m = pair
    return replace(
        ship, mmsi=contact.mmsi, name=contact.name, ais_distance_m=round(away_m, 1), dark=False
    )


def _extent(detections: Detections) -> Sequence[float]:
    """Return the bounding box of detections, enlarged by about 550 m on each side."""
    places = [(s.lon, s.lat) for s in detections if s.lon is not None and s.lat is not None]
    if not places:
        raise BadAis("No ship has a longitude and latitude: give the image's area.")
    lon, lat = np.array(places).T
    lon = near_longitude(lon, lon[0])
    margin = 0.005
    wider = margin / math.cos(math.radians(float(np.abs(lat).max())))
    return lon.min() - wider, lat.min() - margin, lon.max() + wider, lat.max() + margin
