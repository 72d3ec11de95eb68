"""Speed of whole searches relative to an older checkout, each in a separate process.

Each checkout uses its own weights and defaults. The older one must have ``iter_area`` and
``iter_image`` in ``shipdet.pipeline``, or ``detect_area`` and ``detect_image``, their names until
2026-11-28.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.streaming import write_picture
from benchmarks.timing import Effort
from tests.helpers import PROJECT

SAMPLE = (-0.70, 0.04, -0.67, 0.06)  # most of the sample, covered by every checkout

#: Prints the seconds of the fastest search, excluding the first (model loading) if there are more.
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

what, rounds = json.loads(sys.argv[1]), int(sys.argv[2])
taken = []
for _ in range(rounds):
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(runs_dir=Path(folder), max_held_pixels=1_000_000)
        if isinstance(what, str):
            request = ImageRequest(search=Search(image_format="jpg"))
            steps = iter_image(Path(what), request, settings=settings)
        else:
            steps = iter_area(AreaRequest(bbox=what, provider="sample", zoom=16), settings=settings)
        start = time.perf_counter()
        finish(steps)
        taken.append(time.perf_counter() - start)
print(min(taken[1:] or taken))
"""


def sample_vs_before(effort: Effort, against: Path) -> float:
    """Return the speedup over the other checkout of a search of the sample, with loaded models."""
    best = dict.fromkeys((against, PROJECT), float("inf"))
    for _ in range(effort.rounds):
        for checkout in best:
            best[checkout] = min(best[checkout], _seconds(checkout, SAMPLE, effort.searches))
    return best[against] / best[PROJECT]


def large_vs_before(effort: Effort, against: Path) -> float:
    """Return the speedup of one search of a large GeoTIFF, including loading the model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.tif")
        write_picture(path, effort.streamed_px, effort.streamed_px)
        before, now = (_seconds(checkout, str(path), 1) for checkout in (against, PROJECT))
    return before / now


def _seconds(checkout: Path, what: object, rounds: int) -> float:
    ran = subprocess.run(
        [sys.executable, "-c", _SEARCH, json.dumps(what), str(rounds)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(ran.stdout.splitlines()[-1])
