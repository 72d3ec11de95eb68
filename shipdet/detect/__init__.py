"""From a mosaic to ships: resample to the model's scale, score windows, merge, measure."""

from shipdet.detect.detector import detect
from shipdet.detect.scoring import Scoring, scoring_for

__all__ = ["Scoring", "detect", "scoring_for"]
