"""When to repeat a request, how long to wait, and when to give up on a server."""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shipdet.errors import ProviderUnreachable


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with jitter; tests replace ``sleep``.

    The wait before repetition n (from 0) is uniform between half and all of ``base_s * 2**n``, at
    most ``cap_s``. A server's Retry-After takes precedence, at most ``retry_after_cap_s``.
    """

    retries: int = 4
    base_s: float = 0.5
    cap_s: float = 20.0
    retry_after_cap_s: float = 60.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    def delay_s(self, repetition: int, retry_after: str | None = None) -> float:
        """Return the seconds to wait before a repetition, given the Retry-After header if any."""
        requested_s = parse_retry_after(retry_after)
        if requested_s is not None:
            return min(requested_s, self.retry_after_cap_s)
        return float(min(self.cap_s, self.base_s * 2**repetition) * (0.5 + self.jitter() / 2))


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds of a Retry-After header: a number or an HTTP date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():  # excludes other digits, such as superscripts
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


@dataclass
class Breaker:
    """Ends a download when a server fails ``limit`` times in a row, for any tiles."""

    title: str
    limit: int
    failures: int = field(default=0, init=False)
    alive: bool = field(default=False, init=False)

    def success(self) -> None:
        """Record a valid response."""
        self.failures, self.alive = 0, True

    def failure(self, what: str, first: bool) -> None:
        """Record a failure.

        After the first success only the ``first`` attempt at each tile counts: a download ends
        with repetitions for its few bad tiles, which must not discard the good ones.

        Raises:
            ProviderUnreachable: It is failure number ``limit`` in a row.
        """
        if self.alive and not first:
            return
        self.failures += 1
        if self.failures >= self.limit:
            raise ProviderUnreachable(unreachable(self.title, what))


_SENTENCES = (
    (
        "web page",
        "{title} answers with web pages instead of images: check whether a proxy or login page "
        "intercepts connections to the internet.",
    ),
    (
        "JSON",
        "{title} answers with {what}: open the address of a tile in a browser to read the message, "
        "and check the address and its key.",
    ),
    (
        "an image of",
        "{title} answers with {what} pixels: check the address, and set SHIPDET_XYZ_TILE_PX=512 if "
        "tiles have 512 pixels.",
    ),
    (
        "which was not requested",
        "{title} answers with {what}: choose another provider or address.",
    ),
    (
        "not supported|not a PNG|more than|empty response",
        "{title} sends {what}: check that its address is one of map tiles in PNG, JPEG or WebP.",
    ),
    (
        "redirect",
        "{title} answers with {what}: check whether the server has moved or requires a login, and "
        "set the address of the redirect.",
    ),
    (
        "certificate",
        "{title} cannot be reached securely ({what}): behind a company proxy, set SSL_CERT_FILE to "
        "a file with its certificate; otherwise choose another provider.",
    ),
    ("proxy", "{title} cannot be reached ({what}): check the proxy's address and login."),
    ("HTTP 402", "{title} requires payment ({what}): check the account of the key."),
    (
        "HTTP 451",
        "{title} may not show this area for legal reasons ({what}): choose another provider.",
    ),
    (
        "HTTP (3|4(?!08))",
        "{title} does not accept the request ({what}): check the address, its key and the zoom.",
    ),
    (
        "",
        "{title} cannot be reached or keeps failing ({what}): check the network, try again later, "
        "or choose another provider; downloaded tiles are kept.",
    ),
)
"""Patterns of a server's last answer, each with the error message for the download."""


def unreachable(title: str, what: str) -> str:
    """Return the error message for a server that keeps failing; ``what`` is its last answer."""
    sentence = next(sentence for pattern, sentence in _SENTENCES if re.search(pattern, what))
    return sentence.format(title=title, what=what)


def refused(title: str, status: int, needs_instance: bool) -> str:
    """Return the error message for a server that denies access."""
    remedy = (
        "check SHIPDET_SENTINELHUB_INSTANCE_ID"
        if needs_instance
        else "check its terms and your key"
    )
    return f"{title} refused the download (HTTP {status}): {remedy}, or choose another provider."


@dataclass
class Pause:
    """A server's request to slow down, which applies to all tiles."""

    policy: RetryPolicy
    until: float = field(default=0.0, init=False)

    def ask(self, seconds: float) -> None:
        """Pause all requests for a number of seconds."""
        self.until = max(self.until, time.monotonic() + seconds)

    async def wait(self) -> None:
        """Wait until the pause ends."""
        left = self.until - time.monotonic()
        if left > 0:
            await self.policy.sleep(left)
