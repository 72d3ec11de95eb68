"""Ports with terminals by name, from the list that the package searoute brings along."""

import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from shipdet.places.folding import folded


@dataclass(frozen=True)
class Port:
    """A port; ``country`` is its ISO code of two letters, the first ones of its UN/LOCODE."""

    name: str
    country: str
    lon: float
    lat: float


def find_ports(wanted: str) -> list[Port]:
    """The ports that bear a name, which is folded.

    Empty where searoute is not installed: cities are found all the same.
    """
    return list(_index().get(wanted, ()))


@lru_cache(maxsize=1)
def _index() -> dict[str, tuple[Port, ...]]:
    spec = importlib.util.find_spec("searoute")  # imports nothing, networkx for instance
    if spec is None or spec.origin is None:
        return {}
    file = Path(spec.origin).parent / "data" / "ports.geojson"
    found: dict[str, tuple[Port, ...]] = {}
    for feature in json.loads(file.read_text(encoding="utf-8"))["features"]:
        facts = feature["properties"]
        if facts.get("t") != 1 or not facts.get("name"):  # no terminal: an inland place, mostly
            continue
        lon, lat = feature["geometry"]["coordinates"]
        port = Port(facts["name"], facts["port"][:2], float(lon), float(lat))
        key = folded(port.name)
        found[key] = (*found.get(key, ()), port)
    return found
