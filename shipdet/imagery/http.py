"""Download tiles over HTTP, with limits, retries, checks and the cache."""

import asyncio
import logging
from contextvars import ContextVar
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

from shipdet.errors import BadOption, ProviderRefused, ProviderUnreachable, StorageFull
from shipdet.geometry import TILE_PX
from shipdet.imagery.cache import Missing, TileCache
from shipdet.imagery.checks import BadTile, BlankTile, Decoded, decode_tile
from shipdet.imagery.denials import DENIED, Denials, Denied, denial
from shipdet.imagery.encodings import BadBody, decode_body, too_large
from shipdet.imagery.network import proxied, tls
from shipdet.imagery.providers import Provider
from shipdet.imagery.retry import Breaker, Pause, RetryPolicy, refused
from shipdet.imagery.sources import NO_PICTURE, Gap, Tile
from shipdet.settings import Settings

MAX_TILE_BYTES = 4 * 1024**2  # a 512-px RGBA tile of 16 bits is 2 MiB uncompressed
MAX_REDIRECTS = 3
# URLs may contain an instance id or a key, and httpx logs every URL.
_requesting: ContextVar[bool] = ContextVar("requesting a tile", default=False)
logging.getLogger("httpx").addFilter(lambda record: not _requesting.get())


class _Failure(Exception):
    """A request failed; it may be repeated."""

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
    """The tiles of a server, through the cache, with limited connections and retries.

    If the cache is not writable, tiles are not stored, and a note reports it.
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
        self.halved = False  # whether tiles were reduced from twice the size
        self.denials = Denials(settings.breaker_failures)
        # Downloads of 512-px tiles in progress; four 256-px tiles share each of them.
        self.large: dict[tuple[int, int], asyncio.Task[Tile | Gap]] = {}
        if not (settings.user_agent.isascii() and settings.user_agent.isprintable()):
            raise BadOption("SHIPDET_USER_AGENT may contain printable ASCII characters only.")
        certificates, self.certificate_note = tls()
        limits = httpx.Limits(max_connections=settings.connections_per_host)
        hosts = [self._address(number, 0) for number in range(max(1, len(provider.subdomains)))]
        ways, self.proxy_variable = proxied(hosts, certificates, limits)
        self.client = httpx.AsyncClient(
            headers={"User-Agent": settings.user_agent, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(settings.timeout_s, pool=None),
            follow_redirects=False,
            trust_env=False,
            verify=certificates,
            limits=limits,
            mounts=ways,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        waiting = list(self.large.values())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await self.client.aclose()

    def notes(self) -> tuple[str, ...]:
        """Return notes about the server and the cache for the run record."""
        larger = (
            f"The tiles of {self.provider.title} have 512 pixels and are reduced to 256: set "
            "SHIPDET_XYZ_TILE_PX=512 to download a quarter as many of them."
        )
        https = self.template.startswith("https:")
        return tuple(
            note
            for note, due in (
                (self.cache_trouble, bool(self.cache_trouble)),
                (self.certificate_note, https and bool(self.certificate_note)),
                (larger, self.halved and self.provider.tile_px == TILE_PX),
            )
            if due
        )

    async def tile(self, x: int, y: int) -> Tile | Gap:
        """Return a tile of 256 px from the cache or the server.

        Raises:
            ProviderRefused: The server denies access.
            ProviderUnreachable: The server keeps failing.
        """
        if self.provider.tile_px == TILE_PX:
            return await self._tile(x, y)
        parent = x // 2, y // 2
        if parent not in self.large:
            self.large[parent] = asyncio.create_task(self._tile(*parent))
            self.large[parent].add_done_callback(lambda _: self.large.pop(parent))
        tile = await asyncio.shield(self.large[parent])
        return tile if isinstance(tile, Gap) else _quarter(tile, x % 2, y % 2)

    @property
    def _zoom(self) -> int:
        """The zoom in URLs; a tile of 512 px covers four tiles of the next zoom."""
        return self.zoom if self.provider.tile_px == TILE_PX else self.zoom - 1

    async def _tile(self, x: int, y: int) -> Tile | Gap:
        """Return a tile in the server's size."""
        known = await asyncio.to_thread(self.cache.get, self._zoom, x, y)
        if isinstance(known, Missing):
            return Gap(known.reason)
        if known is not None:
            try:
                decoded = await self._decoded(known)
                self.denials.tile_came()
                return self._as_tile(decoded, cached=True)
            except (BadTile, BlankTile):
                await asyncio.to_thread(self.cache.forget, self._zoom, x, y)
        return await self._fetch(x, y)

    async def _decoded(self, data: bytes) -> Decoded:
        provider = self.provider
        return await asyncio.to_thread(decode_tile, data, provider.blank, provider.tile_px)

    def _as_tile(self, decoded: Decoded, cached: bool) -> Tile:
        self.halved |= decoded.halved
        return Tile(decoded.pixels, decoded.covered, cached)

    async def _fetch(self, x: int, y: int) -> Tile | Gap:
        repetition = 0
        while True:
            try:
                async with self.denials.request():
                    data = await self._request(x, y)
                self.denials.tile_came()  # before decoding, which may end after later responses
                decoded = await self._decoded(data)
            except Denied as denied:
                return self._denial(denied)
            except BlankTile:
                self.breaker.success()
                await self._store(x, y, None)
                return Gap(NO_PICTURE)
            except BadTile as bad:
                failure = _Failure(str(bad), repeats=1)
            except _Failure as caught:
                failure = caught
            else:
                self.breaker.success()
                await self._store(x, y, data)
                return self._as_tile(decoded, cached=False)

            if not failure.slow_down:
                self.breaker.failure(failure.what, first=repetition == 0)
            allowed = self.policy.retries if failure.repeats is None else failure.repeats
            if repetition >= min(self.policy.retries, allowed):
                return self._give_up(failure)
            delay_s = self.policy.delay_s(repetition, failure.retry_after)
            if failure.slow_down or failure.retry_after:
                self.pause.ask(delay_s)  # pauses all tiles
            else:
                await self.policy.sleep(delay_s)
            repetition += 1

    def _denial(self, denied: Denied) -> Gap:
        """Return a gap; not cached, since another key may have access to the tile.

        Raises:
            ProviderRefused: The server denies access to all tiles.
        """
        if self.denials.refuses(denied):
            provider = self.provider
            raise ProviderRefused(refused(provider.title, 403, provider.needs_instance))
        return Gap(DENIED, failed=True, denied=True)

    def _give_up(self, failure: _Failure) -> Gap:
        if failure.slow_down:
            raise ProviderUnreachable(
                f"{self.provider.title} keeps limiting the rate of requests: wait some minutes and "
                "run again; downloaded tiles are kept."
            )
        return Gap(failure.what, failed=True)

    def _address(self, x: int, y: int) -> str:
        url = self.template
        for name, value in (("{z}", self._zoom), ("{x}", x), ("{y}", y)):
            url = url.replace(name, str(value))
        subdomains = self.provider.subdomains
        return url.replace("{s}", subdomains[(x + y) % len(subdomains)]) if subdomains else url

    async def _request(self, x: int, y: int) -> bytes:
        url = self._address(x, y)
        async with self.slots:
            await self.pause.wait()
            quiet = _requesting.set(True)
            try:
                # The client's timeout is per read; this one limits a slow transfer as a whole.
                async with asyncio.timeout(2 * self.settings.timeout_s):
                    return await self._get(url)
            except (TimeoutError, httpx.TimeoutException):
                raise _Failure("no answer in time") from None
            except (httpx.RequestError, httpx.InvalidURL, UnicodeError) as error:
                # Without the cause: its text may contain the URL with a secret.
                raise _Failure(self._no_connection(error)) from None
            finally:
                _requesting.reset(quiet)

    def _no_connection(self, error: Exception) -> str:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its certificate is not trusted"
        if self.proxy_variable:
            return f"no connection through the proxy of {self.proxy_variable}"
        return "no connection"

    async def _get(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            async with self.client.stream("GET", url) as response:
                if not response.has_redirect_location:
                    return await self._body(response)
                url = _target(url, response.headers["location"])
        raise _Failure("endless redirects", repeats=1)

    async def _body(self, response: httpx.Response) -> bytes:
        if response.status_code == 403:
            raise await denial(response)
        self._check_status(response)
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_TILE_BYTES:
                raise BadTile(too_large(MAX_TILE_BYTES))
        encoding = response.headers.get("content-encoding", "")
        try:
            return await asyncio.to_thread(decode_body, bytes(body), encoding, MAX_TILE_BYTES)
        except BadBody as bad:
            raise BadTile(str(bad)) from None

    def _check_status(self, response: httpx.Response) -> None:
        status, headers = response.status_code, response.headers
        if status in (204, 404, 410):
            raise BlankTile
        if status == 200:
            for name, value in self.provider.blank.header.items():
                if headers.get(name, "").lower() == value:
                    raise BlankTile
            return
        if status == 401:
            needs_instance = self.provider.needs_instance
            raise ProviderRefused(refused(self.provider.title, status, needs_instance))
        if status == 407:
            raise _Failure("the proxy requires a login (HTTP 407)", repeats=0)
        again = status in (408, 429) or status >= 500
        raise _Failure(
            f"HTTP {status}",
            repeats=None if again else 0,
            retry_after=headers.get("retry-after") if again else None,
            slow_down=status == 429,
        )

    async def _store(self, x: int, y: int, data: bytes | None) -> None:
        if self.cache_trouble:
            return
        try:
            if data is None:
                await asyncio.to_thread(self.cache.put_missing, self._zoom, x, y, NO_PICTURE)
            else:
                await asyncio.to_thread(self.cache.put, self._zoom, x, y, data)
        except StorageFull as error:
            self.cache_trouble = f"Tiles are not cached. {error}"


def _quarter(tile: Tile, column: int, row: int) -> Tile | Gap:
    """Cut one of the four 256-px tiles out of a 512-px tile."""
    part = (
        slice(row * TILE_PX, (row + 1) * TILE_PX),
        slice(column * TILE_PX, (column + 1) * TILE_PX),
    )
    covered = tile.covered[part]
    if not covered.any():
        return Gap(NO_PICTURE)
    return Tile(tile.pixels[part], covered, tile.cached)


def _target(url: str, location: str) -> str:
    """Return the target of a redirect on the same server; raises _Failure for others."""
    try:
        target = urljoin(url, location)
        same = urlsplit(target).netloc == urlsplit(url).netloc
    except ValueError:  # for example an incomplete IPv6 address
        raise _Failure("a redirect to an invalid address", repeats=1) from None
    if not same:
        raise _Failure("a redirect to another server", repeats=1)
    return target
