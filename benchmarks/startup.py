"""How long until something can be done: importing, opening the page, searching again."""

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
from shipdet.pipeline import Run, iter_area
from shipdet.progress import finish
from shipdet.requests import AreaRequest
from shipdet.settings import Settings
from tests.helpers import PROJECT

GIVE_UP_S = 300.0
AREA = (-0.70, 0.06, -0.685, 0.07)  # a part of the built-in sample


def import_seconds() -> float:
    """``import shipdet`` in a new interpreter, less the time of one that imports nothing."""
    return _interpreter("import shipdet") - _interpreter("pass")


def _interpreter(statement: str) -> float:
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True, cwd=PROJECT)
        taken.append(time.perf_counter() - start)
    return min(taken)


def page_starts() -> dict[str, float]:
    """``s`` from starting ``app.py``, as ``make run`` does when installed, to a page that answers.

    ``mb`` is the memory of the app then; Linux only.
    """
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
    raise TimeoutError(f"no page within {GIVE_UP_S:g} s")


def second_detection() -> dict[str, float]:
    """A part of the sample searched twice in this process: ``first_s``, ``second_s``, ``loads_s``.

    ``loads_s`` is what the second one took to get its model: nothing is read again.
    """
    from shipdet.models import release_models

    release_models()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(runs_dir=Path(folder))
        first, second = (_searched(settings).record["timings"] for _ in range(2))
    return {"first_s": first["all"], "second_s": second["all"], "loads_s": second["load"]}


def _searched(settings: Settings) -> Run:
    request = AreaRequest(bbox=AREA, provider="sample", zoom=16)
    return finish(iter_area(request, settings=settings))
