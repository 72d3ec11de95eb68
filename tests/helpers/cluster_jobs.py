"""Jobs on a scene of the tile server, and what is compared of them."""

from pathlib import Path
from typing import Any

import numpy as np

from shipdet import pipeline
from shipdet.cluster import submit
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store import queries
from shipdet.cluster.store.job_store import Store
from shipdet.progress import finish
from shipdet.report import Run
from shipdet.settings import Settings
from tests.helpers.tile_server import TileServer


def job(tiles: TileServer, name: str, x: float, y: float, width: int, height: int) -> JobMessage:
    """A job for a rectangle of the scene's pixels."""
    box = tiles.bbox_of(x, y, x + width, y + height)
    return JobMessage.of(
        {"version": 2, "name": name, "area": list(box.as_tuple()), "zoom": tiles.zoom}
    )


def wait_for(store: Store, ids: list[str]) -> dict[str, dict[str, Any]]:
    return list(submit.wait(store, ids))[-1]


def directly(message: JobMessage, folder: Path, settings: Settings) -> Run:
    """What the pipeline gives for a job's area as one picture."""
    assert message.zoom is not None
    request = message.request(message.parsed_area.box.as_tuple(), message.zoom)
    return finish(pipeline.iter_area(request, out=folder, settings=settings))


def ships(store: Store, id: str) -> list[dict[str, Any]]:
    return [row["properties"] for row in queries.show_job(store, id)["detections"]]


def unmatched(some: list[tuple[float, float]], others: list[tuple[float, float]], px: float) -> int:
    """How many of some have no partner of their own among the others within px."""
    left = list(others)
    lonely = 0
    for x, y in some:
        near = [o for o in left if np.hypot(o[0] - x, o[1] - y) <= px]
        if near:
            left.remove(min(near, key=lambda o: np.hypot(o[0] - x, o[1] - y)))
        else:
            lonely += 1
    return lonely


def snapshot(store: Store) -> list[dict[str, Any]]:
    """Everything that is known of completed jobs."""
    done = store.database.rows("SELECT id FROM jobs WHERE status = 'completed' ORDER BY id")
    return [queries.show_job(store, row["id"]) for row in done]


def assert_same_ships(store: Store, message: JobMessage, folder: Path, settings: Settings) -> int:
    """A job of one block has exactly the pipeline's ships; returns how many."""
    run = directly(message, folder, settings)
    mine = [(s["x"], s["y"]) for s in ships(store, message.id)]
    theirs = [(d.x, d.y) for d in run.detections]
    assert len(mine) == len(theirs), message.name
    assert unmatched(mine, theirs, 1.0) == 0, message.name
    return len(mine)
