"""Tiles of a server over HTTP: limits, retries, checks and the cache."""

import asyncio
import logging
import ssl
from contextvars import ContextVar
from functools import lru_cache
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

from shipdet.errors import ProviderRefused, ProviderUnreachable, StorageFull
from shipdet.imagery.cache import Missing, TileCache
from shipdet.imagery.checks import BadTile, BlankTile, decode_tile
from shipdet.imagery.providers import Provider
from shipdet.imagery.retry import Breaker, Pause, RetryPolicy
from shipdet.imagery.sources import NO_PICTURE, Gap, Tile
from shipdet.settings import Settings

MAX_TILE_BYTES = 4 * 1024**2  # a 256-px RGBA tile is 256 KiB uncompressed
MAX_REDIRECTS = 3

# Addresses may hold an instance id or key, and httpx logs every address it asks.
_asking: ContextVar[bool] = ContextVar("asking for a tile", default=False)
logging.getLogger("httpx").addFilter(lambda record: not _asking.get())


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes a good part of a second: once is enough.
    return httpx.create_ssl_context()


class _Failure(Exception):
    """The server did not give a proper answer this time."""

    def __init__(
        self,
        what: str,
        *,
        repeats: int | None = None,
        retry_after: str | None = None,
        slow_down: bool = False,
    ) -> None:
        super().__init__(what)
        self.what, self.repeats = what, repeats
        self.retry_after, self.slow_down = retry_after, slow_down


class HttpSource:
    """Tiles of a server, through the cache, with the manners that such servers expect.

    A cache that cannot be written costs speed, not the run: tiles are used without being kept,
    and a note says so.
    """

    def __init__(
        self,
        provider: Provider,
        template: str,
        zoom: int,
        settings: Settings,
        cache: TileCache,
        policy: RetryPolicy,
    ) -> None:
        self.provider, self.template, self.zoom = provider, template, zoom
        self.settings, self.cache, self.policy = settings, cache, policy
        self.breaker = Breaker(provider.title, settings.breaker_failures)
        self.pause = Pause(policy)
        self.slots = asyncio.Semaphore(settings.connections_per_host)
        self.cache_trouble = ""
        self.client = httpx.AsyncClient(
            headers={"User-Agent": settings.user_agent, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(settings.timeout_s, pool=None),
            limits=httpx.Limits(max_connections=settings.connections_per_host),
            follow_redirects=False,
            verify=_tls(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    def notes(self) -> tuple[str, ...]:
        """The cache's trouble, if it had any."""
        return (self.cache_trouble,) if self.cache_trouble else ()

    async def tile(self, x: int, y: int) -> Tile | Gap:
        """One tile: from the cache, else from the server.

        Raises ProviderRefused or ProviderUnreachable when it makes no sense to go on.
        """
        known = await asyncio.to_thread(self.cache.get, self.zoom, x, y)
        if isinstance(known, Missing):
            return Gap(known.reason)
        if known is not None:
            try:
                pixels, covered = await asyncio.to_thread(decode_tile, known, self.provider.blank)
                return Tile(pixels, covered, cached=True)
            except (BadTile, BlankTile):
                await asyncio.to_thread(self.cache.forget, self.zoom, x, y)
        return await self._fetch(x, y)

    async def _fetch(self, x: int, y: int) -> Tile | Gap:
        repetition = 0
        while True:
            try:
                data = await self._ask(x, y)
                pixels, covered = await asyncio.to_thread(decode_tile, data, self.provider.blank)
            except BlankTile:
                self.breaker.success()
                await self._keep(x, y, None)
                return Gap(NO_PICTURE)
            except BadTile as bad:
                failure = _Failure(str(bad), repeats=1)
            except _Failure as caught:
                failure = caught
            else:
                self.breaker.success()
                await self._keep(x, y, data)
                return Tile(pixels, covered)

            if not failure.slow_down:
                self.breaker.failure(failure.what, first=repetition == 0)
            allowed = self.policy.retries if failure.repeats is None else failure.repeats
            if repetition >= min(self.policy.retries, allowed):
                return self._give_up(failure)
            delay_s = self.policy.delay_s(repetition, failure.retry_after)
            if failure.slow_down or failure.retry_after:
                self.pause.ask(delay_s)  # holds for all tiles
            else:
                await self.policy.sleep(delay_s)
            repetition += 1

    def _give_up(self, failure: _Failure) -> Gap:
        if failure.slow_down:
            raise ProviderUnreachable(
                f"{self.provider.title} keeps asking to slow down: wait some minutes and run "
                "again, tiles already fetched are kept."
            )
        return Gap(failure.what, failed=True)

    async def _ask(self, x: int, y: int) -> bytes:
        url = self.template
        for name, value in (("{z}", self.zoom), ("{x}", x), ("{y}", y)):
            url = url.replace(name, str(value))
        async with self.slots:
            await self.pause.wait()
            quiet = _asking.set(True)
            try:
                # The client's time-out is for each read: a server that drips needs a whole one.
                async with asyncio.timeout(2 * self.settings.timeout_s):
                    return await self._get(url)
            except (TimeoutError, httpx.TimeoutException):
                raise _Failure("no answer in time") from None
            except (httpx.RequestError, httpx.InvalidURL):
                # Without the cause: its text may hold the address, and that a secret.
                raise _Failure("no connection") from None
            finally:
                _asking.reset(quiet)

    async def _get(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            async with self.client.stream("GET", url) as response:
                if not response.has_redirect_location:
                    return await self._body(response)
                url = _target(url, response.headers["location"])
        raise _Failure("endless redirects", repeats=1)

    async def _body(self, response: httpx.Response) -> bytes:
        self._check_status(response)
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_TILE_BYTES:
                raise BadTile(f"an answer of more than {MAX_TILE_BYTES // 1024**2} MiB")
        return bytes(body)

    def _check_status(self, response: httpx.Response) -> None:
        status, headers = response.status_code, response.headers
        if status in (204, 404, 410):
            raise BlankTile
        if status == 200:
            for name, value in self.provider.blank.header.items():
                if headers.get(name, "").lower() == value:
                    raise BlankTile
            return
        if status in (401, 403):
            remedy = (
                "check SHIPDET_SENTINELHUB_INSTANCE_ID"
                if self.provider.needs_instance
                else "its terms or your key may not allow it"
            )
            raise ProviderRefused(
                f"{self.provider.title} refused the download (HTTP {status}): {remedy}, or choose "
                "another provider."
            )
        again = status in (408, 429) or status >= 500
        raise _Failure(
            f"HTTP {status}",
            repeats=None if again else 0,
            retry_after=headers.get("retry-after") if again else None,
            slow_down=status == 429,
        )

    async def _keep(self, x: int, y: int, data: bytes | None) -> None:
        if self.cache_trouble:
            return
        try:
            if data is None:
                await asyncio.to_thread(self.cache.put_missing, self.zoom, x, y, NO_PICTURE)
            else:
                await asyncio.to_thread(self.cache.put, self.zoom, x, y, data)
        except StorageFull as error:
            self.cache_trouble = f"Tiles were not kept for the next run. {error}"


def _target(url: str, location: str) -> str:
    """Where a redirect leads, if it is on the same server."""
    try:
        target = urljoin(url, location)
        same = urlsplit(target).netloc == urlsplit(url).netloc
    except ValueError:  # half an IPv6 address, say
        raise _Failure("a redirect to nowhere", repeats=1) from None
    if not same:
        raise _Failure("a redirect to another server", repeats=1)
    return target
