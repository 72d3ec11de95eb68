"""Denials (HTTP 403): of single tiles, or of all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

DENIED = "access denied (HTTP 403)"
BODY_BYTES = 2048  # read from the body of a 403, to recognize an object store
MAX_FIRST = 4  # denials before the first tile


class Denied(Exception):
    """The server responded 403; ``store`` if it is an object store.

    Object stores also respond 403 for a missing object, to clients that may not list objects.
    """

    def __init__(self, store: bool) -> None:
        super().__init__(DENIED)
        self.store = store


class Denials:
    """Whether a server denies single tiles or all of them.

    Until a tile arrives, each denial reduces the number of concurrent requests, so a server that
    denies all gets only ``MAX_FIRST`` requests.

    Args:
        limit: After the first tile, consecutive denials that count as a refusal.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.came = False
        self.count = 0  # since the last tile, without those of object stores
        self.first = asyncio.Semaphore(MAX_FIRST)

    def tile_came(self) -> None:
        """Record a tile."""
        self.came, self.count = True, 0

    def refuses(self, denied: Denied) -> bool:
        """Record a denial, and return whether the server denies access to all tiles."""
        if denied.store:
            return False
        self.count += 1
        return self.count >= (self.limit if self.came else MAX_FIRST)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Limit the concurrent requests until the first tile arrives; use it around a request."""
        if self.came:
            yield
            return
        await self.first.acquire()
        keeps_place = False
        try:
            yield
        except Denied as denied:
            keeps_place = not (denied.store or self.came)
            raise
        finally:
            if not keeps_place:
                self.first.release()


async def denial(response: httpx.Response) -> Denied:
    """Return the error for a 403; a store is recognized by its headers or its XML."""
    headers = response.headers
    if "x-amz-request-id" in headers or headers.get("server", "").lower() == "amazons3":
        return Denied(store=True)
    start = b""
    async for chunk in response.aiter_raw():
        start += chunk[:BODY_BYTES]
        if len(start) >= BODY_BYTES:
            break
    return Denied(store=b"AccessDenied" in start)
