"""Read labeled images, and count how many of their ships a model finds.

Labels have the format of a run's labels.json: ``{"images": [{"file", "gsd_x_m", "gsd_y_m",
"complete", "ships": [{"corners"}], "unknown": [[x0, y0, x1, y1]]}]}``, in pixels, with the first
edge of the corners along the length. ``file`` is an absolute path or relative to the labels. If
``smallest_m`` is given, shorter ships are not labeled.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from export.parity import ships_in
from export.ship_rule import SHORTEST_M, KnownShips, match
from shipdet.errors import BadImage, BadOption
from shipdet.geometry import Floats, Grid
from shipdet.imagery import open_raster
from shipdet.models import Classifier
from shipdet.mosaic import Mosaic


@dataclass(frozen=True)
class LabeledPicture:
    """An image with its labels, in pixels.

    Attributes:
        path: Image file.
        gsd_m: Meters per pixel (across, down).
        corners: Corners (4, 2) of each ship, with the first edge along the length.
        unknown: Boxes (n, 4) that may contain unlabeled ships.
        complete: False if unlabeled ships are possible anywhere.
        shortest_m: Shorter ships do not count.
    """

    path: Path
    gsd_m: tuple[float, float]
    corners: tuple[Floats, ...]
    unknown: Floats
    complete: bool
    shortest_m: float

    def read(self) -> Mosaic:
        """Read the whole image.

        Raises:
            BadImage: The image cannot be read, or is too large for memory.
        """
        scene = open_raster(self.path, self.gsd_m[0])
        if not isinstance(scene, Mosaic):
            raise BadImage(
                f"{self.path} is too large to be read whole: cut it into smaller images."
            )
        height, width = scene.coverage.shape
        return replace(scene, grid=Grid(width, height, *self.gsd_m))

    def known(self) -> KnownShips:
        """Return the ships, in meters from the top left corner."""
        outlines = [corners * np.array(self.gsd_m) for corners in self.corners]
        lengths = np.array([float(np.linalg.norm(each[1] - each[0])) for each in outlines])
        return KnownShips(outlines, lengths, lengths >= self.shortest_m, self.shortest_m)

    def is_unknown(self, places: Floats) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return bool (n,), True for pixels (n, 2) where unlabeled ships are possible."""
        if not self.complete:
            return np.ones(len(places), np.bool_)
        x, y = places[:, :1], places[:, 1:]
        x0, y0, x1, y1 = self.unknown.T
        return np.asarray(((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).any(axis=1))


@dataclass(frozen=True)
class Tally:
    """Counts of an evaluation.

    Attributes:
        hits: Ships that are found.
        false: False alarms.
        ships: All ships that count.
    """

    hits: int
    false: int
    ships: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 0 to 1."""
        return 2 * self.hits / max(1, self.hits + self.false + self.ships)


def read_labels(files: Iterable[Path]) -> list[LabeledPicture]:
    """Read the images of label files.

    Raises:
        BadOption: A file cannot be read, or does not have the format of labels.json.
    """
    return [picture for file in files for picture in _read(file)]


def _read(file: Path) -> Iterator[LabeledPicture]:
    try:
        for entry in json.loads(file.read_text(encoding="utf-8"))["images"]:
            corners = [np.array(ship["corners"], float) for ship in entry["ships"]]
            if any(each.shape != (4, 2) for each in corners):
                raise ValueError
            yield LabeledPicture(
                file.parent / entry["file"],
                (float(entry["gsd_x_m"]), float(entry["gsd_y_m"])),
                tuple(corners),
                np.array(entry["unknown"], float).reshape(-1, 4),
                bool(entry["complete"]),
                max(SHORTEST_M, float(entry.get("smallest_m", 0))),
            )
    except OSError as error:
        raise BadOption(f"{file} cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError):
        raise BadOption(f"{file} does not have the format of a run's labels.json.") from None


def tallied(pictures: Iterable[LabeledPicture], classifier: Classifier) -> Tally:
    """Search the images at the model's threshold, and count hits and false alarms.

    Raises:
        BadImage: An image cannot be read.
    """
    hits = false = ships = 0
    for picture in pictures:
        found = ships_in(picture.read(), classifier, classifier.config).items
        found = tuple(ship for ship in found if ship.length_m >= SHORTEST_M)
        places = np.array([(ship.x, ship.y) for ship in found]).reshape(-1, 2)
        result = match(
            places * np.array(picture.gsd_m),
            np.array([ship.length_m for ship in found]),
            np.array([ship.score for ship in found]),
            picture.is_unknown(places),
            picture.known(),
        )
        hits += int((result.state == 1).sum())
        false += int((result.state == 0).sum())
        ships += int(result.required.sum())
    return Tally(hits, false, ships)
