"""Labeling by eye: a page on which what a model proposes is accepted, redrawn or refused."""
