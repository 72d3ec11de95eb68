"""The colors of scores, shared by images, files and pages."""

from typing import NamedTuple


class ScoreClass(NamedTuple):
    """A range of scores with one color.

    Attributes:
        least: Lowest score.
        name: Name of the class.
        title: The range, for a legend.
        color: RGB.
    """

    least: float
    name: str
    title: str
    color: tuple[int, int, int]


#: From the highest scores to the lowest; a test compares them with viewer.js and map.js.
SCORE_CLASSES = (
    ScoreClass(0.8, "sure", "0.8 or more", (64, 220, 120)),
    ScoreClass(0.5, "likely", "0.5 to 0.8", (255, 196, 0)),
    ScoreClass(0.0, "weak", "below 0.5", (255, 112, 67)),
)


def score_class(score: float) -> ScoreClass:
    """Return the class of a score."""
    return next(each for each in SCORE_CLASSES if score >= each.least)
