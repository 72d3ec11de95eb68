"""Find places by name, coordinates in common notations, map links, boxes and tiles.

Example:
    >>> from shipdet.places import find_place
    >>> find_place("36°07'48\\"N 5°25'48\\"W")[0].lat
    36.13
"""

from shipdet.places.finding import find_place
from shipdet.places.place import Place

__all__ = ["Place", "find_place"]
