"""The rule by which detections count as ships, behind every figure of accuracy."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from shipdet.geometry import Floats

#: A detection counts when its center lies in a ship's box grown by this many meters.
GROWN_M = 15.0
#: Shorter ships are not counted.
SHORTEST_M = 25.0
#: A labeled craft shorter than this that is measured as a ship is a false alarm; between the two,
#: it counts neither way.
CRAFT_M = 20.0


@dataclass(frozen=True)
class KnownShips:
    """The labeled ships of a picture.

    Attributes:
        outlines: of each, (k, 2) in meters.
        lengths: (m,) meters.
        required: (m,) bool, the ships that count.
        shortest_m: what lies elsewhere and is measured as shorter counts neither way.
        scaled: whether the picture's scale is known.
    """

    outlines: list[Floats]
    lengths: Floats
    required: npt.NDArray[np.bool_]
    shortest_m: float = SHORTEST_M
    scaled: bool = True


@dataclass(frozen=True)
class Matched:
    """Detections against ships.

    Attributes:
        state: (n,) of the detections: 1 a ship, 0 a false alarm, -1 counts neither way.
        ship: (n,) which labeled ship, -1 for none.
        required: (m,) bool, the ships that count.
        lengths: (m,) meters as labeled.
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
    """Give every detection, best first, the nearest free ship that it may be.

    Args:
        centers: (n, 2) meters, as the outlines.
        lengths: (n,) measured, meters.
        scores: (n,) by which they are ordered.
        unknown: (n,) where the absence of a label says nothing.
        ships: what is labeled.
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
                # A second detection of one ship is false, unless it lies where nobody looked.
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
