"""Measure all figures of docs/performance.md in one run.

    python -m benchmarks.run [--quick | --tiny] [--against CHECKOUT] [--cluster FILE]
        [--json FILE] [--table FILE]

``--against`` also measures an older checkout, and ``--cluster`` adds the output of
benchmarks.cluster. ``--quick`` takes a few minutes on two cores. ``--tiny`` only tests that the
benchmarks run; its figures are meaningless. OMP_NUM_THREADS sets the number of threads of all
candidates.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import (
    backends,
    before,
    fetching,
    machine,
    scoring,
    search_time,
    selective,
    startup,
    streaming,
    upscaling,
)
from benchmarks.table import rounded, table
from benchmarks.timing import EFFORTS, Effort

T = TypeVar("T")


def measure(effort: Effort, against: Path | None = None) -> dict[str, Any]:
    """Run all benchmarks.

    Args:
        effort: Sizes and rounds.
        against: An older checkout to compare with.

    Returns:
        ``ratios``, ``further`` figures, and the ``machine``. If several backends do the same work,
        the ratio is that of the fastest; ``further`` contains its name and the ratios of all.
    """
    here = machine.machine()
    ratios: dict[str, float] = {}
    further: dict[str, float | str] = {}

    def better(name: str, of_backends: dict[str, float]) -> None:
        best = max(of_backends, key=lambda backend: of_backends[backend])
        ratios[name] = of_backends[best]
        further[f"{name}_backend"] = best
        further.update({f"{name}_{backend}": value for backend, value in of_backends.items()})

    better("dense_vs_naive", _logged(scoring.dense_vs_naive, effort))
    better("dense_vs_exact", _logged(scoring.dense_vs_exact, effort))
    upscaled = _logged(upscaling.upscale_vs_realesrganer, effort)
    better("upscale_vs_realesrganer", {name: ratio["speed"] for name, ratio in upscaled.items()})
    # The memory belongs to the backend whose speed is reported.
    chosen = str(further["upscale_vs_realesrganer_backend"])
    further["upscale_memory"] = upscaled[chosen]["memory"]
    for name, figure in (
        ("classifier", backends.vs_torch_classifier),
        ("upscaler", backends.vs_torch_upscaler),
    ):
        faster = _logged(figure, effort)
        ratios[f"openvino_vs_torch_{name}"] = faster["openvino"]
        further[f"onnx_vs_torch_{name}"] = faster["onnx"]
    ratios["search_vs_pass"] = _logged(search_time.search_vs_pass, effort)
    further["first_ships"] = _logged(search_time.first_ships, effort)
    if against is not None:
        further["sample_vs_before"] = _logged(before.sample_vs_before, effort, against)
        further["large_vs_before"] = _logged(before.large_vs_before, effort, against)
    parts = _logged(selective.selective_vs_whole, effort)
    further |= {f"selective_{name}": value for name, value in parts.items()}
    fetched = _logged(fetching.fetch_parallel, effort)
    ratios["fetch_parallel"] = fetched["speed"]
    further["fetch_again_requests"] = fetched["requests"]
    further["overlap"] = _logged(streaming.overlapped, effort)
    large = _logged(streaming.large_picture, effort)
    further |= {f"large_{name}": value for name, value in large.items()}
    further["import_s"] = startup.import_seconds()
    further |= {f"page_{name}": value for name, value in startup.page_starts(effort).items()}
    again = startup.second_detection(effort)
    further |= {f"detection_{name}": value for name, value in again.items()}
    return {
        "ratios": rounded(ratios, 3),
        "further": rounded(further, 3),
        "effort": effort.name,
        "machine": here,
    }


def _logged(figure: Callable[..., T], *given: object) -> T:
    print(f"{figure.__name__} ...", flush=True)
    value = figure(*given)
    print(f"  {value}", flush=True)
    return value


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    how = parser.add_mutually_exclusive_group()
    for name in ("quick", "tiny"):
        how.add_argument(f"--{name}", dest="effort", action="store_const", const=name)
    parser.set_defaults(effort="full")
    parser.add_argument("--against", type=Path, help="also measure this older checkout")
    parser.add_argument("--cluster", type=Path, help="JSON file of benchmarks.cluster")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--table", type=Path, help="write the table to this file")
    parser.add_argument(
        "--from", dest="known", type=Path, help="read the figures from this JSON file instead"
    )
    options = parser.parse_args(arguments)
    if options.known:
        figures = json.loads(options.known.read_text())
    else:
        against = options.against.resolve() if options.against else None
        figures = measure(EFFORTS[options.effort], against)
    if options.cluster:
        cluster = json.loads(options.cluster.read_text())
        figures["further"]["cluster_two"] = cluster["speed_of_two"]
    text = table(figures)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    if options.table:
        options.table.write_text(text)


if __name__ == "__main__":
    main()
