"""Convert columns of an AIS file: numbers, texts and times, whatever their type."""

from datetime import date
from typing import Any

import numpy as np

from shipdet.errors import BadAis
from shipdet.geometry import Floats

_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_ZONE_LETTERS = r"\d\s*[A-Za-z]{2,5}$"


def numbers(column: Any) -> Floats:
    """Convert a column to float64; NaN where there is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid:
            plain = pc.replace_substring(column, ",", ".")  # decimal comma
            proper = pc.match_substring_regex(plain, _NUMBER)
            stripped = pc.utf8_trim_whitespace(pc.if_else(proper, plain, None))
            column = stripped.cast(pa.float64())
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def texts(column: Any) -> list[str]:
    """Convert a column to stripped texts; "" for missing values."""
    import pyarrow as pa

    values = column.cast(pa.string()).cast(pa.binary()).to_pylist()
    return [(value or b"").decode("utf-8", "replace").strip() for value in values]


def epochs(column: Any, title: str) -> Floats:
    """Convert times to seconds since 1970 in UTC; NaN if invalid.

    Raises:
        BadAis: A time has another zone.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        stamps = column.cast(pa.timestamp("us", getattr(column.type, "tz", None)))
        return _epoch(stamps)
    plain = pc.utf8_trim_whitespace(column)
    plain = pc.replace_substring_regex(plain, r"\s*(UTC|GMT)$", "")
    if pc.any(pc.match_substring_regex(plain, _ZONE_LETTERS)).as_py():
        raise BadAis(
            f"The times in column '{title[:40]}' have a time zone other than UTC: convert them to "
            "UTC."
        )
    danish = pc.match_substring_regex(plain, r"^\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}$")
    if pc.any(danish).as_py():
        plain = pc.replace_substring_regex(plain, r"^(\d{2})/(\d{2})/(\d{4}) (.*)$", r"\3-\2-\1 \4")
    zoned = pc.match_substring_regex(plain, r"\d(Z|[-+]\d{2}:?\d{2})$")
    naive = _epoch(_cast(pc.if_else(zoned, None, plain), pa.timestamp("us")))
    aware = _epoch(_cast(pc.if_else(zoned, plain, None), pa.timestamp("us", "UTC")))
    return np.where(np.isfinite(aware), aware, naive)


def _cast(column: Any, kind: Any) -> Any:
    """Parse a column of texts as times; invalid ones become null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        pattern = (
            r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d"
            r"(\.\d{1,6})?)?(Z|[-+]\d{2}:?\d{2})?$"
        )
        proper = pc.if_else(pc.match_substring_regex(column, pattern), column, None)
        days = pc.utf8_slice_codeunits(proper, 0, 10)
        real = [day for day in pc.unique(days).to_pylist() if day and _is_date(day)]
        known = pc.is_in(days, pa.array(real, pa.string()))
        return pc.if_else(known, proper, None).cast(kind)


def _is_date(day: str) -> bool:
    """Return whether a day exists; not the 31st of a month with 30 days."""
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _epoch(stamps: Any) -> Floats:
    import pyarrow as pa

    whole = stamps.cast(pa.int64())
    return np.asarray(whole.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)) / 1e6
