"""Read AIS files of any size; only reports near a place and time are kept in memory."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shipdet.ais.columns import Columns
from shipdet.ais.times import utc
from shipdet.ais.values import epochs, numbers, texts
from shipdet.archives import ZIP_DAMAGE
from shipdet.areas import boxes_of
from shipdet.errors import BadAis
from shipdet.extras import require
from shipdet.geometry import BBox, Floats, near_longitude

#: Reports are kept up to this many seconds before and after the acquisition.
WINDOW_S = 3600.0
#: Reports are kept within this distance of the area: the path of a ship in an hour at 25 knots.
MARGIN_M = 46_300.0
#: Most reports that are kept, about 1 GB; compressed files can hold far more.
MAX_REPORTS = 5_000_000

_METERS_PER_DEGREE = 111_195.0  # along a great circle, on a sphere of the mean radius
_BLOCK_BYTES = 16 * 1024**2
_HEADER_BYTES = 65_536
_OPTIONAL_NUMBERS = ("speed", "course", "length", "width")


@dataclass(frozen=True)
class Reports:
    """AIS reports near a place and time; arrays have one entry per report.

    Attributes:
        mmsi: int64.
        seconds: float64, seconds after the acquisition (negative before it).
        lonlat: float64 (n, 2), degrees.
        speed_kn: float64, knots over ground; NaN if missing.
        course_deg: float64, degrees over ground clockwise from north; NaN if missing.
        length_m: float64; NaN if missing.
        width_m: float64; NaN if missing.
        name: object, str; "" if missing.
        ship_type: object, str; "" if missing.
        notes: Sentences for the user.
    """

    mmsi: npt.NDArray[np.int64]
    seconds: Floats
    lonlat: Floats
    speed_kn: Floats
    course_deg: Floats
    length_m: Floats
    width_m: Floats
    name: npt.NDArray[np.object_]
    ship_type: npt.NDArray[np.object_]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.mmsi)


def read_reports(file: str | Path, area: BBox | Sequence[float], acquired: datetime) -> Reports:
    """Read the reports of an AIS file near an area and a time.

    Args:
        file: CSV or Parquet with the columns of MarineCadastre or of the Danish Maritime Authority.
            CSV may be compressed as ``.gz``, ``.zst`` or ``.bz2``, or be the only file of a
            ``.zip``. Rows can be in any order.
        area: The area of the image, in degrees: a box, or west, south, east and north, which may
            cross the antimeridian.
        acquired: Time of acquisition, with a time zone.

    Returns:
        The reports within ``WINDOW_S`` seconds of the acquisition and ``MARGIN_M`` meters of the
        area.

    Raises:
        BadAis: The file is unreadable, lacks columns, is not in UTC, or has no report near the
            area and time.
        MissingExtra: pyarrow is not installed.

    Example:
        >>> area = shipdet.BBox(-5.44, 36.12, -5.41, 36.14)
        >>> reports = read_reports("ais.csv.gz", area, datetime(2024, 5, 1, 10, 56, tzinfo=UTC))
        >>> len(reports), reports.lonlat.shape
        (212, (212, 2))
    """
    require("pyarrow", extra="ais")
    import pyarrow as pa

    path = Path(file)
    collector = _Collector(boxes_of(area), acquired)
    try:
        with ExitStack() as stack:
            for columns, batch in _batches(path, stack):
                collector.add(columns, batch)
    except OSError as error:
        raise BadAis(
            f"'{path.name}' cannot be read: {error.strerror or 'it is damaged'}."
        ) from None
    except (pa.ArrowException, *ZIP_DAMAGE):
        raise BadAis(
            f"'{path.name}' is not CSV or Parquet, or is damaged: export it again."
        ) from None
    return collector.reports(path.name)


def _batches(path: Path, stack: ExitStack) -> Iterator[tuple[Columns, Any]]:
    """Yield the used columns in record batches."""
    if path.suffix.lower() in (".parquet", ".pq"):
        import pyarrow.parquet as pq

        table = stack.enter_context(pq.ParquetFile(path))
        columns = Columns.of(table.schema_arrow.names)
        for batch in table.iter_batches(columns=list(columns.names.values())):
            yield columns, batch
        return
    from pyarrow import csv

    with _opened(path, stack) as start:
        line = start.read(_HEADER_BYTES).decode("utf-8-sig", "replace").partition("\n")[0]
    if not line.strip():
        raise BadAis(f"'{path.name}' is empty.")
    delimiter = max(",;\t", key=line.count)
    header = [name.strip().strip('"') for name in line.strip("\r").split(delimiter)]
    columns = Columns.of(header)
    import pyarrow as pa

    reader = csv.open_csv(
        _opened(path, stack),
        csv.ReadOptions(block_size=_BLOCK_BYTES, column_names=header, skip_rows=1),
        csv.ParseOptions(delimiter=delimiter, invalid_row_handler=lambda row: "skip"),
        csv.ConvertOptions(
            check_utf8=False,  # files have various encodings
            include_columns=list(columns.names.values()),
            column_types=dict.fromkeys(columns.names.values(), pa.string()),
            strings_can_be_null=True,
        ),
    )
    for batch in stack.enter_context(reader):
        yield columns, batch


def _opened(path: Path, stack: ExitStack) -> Any:
    """Open a CSV file, decompressed on the fly."""
    import pyarrow as pa

    if path.suffix.lower() == ".zip":
        archive = stack.enter_context(zipfile.ZipFile(path))
        names = [name for name in archive.namelist() if name.lower().endswith((".csv", ".txt"))]
        if len(names) != 1:
            raise BadAis(f"'{path.name}' has {len(names)} CSV files: unpack it and use one.")
        return stack.enter_context(archive.open(names[0]))
    return stack.enter_context(pa.input_stream(str(path), compression="detect"))


@dataclass
class _Collector:
    """Collects the reports near the place and time, and counts the others."""

    area: list[BBox]
    acquired: datetime
    first: datetime | None = None
    last: datetime | None = None
    kept: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0
    unread: int = 0
    nowhere: int = 0
    timely: int = 0
    near: int = 0

    def add(self, columns: Columns, batch: Any) -> None:
        """Add a batch of rows; BadAis if there are more than ``MAX_REPORTS`` near the image."""
        import pyarrow as pa

        self.rows += batch.num_rows
        moments = epochs(batch.column(columns.names["time"]), columns.names["time"])
        lon, lat = (numbers(batch.column(columns.names[axis])) for axis in ("lon", "lat"))
        mmsi = numbers(batch.column(columns.names["mmsi"]))
        seconds = moments - self.acquired.timestamp()
        good = np.isfinite(seconds) & np.isfinite(lon) & np.isfinite(lat) & np.isfinite(mmsi)
        self.unread += int((~good).sum())
        if good.any():
            self._span(moments[good])
        near = good & (np.abs(seconds) <= WINDOW_S)
        self.timely += int(near.sum())
        # A receiver without a fix sends 0/0; 181 and 91 mean "not available".
        nowhere = ((lon == 0) & (lat == 0)) | (np.abs(lon) > 180) | (np.abs(lat) > 90)
        self.nowhere += int((near & nowhere).sum())
        near &= ~nowhere & np.any([_near(lon, lat, box) for box in self.area], axis=0)
        if not near.any():
            return
        self.near += int(near.sum())
        if self.near > MAX_REPORTS:
            raise BadAis(
                f"The AIS file has more than {MAX_REPORTS:,} reports near the image within an hour "
                "of it: cut the file to the area."
            )
        chosen = batch.filter(pa.array(near))
        values: dict[str, Any] = {
            "mmsi": mmsi[near].astype(np.int64),
            "seconds": seconds[near],
            "lonlat": np.stack([lon[near], lat[near]], axis=-1),
        }
        for meaning in _OPTIONAL_NUMBERS:
            own = columns.names.get(meaning)
            values[meaning] = (
                np.full(chosen.num_rows, np.nan) if own is None else numbers(chosen.column(own))
            )
        for meaning in ("name", "ship_type"):
            own = columns.names.get(meaning)
            values[meaning] = [""] * chosen.num_rows if own is None else texts(chosen.column(own))
        self.kept.append(values)

    def _span(self, moments: Floats) -> None:
        first, last = (datetime.fromtimestamp(edge(moments), UTC) for edge in (np.min, np.max))
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)

    def reports(self, title: str) -> Reports:
        """Return the kept reports.

        Raises:
            BadAis: No report was kept.
        """
        if self.first is None or self.last is None:
            what = "has no rows" if not self.rows else "has no row with a time, place and MMSI"
            raise BadAis(f"'{title}' {what}: export it again, with times in UTC.")
        if not self.timely:
            raise BadAis(
                f"'{title}' covers {utc(self.first)} to {utc(self.last)}, and the image was "
                f"taken on {utc(self.acquired)}: use the AIS file of that time."
            )
        if not self.kept:
            lon, lat = self.area[0].center
            raise BadAis(
                f"'{title}' has no report within {MARGIN_M / 1000:.0f} km of the image (around "
                f"{lat:.2f}, {lon:.2f}) at that time: use an AIS file of this area."
            )
        notes = []
        margin = timedelta(seconds=60)
        if self.acquired < self.first - margin or self.acquired > self.last + margin:
            notes.append(
                f"The AIS file covers {utc(self.first)} to {utc(self.last)}, not the image's "
                f"{utc(self.acquired)}: positions are extrapolated by speed and course."
            )
        if self.unread:
            notes.append(
                f"{self.unread:,} of {self.rows:,} AIS rows have no readable time, place or MMSI "
                "and were left out."
            )
        if self.nowhere:
            notes.append(
                f"{self.nowhere:,} AIS reports have no position (0/0 or out of range) and were "
                "left out."
            )

        def joined(meaning: str) -> Any:
            return np.concatenate([values[meaning] for values in self.kept])

        def words(meaning: str) -> npt.NDArray[np.object_]:
            return np.array([w for v in self.kept for w in v[meaning]], dtype=np.object_)

        speed, course = joined("speed"), joined("course")
        return Reports(
            joined("mmsi"),
            joined("seconds"),
            joined("lonlat"),
            np.where((speed >= 0) & (speed < 102.2), speed, np.nan),  # 102.3: not available
            np.where((course >= 0) & (course < 360), course, np.nan),  # 360: not available
            np.where(joined("length") > 0, joined("length"), np.nan),
            np.where(joined("width") > 0, joined("width"), np.nan),
            words("name"),
            words("ship_type"),
            tuple(notes),
        )


def _near(lon: Floats, lat: Floats, box: BBox) -> npt.NDArray[np.bool_]:
    """Return which positions are within the margin of a box, also across the antimeridian."""
    reach = MARGIN_M / _METERS_PER_DEGREE
    highest = min(max(abs(box.south), abs(box.north)) + reach, 89.0)
    middle, half = box.center[0], (box.east - box.west) / 2
    across = np.abs(near_longitude(lon, middle) - middle)
    wide = half + reach / math.cos(math.radians(highest))
    return np.asarray((across <= wide) & (lat >= box.south - reach) & (lat <= box.north + reach))
