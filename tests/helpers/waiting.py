"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.helpers.tile_server import TileServer


def wait_until(reached: Callable[[], bool], timeout_s: float = 200.0) -> None:
    """Ask again and again until the answer is yes; AssertionError when that takes too long."""
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, f"not reached in {timeout_s:.0f} s"
        time.sleep(0.05)


def waits_for_the_rest(server: TileServer, folder: Path) -> bool:
    """Whether a download has kept 8 tiles in a folder's cache and waits for the 4 that are held."""
    return server.running >= 4 and len(list((folder / "cache").rglob("*.tile"))) == 8
