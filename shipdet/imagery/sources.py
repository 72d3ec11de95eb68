"""What the downloader asks for tiles: the shape of a source, and the built-in sample as one."""

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
    """A tile that was had: RGB pixels, coverage, and whether it came from the cache."""

    pixels: Pixels
    covered: Mask
    cached: bool = False


@dataclass(frozen=True)
class Gap:
    """A tile that could not be had.

    Attributes:
        reason: in a few words.
        failed: the server failed rather than said no.
        denied: the server denied access, which is also how object stores answer for a tile that
            does not exist.
    """

    reason: str
    failed: bool = False
    denied: bool = False


class Source(Protocol):
    """What the downloader needs to know about a provider."""

    async def tile(self, x: int, y: int) -> Tile | Gap:
        """One tile of the source's zoom."""

    def notes(self) -> tuple[str, ...]:
        """What the reader of the run record should know."""


class SampleSource:
    """The built-in sample."""

    def __init__(self, provider: Provider, zoom: int) -> None:
        self.provider, self.zoom = provider, zoom

    async def tile(self, x: int, y: int) -> Tile | Gap:
        """Cut one tile; outside the scene there is none."""
        data = await asyncio.to_thread(sample.tile, self.zoom, x, y)
        if data is None:
            return Gap(NO_PICTURE)
        decoded = await asyncio.to_thread(decode_tile, data, self.provider.blank)
        return Tile(decoded.pixels, decoded.covered)

    def notes(self) -> tuple[str, ...]:
        """Nothing beyond the provider's own notes."""
        return ()
