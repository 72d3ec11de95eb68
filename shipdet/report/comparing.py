"""Compare two runs of the same place: find ships that stayed, arrived and left."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from shipdet.detections import Detection, Detections
from shipdet.errors import BadOption
from shipdet.geometry import Floats, distance_m
from shipdet.report import vector
from shipdet.report.exports.geopackage import geopackage
from shipdet.report.finished_run import Run
from shipdet.report.folder import save_file
from shipdet.report.record import grid_of, pixels_of

Change = Literal["stayed", "arrived", "left"]

#: Largest distance between two detections of one moored ship, in meters; or half its length.
REACH_M = 30.0

#: Largest ratio of the lengths in two detections of one ship.
LENGTH_FACTOR = 1.5


@dataclass(frozen=True)
class Comparison:
    """What changed from an earlier run to a later one.

    Attributes:
        stayed: Pairs of the same ship, as detected by the earlier and by the later run.
        arrived: Ships of the later run only.
        left: Ships of the earlier run only.
        outside: Number of ships outside the other image; they are in none of the lists.
    """

    stayed: tuple[tuple[Detection, Detection], ...]
    arrived: tuple[Detection, ...]
    left: tuple[Detection, ...]
    outside: int = 0

    @property
    def counts(self) -> dict[Change, int]:
        """Numbers of ships that stayed, arrived and left."""
        return {"stayed": len(self.stayed), "arrived": len(self.arrived), "left": len(self.left)}

    def rows(self) -> list[tuple[Change, Detection]]:
        """Return all ships with their change; ships that stayed are those of the later run."""
        rows: list[tuple[Change, Detection]] = [("stayed", later) for _, later in self.stayed]
        rows += [("arrived", ship) for ship in self.arrived]
        rows += [("left", ship) for ship in self.left]
        return rows

    def save(self, path: str | Path) -> Path:
        """Write the comparison.

        Args:
            path: A .geojson, .gpkg or .csv file. Each ship has a ``change``.

        Returns:
            The path.

        Raises:
            BadOption: The suffix is unknown, or the images have no georeference.
            StorageFull: The file cannot be written.
        """
        path, rows = Path(path), self.rows()
        suffix = path.suffix.lower()
        changes: list[str] = [change for change, _ in rows]
        ships = [ship for _, ship in rows]
        content: str | bytes
        if suffix == ".csv":
            content = _csv(changes, ships)
        elif suffix == ".gpkg":
            content = geopackage(ships, "changes", {"change": changes})
        elif suffix == ".geojson":
            content = json.dumps(_geojson(changes, ships))
        else:
            raise BadOption(
                f"'{path.name}' has no suffix of a comparison: choose .geojson, .gpkg or .csv."
            )
        save_file(path, content)
        return path


def compare(earlier: Run, later: Run) -> Comparison:
    """Match the ships of two runs one to one, by place and length.

    Two detections can be the same ship if their centers are within 30 m or half the longer length,
    and their lengths differ by at most a factor of 1.5. The matching has the most pairs and, among
    such matchings, the smallest distances (assignment problem, Crouse 2016, as in SciPy).

    Args:
        earlier: The first run.
        later: The second run. Both need a georeference, or images of the same size.

    Returns:
        The ships that stayed, arrived and left.

    Raises:
        BadOption: Only one run has a georeference, or the images differ in size.

    Example:
        >>> changes = shipdet.compare(monday, tuesday)
        >>> changes.counts
        >>> changes.save("changes.gpkg")
    """
    first, second = earlier.detections.items, later.detections.items
    grids = [grid_of(run.record) for run in (earlier, later)]
    if all(grid.georeferenced for grid in grids):
        inside = [_inside(first, later), _inside(second, earlier)]
        outside = sum(int((~mask).sum()) for mask in inside)
        first, second = (
            tuple(ship for ship, kept in zip(ships, mask, strict=True) if kept)
            for ships, mask in zip((first, second), inside, strict=True)
        )
        apart_m = distance_m(_lonlat(first)[:, None], _lonlat(second)[None])
    elif not any(grid.georeferenced for grid in grids) and (
        (grids[0].width, grids[0].height) == (grids[1].width, grids[1].height)
    ):
        outside = 0
        scale = np.array([grids[0].gsd_x_m, grids[0].gsd_y_m])
        gap = (_pixels(first)[:, None] - _pixels(second)[None]) * scale
        apart_m = np.hypot(gap[..., 0], gap[..., 1])
    else:
        raise BadOption(
            "These runs cannot be compared: both need a georeference, or images of the same size."
        )
    pairs = _matched(first, second, apart_m)
    gone = set(range(len(first))) - {i for i, _ in pairs}
    new = set(range(len(second))) - {j for _, j in pairs}
    return Comparison(
        tuple((first[i], second[j]) for i, j in pairs),
        tuple(second[j] for j in sorted(new)),
        tuple(first[i] for i in sorted(gone)),
        outside,
    )


def _matched(
    first: Sequence[Detection], second: Sequence[Detection], apart_m: Floats
) -> list[tuple[int, int]]:
    if not first or not second:
        return []
    lengths = [np.array([max(ship.length_m, 1e-3) for ship in ships]) for ships in (first, second)]
    longer = np.maximum(lengths[0][:, None], lengths[1][None])
    shorter = np.minimum(lengths[0][:, None], lengths[1][None])
    reach_m = np.maximum(REACH_M, longer / 2)
    possible = (apart_m <= reach_m) & (longer <= LENGTH_FACTOR * shorter)
    from scipy.optimize import linear_sum_assignment  # slow to import

    # An impossible pair costs more than all possible pairs together.
    cost = np.where(possible, apart_m / reach_m, 2.0 + min(len(first), len(second)))
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if possible[i, j]]


def _inside(ships: Sequence[Detection], other: Run) -> npt.NDArray[np.bool_]:
    """Return which ships lie inside the other run's image: bool (n,)."""
    grid, lonlat = grid_of(other.record), _lonlat(ships)
    size = np.array([grid.width, grid.height])
    # A place far away may lie outside the domain of the image's projection.
    diagonal_m = np.hypot(*(size * (grid.gsd_x_m, grid.gsd_y_m)))
    inside = np.asarray(distance_m(lonlat, grid.lonlat(size / 2)) <= diagonal_m)
    pixels = pixels_of(other.record, lonlat[inside])
    inside[inside] = ((pixels >= 0) & (pixels <= size)).all(axis=1)
    return inside


def _lonlat(ships: Sequence[Detection]) -> Floats:
    return np.array([(ship.lon, ship.lat) for ship in ships], np.float64).reshape(-1, 2)


def _pixels(ships: Sequence[Detection]) -> Floats:
    return np.array([(ship.x, ship.y) for ship in ships], np.float64).reshape(-1, 2)


def _geojson(changes: Sequence[str], ships: Sequence[Detection]) -> dict[str, Any]:
    found = vector.geojson(Detections(tuple(ships)))
    if len(found["features"]) != len(ships):
        raise BadOption("The images have no georeference: save the comparison as .csv.")
    for number, (feature, change) in enumerate(zip(found["features"], changes, strict=True), 1):
        feature["id"] = number
        feature["properties"]["change"] = change
    return found


def _csv(changes: Sequence[str], ships: Sequence[Detection]) -> str:
    lines = list(csv.reader(io.StringIO(vector.csv_text(Detections(tuple(ships))))))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["change", *lines[0]])
    writer.writerows([change, *line] for change, line in zip(changes, lines[1:], strict=True))
    return out.getvalue()
