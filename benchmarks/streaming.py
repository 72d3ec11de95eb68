"""Searching in pieces: memory for a large image, and speed of searching during a download."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from benchmarks.memory import resident_mb, start_counting
from benchmarks.timing import Effort, shortest
from shipdet.detect import detect
from shipdet.gdal import gdal_env
from shipdet.imagery import arriving, download, get_provider, plan
from shipdet.models import load_classifier
from shipdet.mosaic import Picture
from shipdet.pipeline import iter_image
from shipdet.progress import finish
from shipdet.requests import ImageRequest, Search
from shipdet.settings import Settings
from tests.helpers import PROJECT
from tests.helpers.painted import paint_ship, sea
from tests.helpers.tile_server import TileServer

GSD_M = 240 / 224
PATCH_PX = 1024
STRIP_PX = 512


def large_picture(effort: Effort) -> dict[str, float]:
    """Search a large GeoTIFF in a separate process.

    Returns:
        Size, ``ships`` and ``seconds`` of the run; ``peak_mb``, its peak memory above that of the
        loaded model; ``held_mb``, the memory of the whole image with its coverage.
    """
    side = str(effort.streamed_px)
    command = [sys.executable, "-m", "benchmarks.streaming", side, side]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT)
    figures: dict[str, float] = json.loads(output.stdout.splitlines()[-1])
    return figures


def child(width: int, height: int) -> None:
    """Search a generated GeoTIFF in pieces and print the figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.tif")
        write_picture(path, width, height)
        settings = Settings(runs_dir=Path(folder, "runs"), max_held_pixels=1_000_000)
        load_classifier(device="cpu", settings=settings)
        before = start_counting()
        start = time.perf_counter()
        request = ImageRequest(search=Search(image_format="jpg"))
        run = finish(iter_image(path, request, settings=settings))
        figures = {
            "width_px": width,
            "height_px": height,
            "peak_mb": round(resident_mb("VmHWM") - before),
            "held_mb": round(width * height * 4 / 1024**2),
            "seconds": round(time.perf_counter() - start, 1),
            "ships": len(run.detections),
        }
    print(json.dumps(figures))


def write_picture(path: Path, width: int, height: int) -> None:
    """Write a GeoTIFF that repeats a patch of sea with two ships."""
    patch = sea(PATCH_PX, PATCH_PX)
    for x, y, length, axis in ((300, 250, 180, 30), (700, 750, 240, 100)):
        paint_ship(patch, GSD_M, (x * GSD_M, y * GSD_M), length, length / 6.5, axis)
    columns, rows = np.arange(width) % PATCH_PX, np.arange(height) % PATCH_PX
    with gdal_env(), rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=3, dtype="uint8", tiled=True,
        crs="EPSG:32631", transform=from_origin(500_000, 5_700_000, GSD_M, GSD_M),
        photometric="RGB",
    ) as dataset:  # fmt: skip
        for top in range(0, height, STRIP_PX):
            part = rows[top : top + STRIP_PX]
            strip = patch[part[:, None], columns[None, :]]
            window = Window(0, top, width, len(part))
            dataset.write(np.moveaxis(strip, -1, 0), window=window)


def overlapped(effort: Effort) -> float:
    """Return the time of a download followed by a search, over that of both at once.

    The server is set to be as slow as the search: if either is much slower, the ratio is 1.
    """
    rows, columns = effort.arriving_rows, 4  # several canvases, one below the other
    classifier = load_classifier(device="cpu")
    with (
        TileServer(np.tile(sea(512, 512), (rows // 2, columns // 2, 1)), zoom=17) as server,
        tempfile.TemporaryDirectory() as folder,
    ):

        def settings() -> Settings:
            """Return settings with a new, empty cache."""
            return Settings(
                xyz_url=server.url_template, cache_dir=Path(tempfile.mkdtemp(dir=folder))
            )

        def searched(picture: Picture) -> None:
            finish(detect(picture, classifier, floor=0.5))

        def sequential() -> None:
            chosen = settings()
            searched(finish(download(server.bbox, 17, get_provider("xyz", chosen), None, chosen)))

        def overlapping() -> None:
            chosen = settings()
            planned = plan(server.bbox, 17, get_provider("xyz", chosen), 0, chosen)
            with arriving(planned, None, chosen) as arrival:
                finish(arrival.begin())
                searched(arrival.picture)
                finish(arrival.finish())

        chosen = settings()
        held = finish(download(server.bbox, 17, get_provider("xyz", chosen), None, chosen))
        took = shortest({"search": lambda: searched(held)}, 1)["search"]
        server.delay_s = 4 * took / (rows * columns)  # four connections share the tiles
        times = shortest({"sequential": sequential, "overlapping": overlapping}, effort.rounds)
    return times["sequential"] / times["overlapping"]


if __name__ == "__main__":
    child(int(sys.argv[1]), int(sys.argv[2]))
