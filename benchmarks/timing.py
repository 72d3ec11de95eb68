"""Side-by-side timing: the candidates take turns, so that other work on the machine hits all."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much is measured: sides in pixels, and how often each candidate has its turn."""

    name: str
    scene_px: int  # scored at 1.07 m per pixel
    canvas_px: int
    block_px: int
    picture_px: int  # enlarged in blocks
    harbor_px: int  # width of a picture at 3 m per pixel that is searched whole
    roadstead_px: int  # enlarged only where ships could be
    arriving_rows: int  # of map tiles that are searched while they arrive
    tiles: int  # along a side of a downloaded square
    streamed_px: int  # side of a GeoTIFF that is searched in strips
    rounds: int

    @property
    def searches(self) -> int:
        """Whole searches of a process, of which the first loads the models."""
        return min(2, self.rounds)


EFFORTS = {
    effort.name: effort
    for effort in (
        Effort("full", 2048, 1024, 192, 768, 2393, 1024, 40, 10, 20_480, 5),
        Effort("quick", 2048, 768, 96, 256, 1200, 768, 32, 10, 8_192, 3),
        Effort("tiny", 320, 160, 16, 16, 320, 16, 4, 3, 512, 1),  # shows that all of it runs
    )
}


def shortest(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each one's fastest round; one more warms up if they are several."""
    best = dict.fromkeys(work, float("inf"))
    warm_up = rounds > 1
    for turn in range(rounds + warm_up):
        for name, do in work.items():
            took = seconds(do)
            if turn >= warm_up:
                best[name] = min(best[name], took)
    return best


def seconds(do: Callable[[], object]) -> float:
    """Seconds of one round."""
    start = time.perf_counter()
    do()
    return time.perf_counter() - start
