"""Speed of whole searches relative to an older checkout, each in a separate process.

    python -m benchmarks.before CHECKOUT [--side 20480]

prints the seconds of each stage of both checkouts: for the sample, for the sample harbor as an
image at 3 m per pixel, and for a large GeoTIFF of ``--side`` pixels.

Each checkout uses its own weights and defaults. The older one must have ``iter_area`` and
``iter_image`` in ``shipdet.pipeline``, or ``detect_area`` and ``detect_image``, their names until
2026-11-28.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.search_time import GSD_M, harbor
from benchmarks.streaming import write_picture
from benchmarks.timing import Effort
from tests.helpers import PROJECT

SAMPLE = (-0.70, 0.057, -0.67, 0.077)  # most of the sample, the same in every checkout

#: Prints, as JSON, the seconds by stage of the fastest search; excludes the first, which loads the
#: models, if there are more. ``wall`` is measured here, the others by the pipeline.
_SEARCH = """
import json, sys, tempfile, time
from pathlib import Path
try:
    from shipdet.pipeline import iter_area, iter_image
except ImportError:
    from shipdet.pipeline import detect_area as iter_area, detect_image as iter_image
from shipdet.progress import finish
from shipdet.requests import AreaRequest, ImageRequest, Search
from shipdet.settings import Settings

what, gsd_m, rounds = json.loads(sys.argv[1])
taken = []
for _ in range(rounds):
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(runs_dir=Path(folder))
        if isinstance(what, str):
            request = ImageRequest(gsd_m=gsd_m, search=Search(image_format="jpg"))
            steps = iter_image(Path(what), request, settings=settings)
        else:
            steps = iter_area(AreaRequest(bbox=what, provider="sample", zoom=16), settings=settings)
        start = time.perf_counter()
        run = finish(steps)
        taken.append({**run.record["timings"], "wall": time.perf_counter() - start})
print(json.dumps(min(taken[1:] or taken, key=lambda stages: stages["wall"])))
"""


def sample_vs_before(effort: Effort, against: Path) -> float:
    """Return the speedup over the other checkout of a search of the sample, with loaded models."""
    area = effort.part(SAMPLE)
    best = dict.fromkeys((against, PROJECT), float("inf"))
    for _ in range(effort.rounds):
        for checkout in best:
            best[checkout] = min(best[checkout], _seconds(checkout, area, effort.searches))
    return best[against] / best[PROJECT]


def large_vs_before(effort: Effort, against: Path) -> float:
    """Return the speedup of one search of a large GeoTIFF, including loading the model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.tif")
        write_picture(path, effort.streamed_px, effort.streamed_px)
        taken = dict.fromkeys((against, PROJECT), 0.0)
        for checkout in taken:
            taken[checkout] = _seconds(checkout, str(path), 1)
    return taken[against] / taken[PROJECT]


def stages(against: Path, side: int) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield work, checkout ("before" or "now") and seconds by stage, as soon as measured."""
    with tempfile.TemporaryDirectory() as folder:
        image, large = Path(folder, "harbor.png"), Path(folder, "large.tif")
        Image.fromarray(harbor(2393, 1437)).save(image)
        write_picture(large, side, side)
        work: dict[str, tuple[object, float | None, int]] = {
            "sample": (SAMPLE, None, 3),
            "harbor": (str(image), GSD_M, 3),
            "large": (str(large), None, 1),
        }
        for name, given in work.items():
            for title, checkout in (("before", against), ("now", PROJECT)):
                yield name, title, _stages(checkout, *given)


def _seconds(checkout: Path, what: object, rounds: int) -> float:
    return float(_stages(checkout, what, None, rounds)["wall"])


def _stages(checkout: Path, what: object, gsd_m: float | None, rounds: int) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-c", _SEARCH, json.dumps((what, gsd_m, rounds))],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.before", description=__doc__)
    parser.add_argument("checkout", type=Path, help="the older checkout")
    parser.add_argument("--side", type=int, default=20_480, help="of the large GeoTIFF, in pixels")
    options = parser.parse_args()
    for work, title, seconds in stages(options.checkout, options.side):
        taken = (f"{name} {value:.2f}" for name, value in seconds.items())
        print(work, title, *taken, flush=True)


if __name__ == "__main__":
    main()
