"""Running searches of the app. They belong to the server, not to the page that started them."""

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

#: Progress events, then the result, such as the folder of a run.
SearchEvents = Generator[Any, None, None]

#: Time that an ended search is kept. A browser that opens the app again in this time shows its run,
#: and lists it in a history of only its own runs.
KEPT_S = 86_400.0

_known: dict[str, "Running"] = {}
_lock = threading.Lock()


@dataclass(eq=False)
class Running:
    """A search that any page with its id can follow and cancel.

    Attributes:
        id: A secret of the page that started it.
        title: What is searched.
        started: Start time, ISO 8601 in UTC.
        latest: The latest progress; None before the first event.
        result: The result; None until the search is finished.
        error: The error that ended the search, if any.
        cancelled: Whether the search was cancelled.
        ended: End time in seconds of ``time.monotonic``; None while the search runs.
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
        """Cancel the search at its next event; it leaves no files."""
        self.cancelled = self.ended is None

    def follow(self) -> Iterator[Progress]:
        """Yield progress until the search ends; closing this generator does not cancel it."""
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
        """Run the search to its end, in its own thread."""
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
    """Start a search in its own thread.

    Args:
        title: What is searched.
        events: Creates the generator of its events.
        most: Largest number of searches that run or wait at the same time.

    Returns:
        The running search.

    Raises:
        Busy: That many searches already run or wait.
    """
    with _lock:
        for old in [r for r in _known.values() if _is_old(r)]:
            del _known[old.id]
        if sum(running.ended is None for running in _known.values()) >= most:
            raise Busy("Too many runs are waiting for this machine: try again in a few minutes.")
        running = Running(title)
        _known[running.id] = running
    context = contextvars.copy_context()  # ZeroGPU reads the visitor's request from it
    threading.Thread(target=context.run, args=(running.work, events), daemon=True).start()
    return running


def find(id_: str) -> Running | None:
    """Return a search by its id; None if it is unknown or was removed after ``KEPT_S``."""
    with _lock:
        return _known.get(id_)


def running_runs() -> list[Running]:
    """Return the running searches, oldest first."""
    with _lock:
        return [running for running in _known.values() if running.ended is None]


def _is_old(running: Running) -> bool:
    return running.ended is not None and time.monotonic() - running.ended > KEPT_S
