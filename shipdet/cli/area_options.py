"""The areas of a command: a box, an area file or the sample."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from shipdet.areas import SIDES, Area
from shipdet.cli.parameters import PartFailed, box_of, fields_of, search_of
from shipdet.errors import BadArea, BadOption, ShipdetError
from shipdet.requests import AreaRequest, ImageryOptions

if TYPE_CHECKING:
    from shipdet.report import Run

AreaFile = Annotated[
    Path | None,
    typer.Option(
        "--area",
        metavar="FILE",
        help="Areas from GeoJSON, KML, KMZ, GeoPackage, WKT or CSV, searched one after the other.",
        rich_help_panel="Imagery",
    ),
]
Sample = Annotated[
    bool,
    typer.Option(
        "--sample", help="Search the built-in synthetic harbor.", rich_help_panel="Imagery"
    ),
]
Day = Annotated[
    str | None,
    typer.Option(
        "--date",
        metavar="YYYY-MM-DD",
        help="Day of dated imagery; sets --date-from and --date-to.",
        rich_help_panel="Imagery",
    ),
]

Named = tuple[str, AreaRequest]


class Outcome(NamedTuple):
    """The run of an area, its counts, and a line of text with them."""

    run: "Run"
    counts: dict[str, int]
    line: str


def requests_of(
    bbox: tuple[str, ...] | None,
    file: Path | None,
    is_sample: bool,
    day: str | None,
    options: dict[str, Any],
) -> list[Named]:
    """Return a request for each area, with the area's name; a single area has no name.

    Raises:
        BadArea: Not exactly one of box, file and sample was given, or an area cannot be read.
        BadOption: Another value is invalid, or two options conflict.
    """
    if [bbox is not None, file is not None, is_sample].count(True) != 1:
        raise BadArea(
            "Give one area with --bbox WEST SOUTH EAST NORTH, --area FILE or --sample, or an image "
            "file."
        )
    imagery = fields_of(ImageryOptions, options)
    if is_sample and "provider" in imagery:
        raise BadOption("--sample has its own imagery: leave out --provider.")
    if day is not None:
        if imagery.keys() & {"date_from", "date_to"}:
            raise BadOption("Give --date, or --date-from and --date-to.")
        imagery |= {"date_from": day, "date_to": day}
    from shipdet import pipeline

    if is_sample:
        from shipdet.imagery import sample

        imagery["provider"] = "sample"
        areas = [("", Area(sample.bbox()))]
    else:
        areas = pipeline.areas_of(file if bbox is None else box_of(bbox))
    return pipeline.requests_for(areas, search_of(options), imagery)


def each_area(
    requests: list[Named],
    out: Path | None,
    quiet: bool,
    json_: bool,
    one: Callable[..., Outcome],
    counted: Sequence[str],
    *,
    summary: bool = False,
) -> None:
    """Process several areas and print a line for each; a failure does not stop the others.

    Args:
        requests: The areas with their names.
        out: New or empty folder for a folder per area; None for the runs folder.
        quiet: Do not print the current area.
        json_: Print one JSON document instead of lines.
        one: Processes a request and writes to a folder.
        counted: Names of the counts.
        summary: Write a summary of the ships into ``out``, as for a batch of images.

    Raises:
        PartFailed: At least one area failed.
    """
    from shipdet.report import BatchImage, check_new, write_summary

    if out is not None:
        check_new(out)
    if not quiet and any(name.endswith(SIDES) for name, _ in requests):
        print("An area crosses the antimeridian: its two sides are separate runs.", file=sys.stderr)
    outcomes: list[dict[str, Any]] = []
    images: list[BatchImage] = []
    totals = Counter(dict.fromkeys(counted, 0))
    failed = 0
    for number, (name, request) in enumerate(requests, start=1):
        if not quiet:
            print(f"{name} ({number} of {len(requests)})", file=sys.stderr)
        try:
            run, counts, line = one(request, out and out / name)
        except ShipdetError as error:
            failed += 1
            images.append(BatchImage(Path(name), None, None, str(error)))
            outcomes.append({"name": name, "error": str(error), "kind": type(error).__name__})
            print(f"{name}: {error}", file=sys.stderr)
            continue
        images.append(BatchImage(Path(name), run.folder, run, ""))
        totals.update(counts)
        outcomes.append({"name": name, "folder": str(run.folder), **counts})
        if not json_:
            print(f"{name}: {line} in {run.folder}")
    if summary and out is not None:
        write_summary(out, images)
    if json_:
        print(json.dumps({**totals, "areas": outcomes}))
    if failed:
        raise PartFailed(f"{failed} of {len(requests)} areas failed.")
