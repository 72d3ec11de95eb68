"""Searches of the app that are under way: they belong to the server, not to the page that asked."""

import contextvars
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from shipdet.errors import Busy
from shipdet.progress import HEARTBEAT_S, Progress

#: Progress, then what came of it: the folder of a run, or more.
SearchEvents = Generator[Any, None, None]

KEPT_S = 3600.0  # an ended search is kept for an hour

_known: dict[str, "Running"] = {}
_lock = threading.Lock()


@dataclass(eq=False)
class Running:
    """One search: whoever knows its id can follow and cancel it, from any page.

    Attributes:
        id: A secret of the page that started it.
        title: What is searched.
        started: When it was started, ISO 8601 in UTC.
        latest: Its last progress; None before the first.
        result: What its events ended with, once it is finished.
        error: What ended it, if something did.
        cancelled: Whether it was cancelled.
        ended: When it ended, in seconds of ``time.monotonic``; None while it is under way.
    """

    title: str
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    started: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    latest: Progress | None = None
    result: Any = None
    error: Exception | None = None
    cancelled: bool = False
    ended: float | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _steps: int = 0

    def cancel(self) -> None:
        """Stop it at its next step; it leaves nothing behind."""
        self.cancelled = self.ended is None

    def follow(self) -> Iterator[Progress]:
        """Its progress from now on, until it ends; a follower that stops does not stop it."""
        seen = -1
        while True:
            with self._changed:
                self._changed.wait_for(partial(self._changed_since, seen), HEARTBEAT_S)
                latest, steps, ended = self.latest, self._steps, self.ended
            if latest is not None and steps != seen:
                yield latest
            if ended is not None:
                return
            seen = steps

    def _changed_since(self, seen: int) -> bool:
        return self.ended is not None or self._steps > max(seen, 0)

    def work(self, events: Callable[[], SearchEvents]) -> None:
        """Run the search to its end; for the thread that it has of its own."""
        try:
            with closing(events()) as steps:
                for event in steps:
                    if not isinstance(event, Progress):
                        self.result, self.cancelled = event, False
                    elif self.cancelled:
                        return
                    else:
                        with self._changed:
                            self.latest, self._steps = event, self._steps + 1
                            self._changed.notify_all()
        except Exception as error:
            self.error = error
        finally:
            with self._changed:
                self.ended = time.monotonic()
                self._changed.notify_all()


def start(title: str, events: Callable[[], SearchEvents], most: int) -> Running:
    """Start a search in a thread of its own; it ends when it ends, or is cancelled.

    Args:
        title: What is searched.
        events: Makes the generator of its events.
        most: How many may be under way or wait at the same time.

    Raises:
        Busy: There are that many.
    """
    with _lock:
        for old in [r for r in _known.values() if _is_old(r)]:
            del _known[old.id]
        if sum(running.ended is None for running in _known.values()) >= most:
            raise Busy("Too many runs are waiting for this machine: try again in a few minutes.")
        running = Running(title)
        _known[running.id] = running
    context = contextvars.copy_context()  # ZeroGPU finds the visitor's request in it
    threading.Thread(target=context.run, args=(running.work, events), daemon=True).start()
    return running


def find(id_: str) -> Running | None:
    """A search that is under way, or has ended within the hour."""
    with _lock:
        return _known.get(id_)


def running_runs() -> list[Running]:
    """The searches under way, the oldest first."""
    with _lock:
        return [running for running in _known.values() if running.ended is None]


def _is_old(running: Running) -> bool:
    return running.ended is not None and time.monotonic() - running.ended > KEPT_S
