"""Find ports with terminals by name, in the list of the package searoute."""

import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from shipdet.places.folding import folded


@dataclass(frozen=True)
class Port:
    """A port; ``country`` is the two-letter ISO code at the start of its UN/LOCODE."""

    name: str
    country: str
    lon: float
    lat: float


def find_ports(wanted: str) -> list[Port]:
    """Return the ports with a folded name; empty if searoute is not installed."""
    return list(_index().get(wanted, ()))


@lru_cache(maxsize=1)
def _index() -> dict[str, tuple[Port, ...]]:
    spec = importlib.util.find_spec("searoute")  # imports neither searoute nor its networkx
    if spec is None or spec.origin is None:
        return {}
    file = Path(spec.origin).parent / "data" / "ports.geojson"
    found: dict[str, tuple[Port, ...]] = {}
    for feature in json.loads(file.read_text(encoding="utf-8"))["features"]:
        facts = feature["properties"]
        if facts.get("t") != 1 or not facts.get("name"):  # no terminal: mostly inland places
            continue
        lon, lat = feature["geometry"]["coordinates"]
        port = Port(facts["name"], facts["port"][:2], float(lon), float(lat))
        key = folded(port.name)
        found[key] = (*found.get(key, ()), port)
    return found
