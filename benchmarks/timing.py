"""Side-by-side timing: the candidates take turns, so that other work on the machine hits all."""

import time
from collections.abc import Callable, Mapping


def shortest(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each one's fastest round, after one round that is not counted."""
    best = dict.fromkeys(work, float("inf"))
    for turn in range(rounds + 1):
        for name, do in work.items():
            start = time.perf_counter()
            do()
            seconds = time.perf_counter() - start
            if turn:
                best[name] = min(best[name], seconds)
    return best
