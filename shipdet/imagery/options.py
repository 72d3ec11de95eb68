"""What a person may choose about the imagery, beyond provider and zoom."""

import math
from dataclasses import dataclass
from datetime import date
from typing import Self

from shipdet.errors import BadOption

DEFAULT_MAX_CLOUD = 20
# What PRIORITY may be in Sentinel Hub's OGC services.
PRIORITIES = (
    "leastCC",
    "mostRecent",
    "leastRecent",
    "leastTimeDifference",
    "maximumViewingElevation",
)


@dataclass(frozen=True, slots=True)
class ImageryOptions:
    """Date range (inclusive), cloud cover in per cent (0-100) and priority of Sentinel Hub.

    Providers without acquisition dates ignore it. No dates means all dates; no priority means
    the operator's setting. Raises :class:`~shipdet.errors.BadOption`.
    """

    date_from: date | None = None
    date_to: date | None = None
    max_cloud: int = DEFAULT_MAX_CLOUD
    priority: str | None = None

    def __post_init__(self) -> None:
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise BadOption(
                f"The date range ends ({self.date_to}) before it begins ({self.date_from}): "
                "swap the two dates."
            )
        if not 0 <= self.max_cloud <= 100:
            raise BadOption(
                f"The maximum cloud cover is {self.max_cloud}: give a percentage from 0 to 100."
            )
        if self.priority is not None:
            check_priority(self.priority)

    @classmethod
    def parse(
        cls,
        date_from: str | None = None,
        date_to: str | None = None,
        max_cloud: float | str | None = None,
        priority: str | None = None,
    ) -> Self:
        """Read the options as people type them; empty strings and None mean the default."""
        return cls(
            _parse_date(date_from),
            _parse_date(date_to),
            DEFAULT_MAX_CLOUD if max_cloud in (None, "") else _parse_percent(max_cloud),
            priority or None,
        )

    @property
    def time_range(self) -> str | None:
        """``from/to`` as OGC services want it, or None for all dates."""
        if self.date_from is None and self.date_to is None:
            return None
        first = self.date_from or date(2015, 6, 23)  # launch of Sentinel-2A
        last = self.date_to or date.today()
        return f"{first}/{max(first, last)}"


def check_priority(value: str) -> str:
    """Return the priority, or raise BadOption with the list of those that exist."""
    if value not in PRIORITIES:
        raise BadOption(f"Priority '{value[:40]}' is not one of {', '.join(PRIORITIES)}.")
    return value


def _parse_date(text: str | None) -> date | None:
    if not text or not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadOption(
            f"'{text[:40]}' is not a date: write year-month-day, such as 2024-06-30."
        ) from None


def _parse_percent(value: float | str | None) -> int:
    try:
        number = float(value)  # type: ignore[arg-type]  # None was handled by the caller
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadOption(f"'{str(value)[:40]}' is not a percentage: give a number from 0 to 100.")
    return round(number)
