"""From a mosaic to ships: resample to the model's scale, score windows, merge, measure."""

from shipdet.detect.detector import detect
from shipdet.detect.scoring import Scoring, scoring_for
from shipdet.detect.surveying import Survey, survey
from shipdet.detect.views import with_views

__all__ = ["Scoring", "Survey", "detect", "scoring_for", "survey", "with_views"]
