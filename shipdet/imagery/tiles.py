"""Download an area: tiles of a provider, put together and cropped to the pixel."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shipdet.errors import NoImagery, ProviderUnreachable
from shipdet.geometry import TILE_PX, BBox, Grid, tiles_of
from shipdet.imagery.cache import open_cache
from shipdet.imagery.checks import Mask, Pixels
from shipdet.imagery.options import ImageryOptions
from shipdet.imagery.planning import Plan, plan
from shipdet.imagery.providers import (
    Provider,
    cache_digest,
    effective_provider,
    url_template,
)
from shipdet.imagery.retry import RetryPolicy, unreachable
from shipdet.imagery.sources import Gap, SampleSource, Source, Tile
from shipdet.imagery.worker import Report, run_async
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import Progress, Steps
from shipdet.settings import Settings, get_settings


def download(
    bbox: BBox,
    zoom: int,
    provider: Provider,
    options: ImageryOptions | None = None,
    settings: Settings | None = None,
    *,
    policy: RetryPolicy | None = None,
) -> Steps[Mosaic]:
    """Fetch the imagery of an area, yielding ``fetch`` events; returns the mosaic.

    Closing the generator cancels; tiles that were fetched stay in the cache. Raises, before
    anything is fetched, what :func:`~shipdet.imagery.planning.plan` raises; later ProviderRefused
    (401, 403), ProviderUnreachable, or NoImagery when not a single tile could be had.
    """
    settings = settings or get_settings()
    options = options or ImageryOptions()
    size = plan(bbox, zoom, provider, 0, settings)
    provider, _ = effective_provider(provider, settings)
    assembly = _Assembly(size, provider, options)

    async def work(report: Report) -> Mosaic:
        async with _source(size, provider, options, settings, policy) as source:
            await assembly.collect(source, report)
        return assembly.mosaic(source.notes())

    return (yield from run_async(work, Progress("fetch", 0, size.tiles, "tiles")))


@asynccontextmanager
async def _source(
    size: Plan,
    provider: Provider,
    options: ImageryOptions,
    settings: Settings,
    policy: RetryPolicy | None,
) -> AsyncIterator[Source]:
    if provider.kind == "sample":
        yield SampleSource(provider, size.zoom, settings)
        return
    from shipdet.imagery.http import HttpSource  # httpx takes a while to import

    template = url_template(provider, options, settings)
    cache = open_cache(settings, provider.id, cache_digest(template))
    policy = policy or RetryPolicy(retries=settings.retries)
    async with HttpSource(provider, template, size.zoom, settings, cache, policy) as source:
        yield source
        await asyncio.to_thread(cache.prune_if_due)  # not when cancelled: that must be quick


@dataclass
class _Assembly:
    """The picture while its tiles arrive."""

    plan: Plan
    provider: Provider
    options: ImageryOptions
    fetched: int = 0
    cached: int = 0
    gaps: Counter[Gap] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        height, width = self.plan.height_px, self.plan.width_px
        self.pixels: Pixels = np.zeros((height, width, 3), np.uint8)
        self.covered: Mask = np.zeros((height, width), np.bool_)

    async def collect(self, source: Source, report: Report) -> None:
        """Get all tiles, in whatever order they come."""

        async def one(x: int, y: int) -> tuple[int, int, Tile | Gap]:
            return x, y, await source.tile(x, y)

        tasks = [asyncio.create_task(one(x, y)) for x, y in tiles_of(self.plan.box)]
        try:
            for number, task in enumerate(asyncio.as_completed(tasks), start=1):
                x, y, tile = await task
                self.add(x, y, tile)
                report(Progress("fetch", number, len(tasks), "tiles", self.counts()))
        finally:
            for other in tasks:
                other.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, x: int, y: int, tile: Tile | Gap) -> None:
        """Put one tile in its place, or count it as missing."""
        if isinstance(tile, Gap):
            self.gaps[tile] += 1
            return
        self.cached += tile.cached
        self.fetched += not tile.cached
        left, top = x * TILE_PX - self.plan.box.x0, y * TILE_PX - self.plan.box.y0
        height, width = self.covered.shape
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + TILE_PX, width), min(top + TILE_PX, height)
        cut = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        # What lies under a transparent pixel is arbitrary: it must not leak into a window.
        self.pixels[y0:y1, x0:x1] = np.where(tile.covered[cut][..., None], tile.pixels[cut], 0)
        self.covered[y0:y1, x0:x1] = tile.covered[cut]

    def counts(self) -> str:
        """For the progress line: what is not plainly fetched."""
        parts = []
        if self.cached:
            parts.append(f"{self.cached} from the cache")
        if self.gaps:
            parts.append(f"{self.gaps.total()} missing")
        return ", ".join(parts)

    def mosaic(self, notes: tuple[str, ...]) -> Mosaic:
        """The finished picture; NoImagery or ProviderUnreachable when there is nothing in it."""
        missing = self.gaps.total()
        if not self.covered.any():
            raise self._nothing()
        if missing:
            notes = (
                *notes,
                f"{missing} of {self.plan.tiles} tiles are missing ({self._reasons()}): ships "
                "there cannot be found.",
            )
        provenance = Provenance(
            source=self.provider.id,
            title=self.provider.title,
            attribution=self.provider.attribution,
            licence=self.provider.licence,
            zoom=self.plan.zoom,
            tiles=self.plan.tiles,
            fetched=self.fetched,
            cached=self.cached,
            missing=missing,
            notes=(*self.plan.notes, *notes),
            details=self._details(),
        )
        grid = Grid.from_tiles(self.plan.box, self.plan.zoom)
        return Mosaic(self.pixels, grid, self.covered, provenance)

    def _nothing(self) -> NoImagery | ProviderUnreachable:
        title, zoom = self.provider.title, self.plan.zoom
        if self.gaps and all(gap.failed for gap in self.gaps):
            return ProviderUnreachable(unreachable(title, next(iter(self.gaps)).reason))
        if zoom > self.provider.min_useful_zoom:
            remedy = "try a lower zoom or another provider"
        else:
            remedy = "try another area or another provider"
        return NoImagery(f"{title} has no picture of this area at zoom {zoom}: {remedy}.")

    def _reasons(self) -> str:
        return ", ".join(f"{count} x {gap.reason}" for gap, count in self.gaps.items())

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {"native_zoom": self.provider.native_zoom}
        if self.gaps:
            details["missing_reasons"] = {gap.reason: n for gap, n in self.gaps.items()}
        if self.provider.needs_instance:
            details["time_range"] = self.options.time_range
            details["max_cloud"] = self.options.max_cloud
            details["priority"] = self.options.priority
        return details
