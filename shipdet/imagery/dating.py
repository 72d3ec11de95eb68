"""When an image was taken, as its file says."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import NamedTuple

#: Tags that say when an image was taken, the best witness first, in capitals without separators:
#: GDAL's IMAGERY domain, Planet, Sentinel-2 as GDAL writes it, and common ones.
TAKEN = (
    *("ACQUISITIONDATETIME", "ACQUIRED", "DATATAKE1DATATAKESENSINGSTART", "DATATAKESENSINGSTART"),
    *("SENSINGTIME", "PRODUCTSTARTTIME", "ACQUISITIONTIME", "ACQUISITIONDATE", "DATEACQUIRED"),
    *("DATETIME", "TIMESTAMP"),
)
#: Landsat says the day (DATE_ACQUIRED) and the time of day apart.
TIME_OF_DAY = "SCENECENTERTIME"
#: When the file was made; Planet and others write the time of the image.
MADE = "TIFFTAGDATETIME"
#: The first satellite image of the kind was taken in July 1972.
FIRST = datetime(1972, 7, 1, tzinfo=UTC)

# Sentinel-2 (S2A_MSIL2A_20240501T110619_..., T30STF_20240501T110619_TCI) and PlanetScope
# (20190326_054131_1021_3B_Visual, 20190326_054131_87_1021_3B_...); both in UTC.
_NAMES = (
    re.compile(r"(?:S2[A-D]_\w+?|T\d\d[A-Z]{3})_(?P<day>\d{8})T(?P<time>\d{6})(?:_|\.|$)"),
    re.compile(r"(?P<day>\d{8})_(?P<time>\d{6})_(?:\d\d_)?[0-9a-f]{4}(?:_|\.|$)"),
)
_DAY_FIRST = re.compile(r"(\d{4})[:/-](\d\d)[:/-](\d\d)(.*)")


class Dated(NamedTuple):
    """When an image was taken, ISO 8601 in UTC, "" where that is not known; and a note about it."""

    acquired: str
    note: str


def date_of(name: str, tags: Mapping[str, str], now: datetime | None = None) -> Dated:
    """When an image was taken.

    The first of these counts: a tag of ``TAKEN``, the file's name where it is that of a
    Sentinel-2 or PlanetScope product, TIFFTAG_DATETIME. A time without a zone is in UTC. A day
    without a time of day, a time before ``FIRST`` and one in the future do not count.

    Args:
        name: Of the file.
        tags: Of the file, of all domains, by name.
        now: Instead of the clock.

    Returns:
        The time and where it comes from, or why there is none.
    """
    now = now or datetime.now(UTC)
    days = []
    for source, text, caveat in _witnesses(name, tags):
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
                f"The image was taken at {moment:%Y-%m-%d %H:%M} UTC: so says its {source}"
                f"{zone}{caveat}.",
            )
    if days:
        source, day, caveat = days[0]
        return Dated("", f"The image was taken on {day}: its {source} says no time of day{caveat}.")
    return Dated("", "")


def _witnesses(name: str, tags: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What may say when the image was taken, its text, and a doubt; the best first."""
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
        yield f"tag {tag}", text, "; that may be when the file was made"


def _plain(tag: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", tag.upper())


def _read(text: str) -> datetime | date | None:
    """A time, or a day, which midnight to the second stands for; None for something else."""
    if found := _DAY_FIRST.fullmatch(text):
        text = "-".join(found.groups()[:3]) + found[4]
    text = re.sub(r"\s*(?:UTC|GMT)$", "Z", text, flags=re.IGNORECASE)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.date() if moment.time() == time.min else moment
