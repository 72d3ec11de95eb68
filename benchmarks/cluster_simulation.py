"""Simulate the cluster: areas per day, by number of lanes and of connections to the tile service.

    python -m shipdet jobs metrics > metrics.txt
    python -m benchmarks.cluster_simulation --metrics metrics.txt

Areas arrive at random over a day and are cut into blocks. As in shipdet/cluster, a block occupies
a lane for its whole duration, and a connection while it fetches. Stage times are measured on a real
cluster; nothing else is fitted.
"""

import argparse
import heapq
import random
import re
import statistics
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DAY_S = 86_400.0


@dataclass(frozen=True)
class Work:
    """Seconds of one block: ``fetch_s`` with one connection, ``compute_s`` without any."""

    fetch_s: float
    compute_s: float


@dataclass(frozen=True)
class Outcome:
    """Results for one day: seconds from submission to the last block, and utilization."""

    median_s: float
    late_s: float  # 95th percentile
    lanes_used: float
    connections_used: float  # above 1, the areas of a day take longer than a day


def read_metrics(text: str) -> Work:
    """Compute the mean seconds per block from the metrics, without loading of models.

    Raises:
        SystemExit: The metrics contain no blocks.
    """
    found = {
        (stage, kind): float(value)
        for kind, stage, value in re.findall(
            r'^shipdet_stage_seconds_(sum|count)\{stage="(\w+)"\} (\S+)$', text, re.MULTILINE
        )
    }
    if ("all", "count") not in found:
        raise SystemExit("The metrics contain no blocks: run some jobs first.")
    blocks = found["all", "count"]
    mean = {stage: found[stage, "sum"] / blocks for stage, kind in found if kind == "sum"}
    fetch = mean.get("fetch", 0.0)
    return Work(fetch, mean["all"] - fetch - mean.get("load", 0.0))


def simulate(
    areas: int, blocks: int, work: Work, lanes: int, connections: int, seed: int = 1
) -> Outcome:
    """Simulate one day.

    Args:
        areas: Number of areas.
        blocks: Blocks per area.
        work: Seconds per block.
        lanes: Blocks that run at the same time.
        connections: Connections to the tile service.
        seed: Seed of the arrival times.
    """
    rng = random.Random(seed)
    arrivals = sorted(rng.uniform(0, DAY_S) for _ in range(areas))
    left = [blocks] * areas
    ends: list[float] = []
    queue: deque[int] = deque()  # waiting blocks, each as the index of its area
    fetching: deque[int] = deque()  # blocks with a lane that wait for a connection
    events: list[tuple[float, int, str, int]] = [
        (at, number, "arrive", number) for number, at in enumerate(arrivals)
    ]
    heapq.heapify(events)
    count = areas
    free_lanes, free_connections = lanes, connections
    lane_s = connection_s = 0.0
    while events:
        now, _, kind, area = heapq.heappop(events)
        if kind == "arrive":
            queue.extend([area] * blocks)
        elif kind == "fetched":
            free_connections += 1
            count += 1
            heapq.heappush(events, (now + work.compute_s, count, "done", area))
        else:
            free_lanes += 1
            left[area] -= 1
            if not left[area]:
                ends.append(now - arrivals[area])
        while queue and free_lanes:
            free_lanes -= 1
            fetching.append(queue.popleft())
        while fetching and free_connections:
            free_connections -= 1
            count += 1
            heapq.heappush(events, (now + work.fetch_s, count, "fetched", fetching.popleft()))
            connection_s += work.fetch_s
            lane_s += work.fetch_s + work.compute_s
    ends.sort()
    return Outcome(
        statistics.median(ends),
        ends[int(0.95 * (len(ends) - 1))],
        lane_s / (lanes * DAY_S),
        connection_s / (connections * DAY_S),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: print a table for 10, 1,000 and 100,000 areas per day."""
    parser = argparse.ArgumentParser(prog="benchmarks.cluster_simulation", description=__doc__)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--blocks", type=int, default=1, help="blocks per area (1)")
    parser.add_argument("--connections", type=int, default=4, help="connections to the service (4)")
    parser.add_argument("--lanes", type=int, nargs="+", default=[2, 8, 32, 128])
    parsed = parser.parse_args(arguments)
    work = read_metrics(parsed.metrics.read_text())
    print(f"One block: {work.fetch_s:.2f} s fetching, {work.compute_s:.2f} s computing")
    print("areas/day  lanes  median s   95 % s  lanes used  connections used")
    for areas in (10, 1_000, 100_000):
        for lanes in parsed.lanes:
            day = simulate(areas, parsed.blocks, work, lanes, parsed.connections)
            print(
                f"{areas:9,d}  {lanes:5d}  {day.median_s:8,.0f}  {day.late_s:7,.0f}  "
                f"{day.lanes_used:9.0%}  {day.connections_used:15.0%}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
