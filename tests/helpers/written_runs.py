"""Runs on disk, made without a search."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from shipdet.detections import Detection, Detections
from shipdet.geometry import Grid, rectangle
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from shipdet.report import Clock, Run, imagery_record, read_run, write_imagery, write_results
from tests.helpers.painted import sea, tile_grid

#: x, y in pixels, length in meters, score
SHIPS = ((60.0, 60.0, 120.0, 0.95), (160.0, 90.0, 60.0, 0.7), (230.0, 120.0, 12.0, 0.8),
         (100.0, 150.0, 90.0, 0.3))  # fmt: skip


def found(grid: Grid, ships=SHIPS) -> Detections:
    items = []
    ordered = sorted(ships, key=lambda ship: -ship[3])
    for number, (x, y, length_m, score) in enumerate(ordered, start=1):
        corners = rectangle((x, y), length_m / grid.gsd_m, length_m / grid.gsd_m / 5, 30.0)
        ship = Detection(number, score, x, y, corners, length_m, length_m / 5, 30.0)
        if grid.georeferenced:
            lon, lat = grid.lonlat([[x, y]])[0]
            outline = grid.lonlat(corners)
            ship = replace(ship, lon=float(lon), lat=float(lat), corners_lonlat=outline)
        items.append(ship)
    return Detections(tuple(items), 0.1)


def write_run(
    folder: Path,
    ships=SHIPS,
    placed: bool = True,
    min_length_m: float = 25.0,
    lon: float = 4.1,
    grid: Grid | None = None,
) -> Run:
    """A run of 300 x 200 pixels with two ships, one small craft and one weak candidate."""
    folder.mkdir(parents=True)
    if grid is None:
        grid = tile_grid(300, 200, 16, lon) if placed else Grid(300, 200, 1.5, 1.5)
    source = Provenance("esri", "Test tiles", "Test data")
    mosaic = Mosaic(sea(300, 200), grid, np.ones((200, 300), np.bool_), source)
    files = finish(write_imagery(folder, mosaic, None, "png", 90))
    inputs = {"bbox": [4.0, 51.0, 4.1, 51.1], "zoom": 16} if placed else {"image": "scene.png"}
    record = imagery_record(mosaic, 1.0, None, inputs, (), Clock())
    record |= {"files": files, "min_length_m": min_length_m}
    finish(write_results(folder, record, found(grid, ships), 0.5))
    return read_run(folder)
