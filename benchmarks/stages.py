"""Profile a whole search by stage.

    python -m benchmarks.stages [--backend NAME] [--width PX] [--json FILE]

Searches the sample harbor at 3 m per pixel with a loaded model and prints the seconds of each
stage. Indented stages are part of the stage above. The work of other threads, such as those of GDAL
and of the network, counts for the stage that waits for them.
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
    """A stage and its function, identified by name and by the end of the path of its file."""

    title: str
    file: str
    function: str


STAGES = (
    Stage("loading models", "pipeline/searching.py", "_load"),
    Stage("survey", "detect/surveying.py", "survey"),
    Stage("  cutting and resampling canvases", "detect/view.py", "cut"),
    Stage("  network", "_runtime.py", "survey"),
    Stage("  candidates of a canvas", "detect/surveying.py", "_candidates"),
    Stage("  map of water and hulls", "detect/surveying.py", "_keep_layers"),
    Stage("  suppressing duplicates", "detect/candidates.py", "suppressed"),
    Stage("describing ships", "detect/detector.py", "_detection"),
    Stage("image, preview, overlay, crops", "report/raster.py", "write_picture"),
    Stage("GeoTIFF", "report/raster.py", "write_geotiff"),
    Stage("drawing the overlay", "report/drawing.py", "draw_overlay"),
    Stage("cutting crops", "report/drawing.py", "crop_ship"),
)


def stages(backend: str, width: int) -> dict[str, float]:
    """Return the seconds by stage, in order of printing, the total ``all``, and ``ships``."""
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
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--backend", default="", help="default: the configured backend")
    parser.add_argument("--width", type=int, default=2393, help="width of the image in pixels")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    found = stages(options.backend, options.width)
    for title, value in found.items():
        print(f"{title:34s} {value:8.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
