"""``shipdet detect`` and ``shipdet download``."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from shipdet.cli.ais import Acquired, File, lines
from shipdet.cli.areas import AreaFile, Day, Sample, requests_of, search_all, search_one
from shipdet.cli.parameters import AsJson, Box, Out, Quiet, area_of, given, search_of, typed
from shipdet.cli.progress import shown
from shipdet.detections import Detection
from shipdet.errors import BadOption, ShipdetError
from shipdet.options import with_options
from shipdet.requests import AreaRequest, ImageRequest, Search

#: Options of a search that mean nothing to a download.
_SEARCH_ONLY = frozenset(Search.model_fields) - {"image_format", "quality", "name"}


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
    quiet: Quiet = False,
    json_: AsJson = False,
    **options: Any,
) -> None:
    """Find the ships in an area of the map or in images.

    Several images are one batch: --out holds a run folder for each, and a summary. Run the same
    command again to continue a batch that was stopped.

    [bold]Examples[/bold]

    shipdet detect harbor.tif

    shipdet detect scene.png --gsd 3 --threshold 0.6 --out scene

    shipdet detect pictures/*.tif --out found

    shipdet detect --bbox -5.44 36.12 -5.40 36.14 --provider esri --out algeciras

    shipdet detect --bbox -5.44 36.12 -5.40 36.14 --provider sentinel2 --date 2024-05-01

    shipdet detect --area ports.kml --provider esri --out ports

    shipdet detect --sample --ais sample
    """
    from shipdet import pipeline

    sources = [*(images or []), *([image] if image else [])]
    if sources and (bbox is not None or area is not None or sample):
        raise BadOption("Give an area or an image, not both.")
    if sources:
        own = {n: v for n, v in given(options).items() if n in ImageRequest.model_fields}
        request = ImageRequest.check(search=search_of(options), **own)
        files = pipeline.find_images(sources)
        if len(files) > 1 or sources[0].is_dir():
            if ais is not None:
                raise BadOption("Match the runs of a batch one by one with `shipdet ais`.")
            _batch(files, request, out, quiet, json_)
            return
        run = shown(pipeline.iter_image(files[0], request, out=out), quiet)
        run = run if ais is None else pipeline.match_ais(run, ais, acquired)
    else:
        requests = requests_of(bbox, area, sample, date, options)
        if len(requests) > 1:
            search_all(requests, out, quiet, ais, acquired, json_)
            return
        run = search_one(requests[0][1], out, quiet, ais, acquired)
    if json_:
        print(json.dumps({"folder": str(run.folder), **run.record}))
        return
    for note in run.notes:
        print(note, file=sys.stderr)
    found, small = run.detections, run.small_craft
    also = f", and {len(small)} small craft" if len(small) else ""
    plural = "s" * (len(found) != 1)
    print(f"{len(found)} ship{plural} above {run.threshold:g}{also} in {run.folder}")
    for ship in found:
        print(_line(ship))
    if "ais" in run.record:
        print("\n".join(lines(run)))


def _batch(
    files: list[Path], request: ImageRequest, out: Path | None, quiet: bool, json_: bool
) -> None:
    from shipdet import pipeline

    if out is None:
        raise BadOption("Name a folder for the results of several images with --out DIR.")
    batch = shown(pipeline.iter_images(files, request, out), quiet)
    if json_:
        images = [image.row() for image in batch.images]
        print(json.dumps({"folder": str(out), "ships": batch.ships, "images": images}))
    else:
        for image in batch.images:
            print(f"{image.image}: {image.error or f'{image.ships} ships'}")
        print(f"{batch.ships} ships in {len(files)} images; open {out / 'index.html'}")
    if batch.failed:
        raise SomeFailed(
            f"{len(batch.failed)} of {len(files)} images could not be searched: see "
            f"{out / 'summary.csv'}."
        )


class SomeFailed(ShipdetError):
    """Some images of a batch could not be searched."""


def _line(ship: Detection) -> str:
    where = (
        f"{ship.lat:.5f} {ship.lon:.5f}"
        if ship.lat is not None and ship.lon is not None
        else f"x {ship.x:.0f} y {ship.y:.0f}"
    )
    doubt = "" if ship.raw_support in (None, True) else "  not seen in the raw image"
    return (
        f"{ship.id:4d}  {ship.score:6.1%}  {where}  {ship.length_m:5.0f} m long  "
        f"{ship.axis_deg:3.0f}°{'  cut by the edge' if ship.cut else ''}{doubt}"
    )


@with_options(AreaRequest, Search, leave_out=_SEARCH_ONLY, style=typed)
def download(
    bbox: Box = None,
    out: Out = None,
    quiet: Quiet = False,
    json_: AsJson = False,
    **options: Any,
) -> None:
    """Download the imagery of an area without searching it.

    [bold]Example[/bold]

    shipdet download --bbox -5.44 36.12 -5.40 36.14 --provider eox --zoom 14 --out pictures
    """
    from shipdet import pipeline

    run = shown(pipeline.iter_download(area_of(bbox, options), out=out), quiet)
    if json_:
        print(json.dumps({"folder": str(run.folder), **run.record}))
        return
    source = run.record["source"]
    print(
        f"{source['tiles']} tiles ({source['cached']} from the cache, {source['missing']} missing) "
        f"in {run.folder}"
    )
