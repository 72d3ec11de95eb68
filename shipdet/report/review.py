"""A reviewer's actions on the ships of a run, stored separately from the model's results.

A review never changes ``candidates.json``, which has the model's results. Its actions are stored
with author and time in ``reviews.json`` of the run folder and applied to all other results.
"""

import getpass
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from shipdet.detections import Detection, Detections, Mark
from shipdet.errors import BadOption
from shipdet.geometry import Grid, bearing_deg, rectangle

Kind = Literal["accept", "reject", "move", "redraw", "add"]
Point = tuple[float, float]

#: Width of a ship drawn from bow to stern without a width, as a share of its length.
WIDTH_SHARE = 1 / 6

_MARKS: dict[Kind, Mark] = {
    "accept": "accepted", "move": "moved", "redraw": "redrawn", "add": "added",
}  # fmt: skip


@dataclass(frozen=True)
class Action:
    """One action of a reviewer.

    Attributes:
        kind: The action.
        key: The ship's ``Detection.key``; negative for an added ship.
        by: The reviewer.
        at: Time of the action, ISO 8601 in UTC.
        points: Pixels of the raw image: the new center of a moved ship; bow and stern of a redrawn
            or added ship.
        width_m: Width of a redrawn or added ship; None keeps the width of a redrawn ship and
            derives that of an added ship from its length.
    """

    kind: Kind
    key: int
    by: str
    at: str
    points: tuple[Point, ...] = ()
    width_m: float | None = None


@dataclass(frozen=True)
class Review:
    """The actions of a review, in order; every method returns a new review.

    Example:
        >>> review = run.review.reject(run.detections[0].key).add((10, 20), (60, 20))
        >>> run = shipdet.save_review(run, review)
    """

    actions: tuple[Action, ...] = ()

    def accept(self, key: int, by: str = "") -> "Review":
        """Accept a ship: it counts at any score.

        Args:
            key: The ship's ``Detection.key``.
            by: The reviewer; empty for the user of this process.
        """
        return self._with("accept", key, by)

    def reject(self, key: int, by: str = "") -> "Review":
        """Reject a ship: it is removed from the results.

        Args:
            key: The ship's ``Detection.key``.
            by: The reviewer; empty for the user of this process.
        """
        return self._with("reject", key, by)

    def move(self, key: int, center: Point, by: str = "") -> "Review":
        """Move a ship's center to another pixel of the raw image.

        Args:
            key: The ship's ``Detection.key``.
            center: The new center (x, y).
            by: The reviewer; empty for the user of this process.

        Raises:
            BadOption: A coordinate is not finite.
        """
        return self._with("move", key, by, (center,))

    def redraw(
        self, key: int, bow: Point, stern: Point, width_m: float | None = None, by: str = ""
    ) -> "Review":
        """Redraw a ship from bow to stern, in pixels of the raw image.

        Args:
            key: The ship's ``Detection.key``.
            bow: Bow (x, y).
            stern: Stern (x, y).
            width_m: The width; None keeps it.
            by: The reviewer; empty for the user of this process.

        Raises:
            BadOption: A number is not finite, or the width is not positive.
        """
        return self._with("redraw", key, by, (bow, stern), width_m)

    def add(self, bow: Point, stern: Point, width_m: float | None = None, by: str = "") -> "Review":
        """Add a ship from bow to stern, in pixels of the raw image.

        Args:
            bow: Bow (x, y).
            stern: Stern (x, y).
            width_m: The width; None for ``WIDTH_SHARE`` of the length.
            by: The reviewer; empty for the user of this process.

        Raises:
            BadOption: A number is not finite, or the width is not positive.
        """
        added = [action.key for action in self.actions if action.kind == "add"]
        return self._with("add", min([0, *added]) - 1, by, (bow, stern), width_m)

    def undo(self) -> "Review":
        """Remove the last action, if there is one."""
        return Review(self.actions[:-1])

    def _with(
        self,
        kind: Kind,
        key: int,
        by: str,
        points: tuple[Point, ...] = (),
        width_m: float | None = None,
    ) -> "Review":
        for value in (
            *(v for point in points for v in point),
            *([] if width_m is None else [width_m]),
        ):
            if not math.isfinite(value):
                raise BadOption("A ship's place and width must be finite numbers.")
        if width_m is not None and width_m <= 0:
            raise BadOption("A ship's width must be more than 0 m.")
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        plain = tuple((float(x), float(y)) for x, y in points)
        return Review((*self.actions, Action(kind, key, by or _user(), at, plain, width_m)))

    def applied(self, candidates: Detections, grid: Grid) -> Detections:
        """Apply the review to candidates.

        Args:
            candidates: The candidates of the model.
            grid: The grid of the raw image.

        Returns:
            The ships that are not rejected, in descending order of score, each with its ``review``.
            An added ship has the score 1.

        Raises:
            BadOption: An action refers to a missing ship, or a drawn ship does not fit in the
                image.
        """
        ships = {d.key or d.id: d for d in candidates}
        rejected: dict[int, Detection] = {}
        for action in self.actions:
            if action.kind == "add":
                ships[action.key] = _drawn(None, action, grid)
                continue
            ship = ships.get(action.key) or rejected.pop(action.key, None)
            if ship is None:
                raise BadOption(f"The review refers to ship {action.key}, which is not in the run.")
            if action.kind == "reject":
                rejected[action.key] = ship
                ships.pop(action.key, None)
            else:
                ships[action.key] = _changed(ship, action, grid)
        order = sorted(ships.values(), key=lambda ship: -ship.score)
        return Detections(tuple(order), candidates.floor)

    def summary(self) -> dict[str, Any]:
        """Return the actions and the number of ships by their last action, for run.json."""
        last = {action.key: action.kind for action in self.actions}
        counts = {
            kind: sum(k == kind for k in last.values()) for kind in dict.fromkeys(last.values())
        }
        return {"actions": [asdict(action) for action in self.actions], "ships": counts}

    def to_json(self) -> str:
        """Return the text of reviews.json."""
        actions = [asdict(action) for action in self.actions]
        return json.dumps({"format": 1, "actions": actions}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Review":
        """Parse the text of reviews.json.

        Raises:
            BadOption: The text is not a review.
        """
        try:
            return cls(tuple(_action(entry) for entry in json.loads(text)["actions"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BadOption("reviews.json cannot be read: restore it or delete it.") from error


def _action(entry: dict[str, Any]) -> Action:
    if entry["kind"] not in ("accept", "reject", "move", "redraw", "add"):
        raise ValueError(entry["kind"])
    points: Iterable[Any] = entry.get("points", ())
    return Action(
        entry["kind"],
        int(entry["key"]),
        str(entry["by"]),
        str(entry["at"]),
        tuple((float(x), float(y)) for x, y in points),
        None if entry.get("width_m") is None else float(entry["width_m"]),
    )


def _changed(ship: Detection, action: Action, grid: Grid) -> Detection:
    if action.kind == "accept":
        return replace(ship, review=ship.review or "accepted")
    if action.kind == "redraw":
        return _drawn(ship, action, grid)
    [(x, y)] = action.points
    corners = ship.corners + np.array([x - ship.x, y - ship.y])
    return _placed(replace(ship, x=x, y=y, corners=corners, review="moved", cut=False), grid)


def _drawn(ship: Detection | None, action: Action, grid: Grid) -> Detection:
    """Return a ship drawn from bow to stern; ``ship`` is the one that it replaces."""
    bow, stern = (np.array(point) for point in action.points)
    scale = np.array([grid.gsd_x_m, grid.gsd_y_m])
    along = (bow - stern) * scale
    length_m = float(np.hypot(*along))
    if length_m <= 0:
        raise BadOption("A ship's bow and stern must be different points.")
    width_m = action.width_m or (ship.width_m if ship else length_m * WIDTH_SHARE)
    up_deg = math.degrees(math.atan2(along[0], -along[1])) % 360
    if max(length_m, width_m) > math.hypot(grid.width * scale[0], grid.height * scale[1]):
        raise BadOption("A ship cannot be longer or wider than the image.")
    middle = (bow + stern) / 2
    corners = rectangle((0.0, 0.0), length_m, width_m, up_deg) / scale + middle
    axis_deg = up_deg % 180
    if grid.georeferenced:
        ends = grid.lonlat(np.stack([stern, bow]))
        axis_deg = bearing_deg(ends[0], ends[1]) % 180
    fresh = Detection(
        id=action.key,
        score=ship.score if ship else 1.0,
        x=float(middle[0]),
        y=float(middle[1]),
        corners=corners,
        length_m=length_m,
        width_m=width_m,
        axis_deg=axis_deg,
        raw_score=ship.raw_score if ship else None,
        near_gap=ship.near_gap if ship else False,
        key=action.key,
        review=_MARKS[action.kind],
    )
    return _placed(fresh, grid)


def _placed(ship: Detection, grid: Grid) -> Detection:
    """Return the ship with longitude and latitude, if the image has a georeference."""
    if not (0 <= ship.x <= grid.width and 0 <= ship.y <= grid.height):
        raise BadOption("The center of a ship must lie in the image.")
    if not grid.georeferenced:
        return ship
    [(lon, lat)] = grid.lonlat([(ship.x, ship.y)])
    return replace(ship, lon=float(lon), lat=float(lat), corners_lonlat=grid.lonlat(ship.corners))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # the user of a container may have no name
        return "reviewer"
