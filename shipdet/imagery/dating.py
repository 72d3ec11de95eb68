"""Read the acquisition time of an image from its file."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import NamedTuple

#: Tags with the acquisition time, the most reliable first, in capitals without separators: GDAL's
#: IMAGERY domain, Planet, Sentinel-2 as written by GDAL, and common ones.
TAKEN = (
    *("ACQUISITIONDATETIME", "ACQUIRED", "DATATAKE1DATATAKESENSINGSTART", "DATATAKESENSINGSTART"),
    *("SENSINGTIME", "PRODUCTSTARTTIME", "ACQUISITIONTIME", "ACQUISITIONDATE", "DATEACQUIRED"),
    *("DATETIME", "TIMESTAMP"),
)
#: Landsat's time of day; its day is in DATE_ACQUIRED.
TIME_OF_DAY = "SCENECENTERTIME"
#: Time when the file was written; Planet and others store the acquisition time here.
MADE = "TIFFTAGDATETIME"
#: Earlier times are implausible: Landsat 1 was launched in July 1972.
FIRST = datetime(1972, 7, 1, tzinfo=UTC)

# Sentinel-2 (S2A_MSIL2A_20240501T110619_..., T30STF_20240501T110619_TCI) and PlanetScope
# (20190326_054131_1021_3B_Visual, 20190326_054131_87_1021_3B_...); both in UTC.
_NAMES = (
    re.compile(r"(?:S2[A-D]_\w+?|T\d\d[A-Z]{3})_(?P<day>\d{8})T(?P<time>\d{6})(?:_|\.|$)"),
    re.compile(r"(?P<day>\d{8})_(?P<time>\d{6})_(?:\d\d_)?[0-9a-f]{4}(?:_|\.|$)"),
)
_DAY_FIRST = re.compile(r"(\d{4})[:/-](\d\d)[:/-](\d\d)(.*)")


class Dated(NamedTuple):
    """The acquisition time, ISO 8601 in UTC ("" if unknown), and a note about its source."""

    acquired: str
    note: str


def date_of(name: str, tags: Mapping[str, str], now: datetime | None = None) -> Dated:
    """Determine the acquisition time of an image.

    Sources, in order: the tags of ``TAKEN``, the file name of a Sentinel-2 or PlanetScope product,
    TIFFTAG_DATETIME. A time without a zone is UTC. A day without a time, a time before ``FIRST``
    and a time in the future are ignored.

    Args:
        name: Name of the file.
        tags: Tags of the file, from all domains.
        now: The current time, for tests.

    Returns:
        The time and a note about its source, or a note why it is unknown.
    """
    now = now or datetime.now(UTC)
    days = []
    for source, text, caveat in _sources(name, tags):
        moment = _read(text)
        if moment is None:
            continue
        if not isinstance(moment, datetime):
            if FIRST.date() <= moment <= now.date():
                days.append((source, moment, caveat))
            continue
        zone = "" if moment.tzinfo else ", read as UTC"
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if FIRST <= moment <= now:
            moment = moment.astimezone(UTC)
            return Dated(
                f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                f"The image was taken at {moment:%Y-%m-%d %H:%M} UTC, according to its {source}"
                f"{zone}{caveat}.",
            )
    if days:
        source, day, caveat = days[0]
        return Dated("", f"The image was taken on {day}: its {source} has no time of day{caveat}.")
    return Dated("", "")


def _sources(name: str, tags: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the sources of the time, the most reliable first: name, text and caveat."""
    known = {_plain(tag): (tag, str(value).strip("\"'\0 ")) for tag, value in tags.items()}
    for key in TAKEN:
        if key in known:
            tag, text = known[key]
            if key == "DATEACQUIRED" and TIME_OF_DAY in known:
                text += f"T{known[TIME_OF_DAY][1]}"
            yield f"tag {tag}", text, ""
    for pattern in _NAMES:
        if found := pattern.match(name):
            yield "file name", f"{found['day']}T{found['time']}Z", ""
    if MADE in known:
        tag, text = known[MADE]
        yield f"tag {tag}", text, "; this may be when the file was written"


def _plain(tag: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", tag.upper())


def _read(text: str) -> datetime | date | None:
    """Parse a time; exactly midnight is a day without a time. None if not a time."""
    if found := _DAY_FIRST.fullmatch(text):
        text = "-".join(found.groups()[:3]) + found[4]
    text = re.sub(r"\s*(?:UTC|GMT)$", "Z", text, flags=re.IGNORECASE)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.date() if moment.time() == time.min else moment
