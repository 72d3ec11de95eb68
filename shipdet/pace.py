"""Throughput of this machine, for estimates before a run and of the remaining time.

The initial values are from a two-core computer; runs of this process update them.
"""

import threading

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
