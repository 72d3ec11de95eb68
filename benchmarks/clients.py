"""Load test of the app with many concurrent clients, each requesting its own areas.

    python -m benchmarks.clients [--clients 50] [--seconds 600 | --quick] [--json FILE]

Starts app.py and a tile server on this machine. Each client is a gradio_client that requests one
small area after another. The test counts completed requests, requests that still wait in the queue
at the end, requests rejected with a message, and faults: neither result nor queue position, or the
run of another area. It also samples the memory of the app. Linux only; the exit status is 1 if
there is a fault.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gradio_client import Client
from gradio_client.exceptions import AppError
from gradio_client.utils import Status
from PIL import Image

from benchmarks.machine import machine
from benchmarks.memory import resident_mb
from tests.helpers.app_process import App, running_app
from tests.helpers.tile_server import TileServer, generated_picture

QUICK_S = 60.0
#: How long a client waits for its last result after the end; then the request counts as waiting.
LAST_S = 20.0
#: Timeout of connecting. It is long because the server generates the API description per client,
#: and all clients connect at the same time.
CONNECT_S = 120.0
SAMPLE_S = 2.0
SIDE_PX = 200
NAMES = ("west", "south", "east", "north")


@dataclass(frozen=True)
class Asked:
    """One request: a square of the server's image, and the name of the run."""

    name: str
    x: int
    y: int

    def options(self, server: TileServer) -> dict[str, Any]:
        """Return the arguments of /detect_area."""
        box = server.bbox_of(self.x, self.y, self.x + SIDE_PX, self.y + SIDE_PX).as_tuple()
        values = dict(zip(NAMES, box, strict=True))
        return {**values, "provider": "xyz", "zoom": server.zoom, "name": self.name}


@dataclass
class Counts:
    """Outcomes of all requests."""

    answered: int = 0
    waiting: int = 0
    refused: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    connected: list[float] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **values: Any) -> None:
        """Add to the counts, from any thread: numbers are added, items of lists appended."""
        with self._lock:
            for name, value in values.items():
                before = getattr(self, name)
                if isinstance(before, list):
                    before.append(value)
                else:
                    setattr(self, name, before + value)


def mixed_up(asked: Asked, server: TileServer, result: dict[str, Any], runs: Path) -> str:
    """Describe what in a run belongs to another request.

    Args:
        asked: The request.
        server: The tile server.
        result: The record in the response.
        runs: The folder of runs, from which run.json and the image are read.

    Returns:
        A message, or "" if the run is that of the request.
    """
    folder = runs / result["run"]
    record = json.loads((folder / "run.json").read_text())
    options = asked.options(server)
    for one in (result, record):
        box = one["inputs"]["bbox"]
        if not np.allclose(box, [options[name] for name in NAMES], atol=1e-9):
            return f"{asked.name} has the area {box}"
        if not result["run"].startswith(f"{asked.name}-2"):
            return f"{asked.name} has the run {result['run']}"
    columns, rows = ((low + SIDE_PX - 1) // 256 - low // 256 + 1 for low in (asked.x, asked.y))
    if record["source"]["tiles"] != columns * rows or record["source"]["missing"]:
        return f"{asked.name} has {record['source']['tiles']} tiles"
    with Image.open(folder / "raw.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    expected = server.picture[asked.y : asked.y + SIDE_PX, asked.x : asked.x + SIDE_PX]
    if pixels.shape[0] < SIDE_PX or not _within(pixels, expected):
        return f"{asked.name} has the image of another area"
    return ""


def _within(pixels: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> bool:
    """Return whether the image contains the inside of the expected square, within a few pixels."""
    inner = expected[2:-2, 2:-2]
    height, width = inner.shape[:2]
    places = ((y, x) for y in range(6) for x in range(6))
    return any(np.array_equal(pixels[y : y + height, x : x + width], inner) for y, x in places)


def requests_of(number: int, server: TileServer) -> Iterator[Asked]:
    """Yield the random squares of a client, identical in every run."""
    chance = random.Random(number)
    height, width = server.picture.shape[:2]
    for turn in range(1_000_000):
        x, y = chance.randrange(width - SIDE_PX), chance.randrange(height - SIDE_PX)
        yield Asked(f"client{number}-{turn}", x, y)


def ask(number: int, app: App, server: TileServer, counts: Counts, until: float) -> None:
    """Run one client until the time ``until``."""
    begun = time.monotonic()
    try:
        client = Client(
            app.url, verbose=False, analytics_enabled=False, download_files=False,
            httpx_kwargs={"timeout": CONNECT_S},
        )  # fmt: skip
    except Exception as error:
        counts.add(faults=f"client {number} cannot connect: {type(error).__name__}: {error}")
        return
    counts.add(connected=time.monotonic() - begun)
    for asked in requests_of(number, server):
        begun = time.monotonic()
        if begun > until:
            return
        job = client.submit(**asked.options(server), api_name="/detect_area")
        place = None
        try:
            while not job.done():
                status = job.status()
                if status.rank is not None:
                    place = max(place or 0, status.rank + 1)  # rank 0 is next
                if time.monotonic() > until + LAST_S:
                    job.cancel()
                    working = status.code in (Status.PROCESSING, Status.ITERATING)
                    if place is None and not working:
                        counts.add(
                            faults=f"{asked.name} has no result or queue position: {status.code}"
                        )
                    else:
                        counts.add(waiting=1, places=place or 0)
                    return
                time.sleep(0.2)
            result = job.result()["result"]
        except AppError as error:
            counts.add(refused=str(error))
            time.sleep(1.0)
            continue
        except Exception as error:
            counts.add(faults=f"{asked.name}: {type(error).__name__}: {error}")
            continue
        counts.add(answered=1, seconds=time.monotonic() - begun, places=place or 0)
        try:
            wrong = mixed_up(asked, server, result, app.runs)
        except Exception as error:
            wrong = f"the run of {asked.name} cannot be read: {type(error).__name__}: {error}"
        if wrong:
            counts.add(faults=wrong)


def memory_mb(process: "subprocess.Popen[bytes]") -> float | None:
    """Return the resident memory of a process in MB; None if it has ended."""
    try:
        return resident_mb("VmRSS", process.pid)
    except (ValueError, OSError):
        return None


def load(clients: int, seconds: float) -> dict[str, Any]:
    """Start an app, run the clients against it, and return the figures."""
    memory: list[float] = []
    counts = Counts()
    with (
        tempfile.TemporaryDirectory() as made,
        TileServer(generated_picture(12, 12)) as server,
        running_app(Path(made), SHIPDET_MAX_QUEUE=str(clients), **server.environ()) as app,
    ):
        begun = time.monotonic()
        start_mb = resident_mb("VmRSS", app.process.pid)
        until = begun + seconds
        each = [
            threading.Thread(target=ask, args=(n, app, server, counts, until), daemon=True)
            for n in range(clients)
        ]
        for thread in each:
            thread.start()
        while any(thread.is_alive() for thread in each) and time.monotonic() < until + 3 * LAST_S:
            now_mb = memory_mb(app.process)
            if now_mb is None:
                break
            memory.append(now_mb)
            time.sleep(SAMPLE_S)
        hanging = sum(thread.is_alive() for thread in each)
        end_mb = memory_mb(app.process)
        if end_mb is None:
            counts.faults.append("the app has ended")
        elif hanging:
            counts.faults.append(f"{hanging} clients hang")
        if not counts.answered:
            counts.faults.append("no request was completed")
    tenth = max(1, len(memory) // 10)
    return {
        "clients": clients,
        "seconds": round(time.monotonic() - begun),
        "answered": counts.answered,
        "waiting": counts.waiting,
        "refused": len(counts.refused),
        "refusals": sorted(set(counts.refused))[:5],
        "faults": counts.faults[:20],
        "median_s": round(statistics.median(counts.seconds), 1) if counts.seconds else None,
        "longest_s": round(max(counts.seconds), 1) if counts.seconds else None,
        "slowest_connection_s": round(max(counts.connected, default=0.0), 1),
        "last_place": max(counts.places, default=0),
        "start_mb": round(start_mb),
        "max_mb": round(max(memory, default=start_mb)),
        "end_mb": None if end_mb is None else round(end_mb),
        "curve_mb": [round(value) for value in memory[::tenth]],
        "machine": machine(),
    }


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--seconds", type=float, default=600.0)
    how.add_argument("--quick", dest="seconds", action="store_const", const=QUICK_S)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    figures = load(options.clients, options.seconds)
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 1 if figures["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
