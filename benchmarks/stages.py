"""Where the time of a whole search goes, by stage.

    python -m benchmarks.stages [--backend NAME] [--width PX] [--json FILE]

Searches the sample harbor at 3 m per pixel with a loaded model and prints the seconds of each
stage. A stage that another one contains is indented. Threads beside the search, such as GDAL's
and the network's, are in the time of the stage that waits for them.
"""

import argparse
import cProfile
import json
import pstats
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.search_time import harbor, searched


class Stage(NamedTuple):
    """A stage and the function that does it: the end of its file's path, and its name."""

    title: str
    file: str
    function: str


STAGES = (
    Stage("models", "pipeline/searching.py", "_load"),
    Stage("survey", "detect/surveying.py", "survey"),
    Stage("  canvases cut and resampled", "detect/view.py", "cut"),
    Stage("  network", "_runtime.py", "survey"),
    Stage("  candidates of a canvas", "detect/surveying.py", "_candidates"),
    Stage("  map of water and hulls", "detect/surveying.py", "_keep_layers"),
    Stage("  each ship once", "detect/candidates.py", "suppressed"),
    Stage("ships described", "detect/detector.py", "_detection"),
    Stage("image, preview, overlay, crops", "report/raster.py", "write_picture"),
    Stage("GeoTIFF", "report/raster.py", "write_geotiff"),
    Stage("overlay drawn", "report/drawing.py", "draw_overlay"),
    Stage("crops cut", "report/drawing.py", "crop_ship"),
)


def stages(backend: str, width: int) -> dict[str, float]:
    """Seconds by stage, in the order in which they are printed, and ``all``."""
    pixels = harbor(width, width * 3 // 5)
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        searched(pixels, Path(folder), backend)
        profile.enable()
        run = searched(pixels, Path(folder), backend)
        profile.disable()
    calls: dict[tuple[str, int, str], Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found = {
        stage.title: sum(
            entry[3]
            for (file, _, name), entry in calls.items()
            if file.endswith(stage.file) and name == stage.function
        )
        for stage in STAGES
    }
    return found | {"all": run.record["timings"]["all"], "ships": len(run.detections)}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write the requested file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--backend", default="", help="the configured one unless given")
    parser.add_argument("--width", type=int, default=2393, help="of the picture in pixels")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)
    found = stages(options.backend, options.width)
    for title, value in found.items():
        print(f"{title:34s} {value:8.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
