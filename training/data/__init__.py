"""Labeled pictures: one reader for every set, and which places are held out together."""
