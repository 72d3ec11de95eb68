"""Labeled images: a reader for all sets, and the folds of places."""
