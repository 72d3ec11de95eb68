"""Times of acquisition and of AIS reports, in UTC."""

from datetime import UTC, datetime

from shipdet.errors import BadOption


def parse_time(value: str | datetime) -> datetime:
    """Parse a time of acquisition.

    Args:
        value: ISO 8601 with a time zone, such as ``2024-05-01T10:56:00Z``, or an aware datetime.

    Returns:
        The time in UTC.

    Raises:
        BadOption: The value is not a time, or has no time zone.
    """
    moment = _read(value) if isinstance(value, str) else value
    if moment.tzinfo is None:
        raise BadOption(
            f"The time {moment.isoformat()} has no zone: add Z for UTC, or an offset such as "
            "+02:00."
        )
    return moment.astimezone(UTC)


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadOption(
            f"'{text[:40]}' is not a time: write it like 2024-05-01T10:56:00Z."
        ) from None


def utc(moment: datetime) -> str:
    """Format a time for a message."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
