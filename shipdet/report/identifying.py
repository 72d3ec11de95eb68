"""Add the acquisition of the image and the AIS matches to the ships of a run."""

from dataclasses import asdict, replace
from typing import Any

from shipdet.ais import Contacts, Matches, assign
from shipdet.detections import Detections


def identified(ships: Detections, record: dict[str, Any]) -> Detections:
    """Add acquisition time, scene and AIS matches to ships.

    Args:
        ships: The ships of a run.
        record: run.json; its ``ais`` has the ships of the AIS file, if one was read.

    Returns:
        The same ships in the same order.
    """
    details = record.get("source", {}).get("details", {})
    if details.get("acquired"):
        dated = {
            "acquired": details["acquired"],
            "scene": details.get("acquisition"),
            "processing_baseline": details.get("processing_baseline"),
        }
        ships = replace(ships, items=tuple(replace(ship, **dated) for ship in ships))
    if "ais" in record:
        ships = assign(ships, Contacts.from_dict(record["ais"]))
    return ships


def ais_record(record: dict[str, Any], ships: Detections) -> dict[str, Any]:
    """Return the ``ais`` of run.json with the result of the matching.

    Args:
        record: run.json with its ``ais``.
        ships: The matched ships, and the small craft.

    Returns:
        The ships of the AIS file, the numbers of matched and dark ships, and ``unseen``: the MMSIs
        of AIS ships inside the image without a detection.
    """
    matches = Matches(ships, Contacts.from_dict(record["ais"]))
    return {
        **record["ais"],
        "matched": len(ships) - len(matches.dark),
        "dark": len(matches.dark),
        "unseen": [contact.mmsi for contact in matches.unseen],
    }


def ais_geojson(record: dict[str, Any], ships: Detections) -> dict[str, Any]:
    """Return the AIS ships inside the image, and all matched ones, as points.

    Positions are those at the time of acquisition. ``ship`` is the id of the matched detection.
    """
    ids = {ship.mmsi: ship.id for ship in ships if ship.mmsi is not None}
    features = []
    for contact in Contacts.from_dict(record["ais"]):
        if not contact.in_area and contact.mmsi not in ids:
            continue
        values = asdict(contact) | {"ship": ids.get(contact.mmsi)}
        point = {"type": "Point", "coordinates": [values.pop("lon"), values.pop("lat")]}
        features.append({"type": "Feature", "geometry": point, "properties": values})
    return {"type": "FeatureCollection", "features": features}
