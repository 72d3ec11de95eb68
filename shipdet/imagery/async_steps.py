"""Run asynchronous work from a synchronous generator of progress events."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from shipdet.progress import HEARTBEAT_S, Progress, Steps

T = TypeVar("T")
Report = Callable[[Progress], None]
Work = Callable[[Report], Coroutine[Any, Any, T]]


def run_async(work: Work[T], start: Progress) -> Steps[T]:
    """Run ``work`` in a thread with its own event loop, and yield the events that it reports.

    Yields ``start`` first, and repeats the latest event while there is no new one, so that the
    caller can cancel. Closing the generator cancels the work and waits for the thread.
    """
    yield start
    worker = _Worker(work)
    latest = start
    try:
        worker.thread.start()
        while True:
            try:
                event = worker.events.get(timeout=HEARTBEAT_S)
            except Empty:
                event = latest
            if event is None:
                return worker.result.result()
            latest = event
            yield event
    finally:
        worker.stop()


@dataclass
class _Worker(Generic[T]):
    work: Work[T]
    events: SimpleQueue[Progress | None] = field(default_factory=SimpleQueue)
    result: Future[T] = field(default_factory=Future)
    stopped: bool = False
    loop: asyncio.AbstractEventLoop | None = None
    task: asyncio.Task[Any] | None = None

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name="shipdet-fetch", daemon=True)

    def stop(self) -> None:
        """Cancel the work, and wait until its thread ends."""
        self.stopped = True
        if self.loop is not None and self.task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join()

    def _run(self) -> None:
        try:
            self.result.set_result(asyncio.run(self._main()))
        except BaseException as error:  # re-raised in the caller's thread
            self.result.set_exception(error)
        finally:
            self.events.put(None)

    async def _main(self) -> T:
        self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()
        if self.stopped:  # stopped before the task existed
            raise asyncio.CancelledError
        return await self.work(self.events.put)
