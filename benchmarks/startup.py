"""Startup times: importing the package, opening the page, searching a second time."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from benchmarks.memory import resident_mb
from benchmarks.timing import Effort
from shipdet.pipeline import Run, iter_area
from shipdet.progress import finish
from shipdet.requests import AreaRequest
from shipdet.settings import Settings
from tests.helpers import PROJECT

GIVE_UP_S = 300.0
AREA = (-0.70, 0.06, -0.685, 0.07)  # a part of the built-in sample


def import_seconds() -> float:
    """Return the seconds of ``import shipdet``: a new interpreter, minus one without imports."""
    return _interpreter("import shipdet") - _interpreter("pass")


def _interpreter(statement: str) -> float:
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True, cwd=PROJECT)
        taken.append(time.perf_counter() - start)
    return min(taken)


def page_starts(effort: Effort) -> dict[str, float]:
    """Start ``app.py``, as an installed ``make run`` does, and wait for the page.

    Returns:
        Of the fastest start: ``s``, the seconds until the page responds, and ``mb``, the memory of
        the app at that time (Linux only).

    Raises:
        TimeoutError: The page does not respond.
    """
    return min((_page_start() for _ in range(effort.rounds)), key=lambda start: start["s"])


def _page_start() -> dict[str, float]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {"SHIPDET_PORT": str(port), "SHIPDET_RUNS_DIR": folder}
        start = time.perf_counter()
        app = subprocess.Popen(
            [sys.executable, "app.py"], cwd=PROJECT, env=environ, stdout=subprocess.DEVNULL
        )
        try:
            while time.perf_counter() - start < GIVE_UP_S:
                with (
                    suppress(OSError),
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page,
                ):
                    page.read()
                    taken = time.perf_counter() - start
                    return {"s": taken, "mb": round(resident_mb("VmRSS", app.pid))}
                time.sleep(0.1)
        finally:
            app.terminate()
            app.wait()
    raise TimeoutError(f"the page does not respond within {GIVE_UP_S:g} s")


def second_detection(effort: Effort) -> dict[str, float]:
    """Search a part of the sample twice in this process.

    Returns:
        Seconds of both searches, ``first_s`` and ``second_s``, and ``loads_s``, the seconds in
        which the second gets its model, which is already in memory.
    """
    from shipdet.models import release_models

    release_models()
    area = effort.part(AREA)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(runs_dir=Path(folder))
        first, second = (_searched(area, settings).record["timings"] for _ in range(2))
    return {"first_s": first["all"], "second_s": second["all"], "loads_s": second["load"]}


def _searched(area: tuple[float, float, float, float], settings: Settings) -> Run:
    request = AreaRequest(bbox=area, provider="sample", zoom=16)
    return finish(iter_area(request, settings=settings))
