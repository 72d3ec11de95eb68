"""Labeled pictures: a reader for all sets, and the folds of places."""
