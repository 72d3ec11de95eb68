"""The version of shipdet: the one place that states it."""

__version__ = "0.1.0"
