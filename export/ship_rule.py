"""The matching rule between detections and labeled ships, used for all figures of accuracy."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from shipdet.geometry import Floats

#: A detection matches a ship if its center lies in the ship's box enlarged by this many meters.
GROWN_M = 15.0
#: Shorter ships are not counted.
SHORTEST_M = 25.0
#: A detection of at least SHORTEST_M on a labeled craft shorter than this is a false alarm. On a
#: craft between the two lengths it is ignored.
CRAFT_M = 20.0


@dataclass(frozen=True)
class KnownShips:
    """The labeled ships of an image.

    Attributes:
        outlines: Outline (k, 2) of each ship, in meters.
        lengths: (m,) meters.
        required: (m,) bool, the ships that count.
        shortest_m: Detections away from ships that are measured as shorter are ignored.
        scaled: Whether the scale of the image is known.
    """

    outlines: list[Floats]
    lengths: Floats
    required: npt.NDArray[np.bool_]
    shortest_m: float = SHORTEST_M
    scaled: bool = True


@dataclass(frozen=True)
class Matched:
    """Detections matched with labeled ships.

    Attributes:
        state: (n,) of the detections: 1 correct, 0 false alarm, -1 ignored.
        ship: (n,) index of the matched ship, -1 for none.
        required: (m,) bool, the ships that count.
        lengths: (m,) labeled lengths in meters.
    """

    state: npt.NDArray[np.int64]
    ship: npt.NDArray[np.int64]
    required: npt.NDArray[np.bool_]
    lengths: Floats


def match(
    centers: Floats,
    lengths: Floats,
    scores: Floats,
    unknown: npt.NDArray[np.bool_],
    ships: KnownShips,
) -> Matched:
    """Match each detection, in descending order of score, with a free ship in reach.

    A ship that counts takes precedence over a nearer one that does not; among ships of the same
    kind, the nearest is matched.

    Args:
        centers: (n, 2) meters, in the same coordinates as the outlines.
        lengths: (n,) measured lengths in meters.
        scores: (n,) scores.
        unknown: (n,) bool, True where unlabeled ships are possible.
        ships: The labeled ships.
    """
    hulls = [cv2.convexHull(outline.astype(np.float32)) for outline in ships.outlines]
    state = np.full(len(scores), 0, np.int64)
    which = np.full(len(scores), -1, np.int64)
    taken: set[int] = set()
    for index in np.argsort(-scores, kind="stable"):
        x, y = centers[index]
        near = []
        for number, hull in enumerate(hulls):
            inside = cv2.pointPolygonTest(hull, (float(x), float(y)), True)
            if inside >= -GROWN_M:
                near.append((number in taken, not ships.required[number], -inside, number))
        if near:
            used, _, _, number = min(near)
            if used:
                # A duplicate is a false alarm, except where an unlabeled ship is possible.
                state[index] = -1 if unknown[index] else 0
                continue
            taken.add(number)
            which[index] = number
            if ships.required[number]:
                state[index] = 1
            else:
                craft = ships.scaled and ships.lengths[number] < CRAFT_M
                state[index] = 0 if craft and lengths[index] >= SHORTEST_M else -1
            continue
        if unknown[index] or lengths[index] < ships.shortest_m:
            state[index] = -1
    return Matched(state, which, ships.required, ships.lengths)
