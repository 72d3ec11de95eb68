"""The protocol of tile sources, and the source of the built-in sample."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from shipdet.imagery import sample
from shipdet.imagery.checks import decode_tile
from shipdet.imagery.providers import Provider
from shipdet.mosaic import Mask, Pixels

NO_PICTURE = "no image there"


@dataclass(frozen=True)
class Tile:
    """A tile: RGB pixels, coverage, and whether it came from the cache."""

    pixels: Pixels
    covered: Mask
    cached: bool = False


@dataclass(frozen=True)
class Gap:
    """A missing tile.

    Attributes:
        reason: Why it is missing, in a few words.
        failed: Whether the server failed, instead of having no image.
        denied: Whether the server denied access; object stores also do so for a missing tile.
    """

    reason: str
    failed: bool = False
    denied: bool = False


class Source(Protocol):
    """A source of tiles for the downloader."""

    async def tile(self, x: int, y: int) -> Tile | Gap:
        """Return a tile of the source's zoom."""

    def notes(self) -> tuple[str, ...]:
        """Return notes for the run record."""


class SampleSource:
    """The built-in sample."""

    def __init__(self, provider: Provider, zoom: int) -> None:
        self.provider, self.zoom = provider, zoom

    async def tile(self, x: int, y: int) -> Tile | Gap:
        """Cut a tile; return a gap outside the scene."""
        data = await asyncio.to_thread(sample.tile, self.zoom, x, y)
        if data is None:
            return Gap(NO_PICTURE)
        decoded = await asyncio.to_thread(decode_tile, data, self.provider.blank)
        return Tile(decoded.pixels, decoded.covered)

    def notes(self) -> tuple[str, ...]:
        """Return no notes."""
        return ()
