"""Throughput of this machine, for estimates before a run and of the remaining time.

The initial values are from a two-core computer. Runs of this process update those of downloads,
searches and super-resolution; writing results is always estimated from the initial value.
"""

import threading
import time

from shipdet.progress import Progress

_lock = threading.Lock()
_per_second: dict[str, float] = {
    "fetch": 12.0,  # tiles
    "detect": 8.0e5,  # network pixels
    "upscale:realesrgan-x4plus": 5.0e3,  # pixels before super-resolution
    "upscale:realesr-general-x4v3": 6.0e4,
    "upscale": 5.0e3,
    "report": 1.5e7,  # pixels of the searched image
}


def seconds(work: str, amount: float) -> float:
    """Estimate how many seconds an amount of work takes."""
    with _lock:
        rate = _per_second.get(work) or _per_second[work.partition(":")[0]]
    return amount / rate


def learn(work: str, amount: float, took_s: float) -> None:
    """Update the throughput with the measured duration of an amount of work."""
    if amount > 0 and took_s > 0.05:  # shorter times are too imprecise
        with _lock:
            known = _per_second.get(work)
            rate = amount / took_s
            _per_second[work] = rate if known is None else 0.5 * known + 0.5 * rate


class Waiting:
    """Measures how long a step waits for tiles, from its events.

    A step that waits yields events of the download.

    Attributes:
        seconds: The time waited so far.

    Example:
        >>> waiting = Waiting()
        >>> result = yield from mapped(step, waiting)
        >>> learn("detect", amount, took_s - waiting.seconds)
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last = time.perf_counter()

    def __call__(self, event: Progress) -> Progress:
        """Count the time before an event; return the event unchanged."""
        now = time.perf_counter()
        if event.stage == "fetch":
            self.seconds += now - self._last
        self._last = now
        return event
