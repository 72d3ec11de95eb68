"""Time candidates in turns, so that other work on the machine affects all of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Sizes of the benchmarks and number of rounds.

    Attributes:
        name: Name of the effort.
        scene_px: Side of a scene at 1.07 m per pixel.
        canvas_px: Side of a canvas.
        block_px: Side of a block for super-resolution.
        picture_px: Side of an image that is enlarged in blocks.
        harbor_px: Width of an image at 3 m per pixel that is searched whole.
        roadstead_px: Side of an image that is enlarged only around candidates.
        arriving_rows: Rows of map tiles that are searched during their download.
        tiles: Map tiles along a side of a downloaded square.
        streamed_px: Side of a GeoTIFF that is searched in strips.
        sample_share: Share of the sides of an area of the sample that is searched.
        rounds: Rounds per candidate.
    """

    name: str
    scene_px: int
    canvas_px: int
    block_px: int
    picture_px: int
    harbor_px: int
    roadstead_px: int
    arriving_rows: int
    tiles: int
    streamed_px: int
    sample_share: float
    rounds: int

    @property
    def searches(self) -> int:
        """Number of whole searches per process, of which the first loads the models."""
        return min(2, self.rounds)

    def part(self, area: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Return the northwest of an area (west, south, east, north), which is searched."""
        west, south, east, north = area
        share = self.sample_share
        return west, north - share * (north - south), west + share * (east - west), north


EFFORTS = {
    effort.name: effort
    for effort in (
        Effort("full", 2048, 1024, 192, 768, 2393, 1024, 40, 10, 20_480, 1.0, 5),
        Effort("quick", 2048, 768, 96, 256, 1200, 768, 32, 10, 8_192, 1.0, 3),
        Effort("tiny", 240, 160, 16, 16, 160, 16, 2, 2, 512, 0.3, 1),  # tests that everything runs
    )
}


def shortest(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the seconds of the fastest round by candidate.

    Args:
        work: Candidates by name.
        rounds: Rounds to time. If there are several, another round before them warms up.
    """
    best = dict.fromkeys(work, float("inf"))
    warm_up = rounds > 1
    for turn in range(rounds + warm_up):
        for name, do in work.items():
            took = seconds(do)
            if turn >= warm_up:
                best[name] = min(best[name], took)
    return best


def seconds(do: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    do()
    return time.perf_counter() - start
