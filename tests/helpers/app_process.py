"""The real app in a process of its own, and its API over plain HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.helpers import PROJECT

START_S = 240  # importing gradio and torch on two busy cores


class App(NamedTuple):
    """An app that answers."""

    url: str
    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def runs(self) -> Path:
        """Where its runs are."""
        return self.folder / "runs"

    def call(self, name: str, **options: Any) -> str:
        """Begin an endpoint's event; the id of the event."""
        known = httpx.get(f"{self.url}gradio_api/info", timeout=60).json()["named_endpoints"]
        values = [
            options.get(one["parameter_name"], one.get("parameter_default"))
            for one in known[f"/{name}"]["parameters"]
        ]
        asked = httpx.post(f"{self.url}gradio_api/call/{name}", json={"data": values}, timeout=60)
        return str(asked.json()["event_id"])

    def answer(self, name: str, event: str, timeout_s: float = 200.0) -> Any:
        """The last value of an event; raises AssertionError where it failed."""
        address = f"{self.url}gradio_api/call/{name}/{event}"
        text = httpx.get(address, timeout=timeout_s).text
        *_, kind, data = [line for line in text.splitlines() if line]
        assert kind == "event: complete", text[-500:]
        return json.loads(data.removeprefix("data: "))


@contextmanager
def running_app(folder: Path, **environ: str) -> Iterator[App]:
    """Run app.py until the context ends, with runs, cache and app.log in a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = environ.get("SHIPDET_PORT", str(free.getsockname()[1]))
    own = {
        "SHIPDET_PORT": port,
        "SHIPDET_RUNS_DIR": str(folder / "runs"),
        "SHIPDET_CACHE_DIR": str(folder / "cache"),
        # An app that stops deletes its files, which another one with the same content uses too.
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "HF_HUB_OFFLINE": "1",
        **environ,
    }
    url = f"http://127.0.0.1:{port}/"
    log = folder / "app.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=PROJECT,
            env={**os.environ, **own},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_S
        while not _healthy(url):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield App(url, process, folder)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
