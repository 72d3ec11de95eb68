"""AIS: find out which ships in a dated image reported their position.

The position of each ship in an AIS file is determined at the time of the image. These positions are
matched one to one with the detections.

Example:
    >>> from shipdet import ais
    >>> matches = ais.match(run, "AIS_2024_05_01.csv.gz", acquired="2024-05-01T10:56:00Z")
    >>> [ship.id for ship in matches.detections if ship.dark]
    [3]
"""

from shipdet.ais.matching import NO_DATE, NO_PLACE, Matches, acquired_of, area_of, assign, match
from shipdet.ais.reading import Reports, read_reports
from shipdet.ais.times import parse_time
from shipdet.ais.tracks import Contact, Contacts, contacts_at, find_contacts

__all__ = [
    "NO_DATE",
    "NO_PLACE",
    "Contact",
    "Contacts",
    "Matches",
    "Reports",
    "acquired_of",
    "area_of",
    "assign",
    "contacts_at",
    "find_contacts",
    "match",
    "parse_time",
    "read_reports",
]
