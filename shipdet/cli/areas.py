"""The areas of ``shipdet detect``: a box, a file of areas or the sample, one after the other."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from shipdet.areas import Area
from shipdet.cli.parameters import given, search_of
from shipdet.cli.progress import shown
from shipdet.errors import BadArea, ShipdetError
from shipdet.geometry import four_numbers
from shipdet.requests import AreaRequest, ImageryOptions

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
        help="The day of dated imagery; same as --date-from and --date-to.",
        rich_help_panel="Imagery",
    ),
]

Named = tuple[str, AreaRequest]


class SomeAreasFailed(ShipdetError):
    """Some of several areas could not be searched."""


def requests_of(
    bbox: tuple[str, ...] | None,
    file: Path | None,
    is_sample: bool,
    day: str | None,
    options: dict[str, Any],
) -> list[Named]:
    """A request for each area, with the area's name; a single area has no name.

    Raises:
        BadArea: Not exactly one of box, file and sample was given, or an area cannot be read.
        BadOption: Another value is wrong.
    """
    if [bbox is not None, file is not None, is_sample].count(True) != 1:
        raise BadArea(
            "Give one area with --bbox WEST SOUTH EAST NORTH, --area FILE or --sample, or the file "
            "of an image."
        )
    imagery = {n: v for n, v in given(options).items() if n in ImageryOptions.model_fields}
    if day is not None:
        imagery |= {"date_from": day, "date_to": day}
    from shipdet import pipeline

    if is_sample:
        from shipdet.imagery import sample

        imagery["provider"] = "sample"
        areas = [("", Area(sample.bbox()))]
    else:
        value = file if bbox is None else list(four_numbers(" ".join(bbox)))
        areas = pipeline.areas_of(value)
    return pipeline.requests_for(areas, search_of(options), imagery)


def search_one(
    request: AreaRequest, out: Path | None, quiet: bool, ais: str | None, acquired: str | None
) -> Any:
    """The run of one area; its AIS file is read before anything is fetched."""
    from shipdet import pipeline

    contacts = None
    if ais is not None:
        contacts = pipeline.ais_of_area(request, ais, acquired)
    run = shown(pipeline.iter_area(request, out=out), quiet)
    return run if contacts is None else pipeline.match_ais(run, contacts)


def search_all(
    requests: list[Named],
    out: Path | None,
    quiet: bool,
    ais: str | None,
    acquired: str | None,
    json_: bool,
) -> None:
    """Search several areas and print a line for each; one that fails does not stop the others.

    With ``out`` a summary is written into it, as for a batch of images.

    Raises:
        SomeAreasFailed: At least one failed.
    """
    from shipdet.report import BatchImage, check_new, write_summary

    if out is not None:
        check_new(out)
    outcomes: list[dict[str, Any]] = []
    done: list[BatchImage] = []
    failed = 0
    for number, (name, request) in enumerate(requests, start=1):
        if not quiet:
            print(f"{name} ({number} of {len(requests)})", file=sys.stderr)
        try:
            run = search_one(request, out and out / name, quiet, ais, acquired)
        except ShipdetError as error:
            failed += 1
            done.append(BatchImage(Path(name), None, None, str(error), {}))
            outcomes.append({"name": name, "error": str(error), "kind": type(error).__name__})
            print(f"{name}: {error}", file=sys.stderr)
            continue
        done.append(BatchImage(Path(name), run.folder, run, "", {}))
        found = len(run.detections)
        outcomes.append({"name": name, "folder": str(run.folder), "ships": found})
        if not json_:
            print(f"{name}: {found} ship{'s' * (found != 1)} in {run.folder}")
    if out is not None:
        write_summary(out, done)
    if json_:
        print(
            json.dumps({"ships": sum(one.get("ships", 0) for one in outcomes), "areas": outcomes})
        )
    if failed:
        raise SomeAreasFailed(f"{failed} of {len(requests)} areas could not be searched.")
