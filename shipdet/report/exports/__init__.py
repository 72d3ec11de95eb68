"""Detections in the formats of other programs. :func:`save` selects the format by suffix."""

from shipdet.report.exports.saving import SUFFIXES, check_target, save, suffix_of
from shipdet.report.exports.tables import to_geodataframe, to_pandas

__all__ = ["SUFFIXES", "check_target", "save", "suffix_of", "to_geodataframe", "to_pandas"]
