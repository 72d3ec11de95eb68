"""Detect ships: resample to the network's scale, survey, suppress duplicates, score."""

from shipdet.detect.detector import Found, detect
from shipdet.detect.surveying import Survey, survey

__all__ = ["Found", "Survey", "detect", "survey"]
