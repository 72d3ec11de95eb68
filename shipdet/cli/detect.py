"""``shipdet detect`` and ``shipdet download``."""

import json
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from shipdet.cli.ais import Acquired, File, lines
from shipdet.cli.area_options import AreaFile, Day, Outcome, Sample, each_area, requests_of
from shipdet.cli.parameters import (
    AsJson,
    Box,
    Out,
    PartFailed,
    Quiet,
    Save,
    box_of,
    fields_of,
    flag,
    search_of,
    ship_in_words,
    typed,
)
from shipdet.cli.progress_bar import shown
from shipdet.errors import BadOption
from shipdet.options import with_options
from shipdet.requests import NOT_DOWNLOADED, AreaRequest, ImageRequest, ImageryOptions, Search
from shipdet.words import number_of

TILES = ("tiles", "cached", "missing")  # the counts of a download


@with_options(AreaRequest, ImageRequest, Search, style=typed)
def detect(
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[IMAGE]...",
            show_default=False,
            help="PNG, JPEG or GeoTIFF files, folders of them, or patterns such as 'scans/*.tif'.",
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option("--image", metavar="FILE", help="Same as IMAGE.", rich_help_panel="Image"),
    ] = None,
    bbox: Box = None,
    area: AreaFile = None,
    sample: Sample = False,
    date: Day = None,
    ais: File = None,
    acquired: Acquired = None,
    out: Out = None,
    save: Save = None,
    quiet: Quiet = False,
    json_: AsJson = False,
    **options: Any,
) -> None:
    """Find the ships in an area of the map or in images.

    Several images form one batch: --out contains a run folder for each, and a summary. To continue
    an interrupted batch, run the same command again.

    [bold]Examples[/bold]

    shipdet detect harbor.tif

    shipdet detect scene.png --gsd 3 --threshold 0.6 --out scene --save ships.gpkg

    shipdet detect pictures/*.tif --out found

    shipdet detect --bbox -5.44 36.12 -5.40 36.14 --provider esri --out algeciras

    shipdet detect --bbox -5.44 36.12 -5.40 36.14 --provider sentinel2 --date 2024-05-01

    shipdet detect --area ports.kml --provider esri --out ports

    shipdet detect --sample --ais sample
    """
    from shipdet import pipeline
    from shipdet.report import exports

    if save is not None:
        exports.check_target(save)  # fails before the search, not after it
    sources = [*(images or []), *([image] if image else [])]
    if sources and (bbox is not None or area is not None or sample):
        raise BadOption("Give an area or an image, not both.")
    if acquired is not None and ais is None:
        raise BadOption("--acquired is the time at which --ais is matched: give both.")
    if sources:
        dated = [] if date is None else ["date"]
        _refuse([*dated, *fields_of(ImageryOptions, options)], "areas, not for images")
        own = fields_of(ImageRequest, options)
        request = ImageRequest.check(search=search_of(options), **own)
        files = pipeline.find_images(sources)
        if len(files) > 1 or sources[0].is_dir():
            if ais is not None:
                raise BadOption("Match the runs of a batch one by one with `shipdet ais`.")
            _one_only(save)
            _batch(files, request, out, quiet, json_)
            return
        contacts = None
        if ais is not None:  # before the search, so that a useless file costs no time
            contacts = pipeline.ais_of_image(
                pipeline.inspect_image(files[0], request), ais, acquired
            )
        run = shown(pipeline.iter_image(files[0], request, out=out), quiet)
        if contacts is not None:
            run = pipeline.match_ais(run, contacts)
    else:
        requests = requests_of(bbox, area, sample, date, options)
        _refuse(fields_of(ImageRequest, options), "images, not for areas")
        if len(requests) > 1:
            _one_only(save)
            one = partial(_searched, quiet=quiet, ais=ais, acquired=acquired)
            each_area(requests, out, quiet, json_, one, ["ships"], summary=True)
            return
        run = _searched(requests[0][1], out, quiet, ais, acquired).run
    if save is not None:
        run.save(save)
    if json_:
        print(json.dumps({"folder": str(run.folder), **run.record}))
        return
    for note in run.notes:
        print(note, file=sys.stderr)
    found, small = run.detections, run.small_craft
    also = f", and {len(small)} small craft" if len(small) else ""
    print(f"{number_of(len(found), 'ship')} above {run.threshold:g}{also} in {run.folder}")
    for ship in found:
        print(ship_in_words(ship))
    if "ais" in run.record:
        print("\n".join(lines(run)))
    if save is not None:
        print(f"saved to {save}")


def _refuse(names: Iterable[str], meant_for: str) -> None:
    """Raise BadOption for the first option that does not apply."""
    for name in names:
        raise BadOption(f"{flag(name)} is for {meant_for}.")


def _one_only(save: Path | None) -> None:
    """Raise BadOption for --save: several searches write a summary instead."""
    if save is not None:
        raise BadOption(
            "--save accepts one image or area only: for several, use ships.csv and ships.gpkg in "
            "--out."
        )


def _searched(
    request: AreaRequest, out: Path | None, quiet: bool, ais: str | None, acquired: str | None
) -> Outcome:
    """Search an area; the AIS file is read before any imagery is fetched."""
    from shipdet import pipeline

    contacts = None
    if ais is not None:
        contacts = pipeline.ais_of_area(request, ais, acquired)
    run = shown(pipeline.iter_area(request, out=out), quiet)
    if contacts is not None:
        run = pipeline.match_ais(run, contacts)
    found = len(run.detections)
    return Outcome(run, {"ships": found}, number_of(found, "ship"))


def _batch(
    files: list[Path], request: ImageRequest, out: Path | None, quiet: bool, json_: bool
) -> None:
    from shipdet import pipeline

    if out is None:
        raise BadOption("Give a folder for the results of several images with --out DIR.")
    batch = shown(pipeline.iter_images(files, request, out), quiet)
    if json_:
        images = [image.row() for image in batch.images]
        print(json.dumps({"folder": str(out), "ships": batch.ships, "images": images}))
    else:
        for image in batch.images:
            print(f"{image.title}: {image.error or number_of(image.ships or 0, 'ship')}")
        print(f"{number_of(batch.ships, 'ship')} in {len(files)} images; open {out / 'index.html'}")
        if batch.ships and not (out / "ships.gpkg").exists():
            print("ships.gpkg is not written: no image with ships has a georeference")
    if batch.failed:
        raise PartFailed(
            f"{len(batch.failed)} of {len(files)} images could not be searched: see "
            f"{out / 'summary.csv'}."
        )


@with_options(AreaRequest, Search, leave_out=NOT_DOWNLOADED, style=typed)
def download(
    bbox: Box = None,
    out: Out = None,
    quiet: Quiet = False,
    json_: AsJson = False,
    **options: Any,
) -> None:
    """Download the imagery of an area without searching it.

    For an area across the antimeridian, --out contains a folder for each side.

    [bold]Example[/bold]

    shipdet download --bbox -5.44 36.12 -5.40 36.14 --provider eox --zoom 14 --out pictures
    """
    from shipdet import pipeline

    areas = pipeline.areas_of(box_of(bbox))
    requests = pipeline.requests_for(areas, search_of(options), fields_of(ImageryOptions, options))
    if len(requests) > 1:
        each_area(requests, out, quiet, json_, partial(_downloaded, quiet=quiet), TILES)
        return
    run, _, line = _downloaded(requests[0][1], out, quiet)
    print(
        json.dumps({"folder": str(run.folder), **run.record})
        if json_
        else f"{line} in {run.folder}"
    )


def _downloaded(request: AreaRequest, out: Path | None, quiet: bool) -> Outcome:
    from shipdet import pipeline

    run = shown(pipeline.iter_download(request, out=out), quiet)
    counts = {name: run.record["source"][name] for name in TILES}
    tiles = number_of(counts["tiles"], "tile")
    line = f"{tiles} ({counts['cached']} from the cache, {counts['missing']} missing)"
    return Outcome(run, counts, line)
