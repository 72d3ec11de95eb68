"""What a run knows of its ships beyond the image: when it was taken, and what AIS says."""

from dataclasses import asdict, replace
from typing import Any

from shipdet.ais import Contacts, Matches, assign
from shipdet.detections import Detections


def identified(ships: Detections, record: dict[str, Any]) -> Detections:
    """Ships with the date of their image and with what AIS says of them.

    Args:
        ships: Of the run.
        record: run.json; its ``ais`` holds the ships of the AIS file, if one was read.

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
    """The ``ais`` of run.json with what came of it.

    Args:
        record: run.json with its ``ais``.
        ships: All that count, matched, and the small craft.

    Returns:
        The ships of the AIS file, the numbers of matched and dark ships, and ``unseen``: the MMSI
        of those inside the image without a detection.
    """
    matches = Matches(ships, Contacts.from_dict(record["ais"]))
    return {
        **record["ais"],
        "matched": len(ships) - len(matches.dark),
        "dark": len(matches.dark),
        "unseen": [contact.mmsi for contact in matches.unseen],
    }


def ais_geojson(record: dict[str, Any], ships: Detections) -> dict[str, Any]:
    """The ships of the AIS file at the time of acquisition, as points.

    ``ship`` is the id of the detection that one was matched with; those far outside the image are
    left out.
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
