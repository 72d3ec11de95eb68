"""Speed of a large area on one and on two workers, and latency and throughput of small jobs.

    python -m benchmarks.cluster [--side 16384] [--jobs 40] [--json FILE]

Starts the engines of `make cluster` twice, each time in a temporary folder, with a tile server that
repeats a patch of sea with two ships. Each worker has one core and one thread. Takes between a few
minutes and half an hour.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.cluster_simulation import read_metrics
from benchmarks.machine import machine
from benchmarks.memory import resident_mb
from benchmarks.table import rounded
from deploy.local import Cluster
from shipdet.cluster import submit
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.prometheus import metrics
from shipdet.geometry import TILE_PX, gsd_at, lonlat_to_pixel
from shipdet.settings import Settings
from tests.helpers.cluster_jobs import job, ships, wait_for
from tests.helpers.painted import paint_ship, sea
from tests.helpers.tile_server import Body, TileServer

LON, LAT, ZOOM = 5.0, 60.0, 17  # 0.6 m per pixel
PATCH_PX = 1024
NEAR_M = 48.0  # ships in the scene are farther apart than this
SHIPS = ((260.0, 420.0, 150.0, 30.0), (700.0, 1015.0, 110.0, 100.0))  # x, y in px; length m, axis
TINY_PX = 400
PAUSE_S = 3.0  # between two jobs, so that the cluster is idle


class RepeatedTiles(TileServer):
    """Serves a patch of tiles, repeated over a square of ``side_px``."""

    def __init__(self, side_px: int) -> None:
        picture = sea(PATCH_PX, PATCH_PX)
        gsd = gsd_at(LAT, ZOOM)
        for x, y, length, axis in SHIPS:
            # Ships across the lower border continue at the upper one, so that patches join.
            for row in (y, y - PATCH_PX):
                paint_ship(picture, gsd, (x * gsd, row * gsd), length, length / 6.5, axis)
        super().__init__(picture, west=LON, north=LAT, zoom=ZOOM, image_format="JPEG")
        self.columns = self.rows = side_px // TILE_PX
        self.kept: dict[tuple[int, int], bytes] = {}

    def _body(self, z: int, x: int, y: int, kind: Body) -> bytes | None:
        column, row = x - self.x0, y - self.y0
        if z != self.zoom or not (0 <= column < self.columns and 0 <= row < self.rows):
            return None
        left, top = column * TILE_PX % PATCH_PX, row * TILE_PX % PATCH_PX
        if (left, top) not in self.kept:
            tile = self.picture[top : top + TILE_PX, left : left + TILE_PX]
            self.kept[left, top] = self._encode(tile)
        return self.kept[left, top]


@dataclass(frozen=True)
class Finished:
    """A completed large job; ``seconds`` count from the start of the first block."""

    seconds: float
    blocks: int
    ships: int
    twice: int  # ships nearer than NEAR_M to another, which are duplicates


@contextmanager
def running(folder: Path, tiles: TileServer, workers: int) -> Iterator[tuple[Cluster, Store]]:
    """Run a cluster with ``workers`` workers of one core each; yield it and its job store."""
    extra = {
        **tiles.environ(),
        "SHIPDET_PROVIDER": "xyz",
        "SHIPDET_CACHE_DIR": str(folder / "cache"),
        "SHIPDET_CLUSTER_LANES": str(workers),
        "OMP_NUM_THREADS": "1",
    }
    cluster = Cluster(folder, extra, usual_ports=False, workers=workers, places=1)
    try:
        cluster.start(app=False)
        own = {k: v for k, v in cluster.env.items() if k.startswith("SHIPDET_")}
        with patch.dict(os.environ, own):
            store = submit.open_store(Settings())
            yield cluster, store
            store.database.close()
    finally:
        cluster.stop()


def run(store: Store, messages: list[JobMessage]) -> dict[str, dict[str, Any]]:
    """Submit jobs, wait for all, and return their rows by id.

    Raises:
        SystemExit: A job failed.
    """
    ids = submit.submit(messages, Settings())
    rows = wait_for(store, ids)
    wrong = {row["error"] for row in rows.values() if row["status"] != "completed"}
    if wrong:
        raise SystemExit(f"jobs failed: {wrong}")
    return rows


def large(store: Store, tiles: TileServer, side: int) -> Finished:
    """Run one area of ``side`` pixels squared, after small ones that load the models."""
    run(store, [job(tiles, f"warm-{n}", n * TINY_PX, 0, TINY_PX, TINY_PX) for n in range(4)])
    message = job(tiles, f"large-{side}", 0, 0, side, side)
    (row,) = run(store, [message]).values()
    places = np.array([(ship["lon"], ship["lat"]) for ship in ships(store, message.id)])
    pixels = lonlat_to_pixel(places, ZOOM) * gsd_at(LAT, ZOOM)
    gaps = np.hypot(*(pixels[:, None] - pixels[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    seconds = (row["finished_at"] - row["started_at"]).total_seconds()
    twice = int((gaps.min(axis=1) < NEAR_M).sum())
    return Finished(seconds, row["blocks_total"], len(places), twice)


def at_rest(store: Store, tiles: TileServer, count: int = 6) -> float:
    """Return the median seconds from submission to completion of a small job on an idle cluster."""
    taken = []
    for number in range(count + 1):
        start = time.monotonic()
        run(store, [job(tiles, f"rest-{number}", number * TINY_PX, PATCH_PX, TINY_PX, TINY_PX)])
        taken.append(time.monotonic() - start)
        time.sleep(PAUSE_S)
    return statistics.median(taken[1:])


def per_second(store: Store, tiles: TileServer, count: int) -> float:
    """Return the throughput of small jobs, per second, when many are waiting."""
    columns = 8
    rows = run(
        store,
        [
            job(tiles, f"tiny-{n}", n % columns * TINY_PX, n // columns * TINY_PX, TINY_PX, TINY_PX)
            for n in range(count)
        ],
    )
    ends = sorted(row["finished_at"] for row in rows.values())
    taken: float = (ends[-1] - ends[0]).total_seconds()
    return (count - 1) / taken


def memory(cluster: Cluster) -> dict[str, float]:
    """Return the peak memory so far in MB, by kind of process."""
    most: dict[str, float] = {}
    sessions = {cluster.processes.pid(name): name for name in cluster.processes.running()}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
            call = (entry / "cmdline").read_bytes()
            peak = resident_mb("VmHWM", int(entry.name))
        except (OSError, ValueError):
            continue
        if session in sessions:
            kind = sessions[session].partition("-")[0]
            if b"pyspark.daemon" in call:
                kind = "python worker"
            elif b"CoarseGrainedExecutorBackend" in call:
                kind = "executor"
            elif kind == "stream":
                kind = "driver (Java)" if b"java" in call.split(b"\0")[0] else "driver (Python)"
            most[kind] = max(most.get(kind, 0.0), peak)
    return most


def measure(side: int, jobs: int) -> dict[str, Any]:
    """Measure all figures."""
    found: dict[int, Finished] = {}
    figures: dict[str, Any] = {"machine": machine(), "side_px": side}
    for workers in (2, 1):
        folder = Path(tempfile.mkdtemp(prefix="shipdet-bench-"))
        folder.chmod(0o755)  # PostgreSQL runs as another user
        try:
            with (
                RepeatedTiles(max(side, 8 * TINY_PX)) as tiles,
                running(folder, tiles, workers) as (cluster, store),
            ):
                found[workers] = large(store, tiles, side)
                print(workers, found[workers], flush=True)
                if workers == 2:
                    figures["latency_s"] = at_rest(store, tiles)
                    figures["jobs_per_s"] = per_second(store, tiles, jobs)
                    work = read_metrics(metrics(store))
                    figures["block_fetch_s"], figures["block_compute_s"] = (
                        work.fetch_s, work.compute_s,
                    )  # fmt: skip
                figures[f"memory_mb_{workers}"] = memory(cluster)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    figures["speed_of_two"] = found[1].seconds / found[2].seconds
    figures["same_ships"] = found[1].ships == found[2].ships
    return figures | {f"large_{n}": vars(one) for n, one in found.items()}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--side", type=int, default=16_384, help="side of the large area in pixels")
    parser.add_argument("--jobs", type=int, default=40, help="small jobs that wait together")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    text = json.dumps(rounded(measure(options.side, options.jobs), 2), indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
