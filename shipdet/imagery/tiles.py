"""Download the tiles of an area and assemble them into an image.

Work on the image can start before the download ends: rows are completed from the top, and
:meth:`Arrival.wait` waits for the rows that are needed next.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipdet.errors import NoImagery, ProviderRefused, ProviderUnreachable
from shipdet.geometry import TILE_PX, BBox
from shipdet.imagery import sample
from shipdet.imagery.async_steps import Report, run_async
from shipdet.imagery.cache import open_cache
from shipdet.imagery.mosaic_builder import FileBuilder, MemoryBuilder, MosaicBuilder
from shipdet.imagery.providers import (
    Provider,
    cache_digest,
    url_template,
    used_priority,
)
from shipdet.imagery.retry import RetryPolicy, refused, unreachable
from shipdet.imagery.sources import Gap, SampleSource, Source, Tile
from shipdet.imagery.tile_plan import Plan, plan
from shipdet.mosaic import Mosaic, Picture, Provenance
from shipdet.progress import Progress, Steps
from shipdet.requests import ImageryOptions
from shipdet.settings import Settings, get_settings

if TYPE_CHECKING:
    from shipdet.imagery.stac import Acquisition


def download(
    bbox: BBox,
    zoom: int,
    provider: Provider,
    options: ImageryOptions | None = None,
    settings: Settings | None = None,
    *,
    policy: RetryPolicy | None = None,
) -> Steps[Mosaic]:
    """Download the imagery of an area.

    Closing the generator cancels; downloaded tiles stay in the cache. A tile with a 403 is a gap,
    unless the server denies all tiles.

    Yields:
        ``fetch`` events.

    Returns:
        The mosaic.

    Raises:
        ProviderRefused: The server denies access (401, 403), or the terms do not allow downloads.
        ProviderUnreachable: The server does not answer, or keeps failing.
        NoImagery: The provider has no tile of the area.
        ShipdetError: As :func:`~shipdet.imagery.tile_plan.plan`, before the download.
    """
    settings = settings or get_settings()
    acquisition = None
    if provider.kind == "stac":
        from shipdet.imagery.stac import acquisition_for

        acquisition = acquisition_for(provider, bbox, options or ImageryOptions(), settings)
    planned = plan(bbox, zoom, provider, 0, settings, acquisition=acquisition)
    with arriving(planned, options, settings, policy=policy) as arrival:
        picture = yield from arrival.finish()
    assert isinstance(picture, Mosaic)  # without a folder it is in memory
    return picture


@contextmanager
def arriving(
    size: Plan,
    options: ImageryOptions | None = None,
    settings: Settings | None = None,
    *,
    folder: Path | None = None,
    policy: RetryPolicy | None = None,
) -> Iterator["Arrival"]:
    """Download the imagery of a plan in the background; leaving the context cancels.

    An area of more than ``settings.max_held_pixels`` is stored in a file in ``folder`` instead of
    in memory. Raises as :func:`download`, except errors of planning.
    """
    settings = settings or get_settings()
    options = options or ImageryOptions()
    provider = size.provider
    if provider.needs_instance:  # so that the record contains the used priority
        options = options.model_copy(update={"priority": used_priority(options, settings)})
    builder: MosaicBuilder
    if folder is not None and size.raw_px > settings.max_held_pixels:
        builder = FileBuilder(size, folder)
    else:
        builder = MemoryBuilder(size)
    assembly = _Assembly(size, provider, options, builder)

    async def work(report: Report) -> Provenance:
        where = size.zoom, size.acquisition
        async with tile_source(*where, provider, options, settings, policy) as source:
            await assembly.collect(source, report)
        return assembly.provenance(source.notes())

    steps = run_async(work, Progress("fetch", 0, size.tiles, "tiles"))
    with closing(steps):
        yield Arrival(assembly, steps)


class Arrival:
    """A download in progress; the rows of its image are completed from the top."""

    def __init__(self, assembly: "_Assembly", steps: Steps[Provenance]) -> None:
        self._assembly, self._steps = assembly, steps
        self._result: Provenance | None = None
        #: the image, in progress; its provenance is that of the plan
        self.picture: Picture = assembly.builder.picture(assembly.provenance(()), self.wait)

    @property
    def seconds(self) -> float:
        """Duration of the download in seconds."""
        return self._assembly.seconds

    def begin(self) -> Steps[None]:
        """Start the download, which continues in a thread."""
        for _ in range(2):  # the event before the start, and the first one after it
            if self._result is None:
                yield from self._step()

    def wait(self, bottom: int) -> Steps[None]:
        """Wait until all rows above ``bottom`` are downloaded."""
        while self._result is None and self._assembly.rows_done < bottom:
            yield from self._step()

    def finish(self) -> Steps[Picture]:
        """Wait for the end of the download; return the image with its full provenance.

        Raises:
            ProviderRefused, ProviderUnreachable, NoImagery: As :func:`download`.
        """
        while self._result is None:
            yield from self._step()
        return self._assembly.builder.picture(self._result, None)

    def _step(self) -> Steps[None]:
        try:
            event = next(self._steps)
        except StopIteration as stop:
            self._result = stop.value
            return
        yield event


@asynccontextmanager
async def tile_source(
    zoom: int,
    acquisition: "Acquisition | None",
    provider: Provider,
    options: ImageryOptions,
    settings: Settings,
    policy: RetryPolicy | None = None,
) -> AsyncIterator[Source]:
    """Open the source of tiles of a provider and zoom, or of an acquisition."""
    policy = policy or RetryPolicy(retries=settings.retries)
    if provider.kind == "sample":
        yield SampleSource(provider, zoom)
        return
    if acquisition is not None:
        from shipdet.imagery.stac import StacSource, acquisition_digest

        cache = open_cache(settings, provider.id, acquisition_digest(acquisition))
        async with StacSource(acquisition, zoom, settings, cache, policy) as source:
            yield source
            await asyncio.to_thread(cache.prune_if_due)
        return
    from shipdet.imagery.http import HttpSource  # httpx takes a while to import

    template = url_template(provider, options, settings)
    cache = open_cache(settings, provider.id, cache_digest(template))
    async with HttpSource(provider, template, zoom, settings, cache, policy) as source:
        yield source
        await asyncio.to_thread(cache.prune_if_due)  # not if cancelled, which must be quick


@dataclass
class _Assembly:
    """The state of a download."""

    plan: Plan
    provider: Provider
    options: ImageryOptions
    builder: MosaicBuilder
    rows_done: int = 0  # complete rows of the image, from the top
    seconds: float = 0.0
    fetched: int = 0
    cached: int = 0
    gaps: Counter[Gap] = field(default_factory=Counter)

    async def collect(self, source: Source, report: Report) -> None:
        """Download all tiles: requested from the top down, received in any order."""
        started = time.perf_counter()

        async def one(x: int, y: int) -> tuple[int, int, Tile | Gap]:
            return x, y, await source.tile(x, y)

        wanted = self.plan.wanted
        missing = Counter(y for _, y in wanted)  # number of missing tiles per row
        tasks = [asyncio.create_task(one(x, y)) for x, y in wanted]
        try:
            for number, task in enumerate(asyncio.as_completed(tasks), start=1):
                x, y, tile = await task
                await self.add(x, y, tile)
                missing[y] -= 1
                while missing and not missing[top := min(missing)]:
                    del missing[top]
                    self.rows_done = (top + 1) * TILE_PX - self.plan.box.y0
                report(Progress("fetch", number, len(tasks), "tiles", self.counts()))
        finally:
            for other in tasks:
                other.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.seconds = time.perf_counter() - started

    async def add(self, x: int, y: int, tile: Tile | Gap) -> None:
        """Add a tile to the image, or count it as missing."""
        if isinstance(tile, Gap):
            self.gaps[tile] += 1
            return
        self.cached += tile.cached
        self.fetched += not tile.cached
        await asyncio.to_thread(self.builder.put, x, y, tile)

    def counts(self) -> str:
        """Return the numbers of cached and missing tiles as text."""
        parts = []
        if self.cached:
            parts.append(f"{self.cached} from the cache")
        if self.gaps:
            parts.append(f"{self.gaps.total()} missing")
        return ", ".join(parts)

    def provenance(self, notes: tuple[str, ...]) -> Provenance:
        """Return the provenance of the image so far.

        Raises:
            NoImagery, ProviderRefused, ProviderUnreachable: All requests are done, and no pixel
                has data.
        """
        missing = self.gaps.total()
        complete = self.fetched + self.cached + missing == self.plan.tiles
        if complete and not self.builder.any_covered:
            raise self._empty()
        if missing:
            notes = (
                *notes,
                f"{missing} of {self.plan.tiles} tiles are missing ({self._reasons()}): ships "
                "there cannot be found.",
            )
        return Provenance(
            source=self.provider.id,
            title=self.provider.title,
            attribution=self.provider.attribution,
            license=self.provider.license,
            zoom=self.plan.zoom,
            tiles=self.plan.tiles,
            fetched=self.fetched,
            cached=self.cached,
            missing=missing,
            notes=(*self.plan.notes, *notes),
            details=self._details(),
        )

    def _empty(self) -> NoImagery | ProviderRefused | ProviderUnreachable:
        title, zoom = self.provider.title, self.plan.zoom
        if self.gaps and all(gap.denied for gap in self.gaps):
            return ProviderRefused(refused(title, 403, self.provider.needs_instance))
        if self.gaps and all(gap.failed for gap in self.gaps):
            return ProviderUnreachable(unreachable(title, next(iter(self.gaps)).reason))
        if zoom > self.provider.min_useful_zoom:
            remedy = "try a lower zoom or another provider"
        else:
            remedy = "try another area or another provider"
        return NoImagery(f"{title} has no image of this area at zoom {zoom}: {remedy}.")

    def _reasons(self) -> str:
        return ", ".join(f"{count} x {gap.reason}" for gap, count in self.gaps.items())

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {"native_zoom": self.provider.native_zoom}
        if self.gaps:
            details["missing_reasons"] = {gap.reason: n for gap, n in self.gaps.items()}
        if self.plan.acquisition is not None:
            details |= self.plan.acquisition.details()
        if self.provider.kind == "sample":
            details["acquired"] = sample.ACQUIRED
        if self.provider.needs_instance:
            details["time_range"] = self.options.time_range
            details["max_cloud"] = self.options.max_cloud
            details["priority"] = self.options.priority
        return details
