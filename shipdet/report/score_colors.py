"""The colors of scores, the same in pictures, files and pages."""

from typing import NamedTuple


class ScoreClass(NamedTuple):
    """Scores of one color: the lowest of them, a name, the scores in words, and RGB."""

    least: float
    name: str
    title: str
    color: tuple[int, int, int]


#: From the best scores down; viewer.js and map.js have the same ones, which a test compares.
SCORE_CLASSES = (
    ScoreClass(0.8, "sure", "0.8 or more", (64, 220, 120)),
    ScoreClass(0.5, "likely", "0.5 to 0.8", (255, 196, 0)),
    ScoreClass(0.0, "weak", "below 0.5", (255, 112, 67)),
)


def score_class(score: float) -> ScoreClass:
    """The class of a score."""
    return next(each for each in SCORE_CLASSES if score >= each.least)
