"""``shipdet detect`` and ``shipdet download``."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

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
    """
    from shipdet import pipeline

    sources = [*(images or []), *([image] if image else [])]
    if sources and bbox is not None:
        raise BadOption("Give --bbox or an image, not both.")
    if sources:
        request = ImageRequest.check(gsd_m=given(options).get("gsd_m"), search=search_of(options))
        files = pipeline.find_images(sources)
        if len(files) > 1 or sources[0].is_dir():
            _batch(files, request, out, quiet, json_)
            return
        steps = pipeline.iter_image(files[0], request, out=out)
    else:
        steps = pipeline.iter_area(area_of(bbox, options), out=out)
    run = shown(steps, quiet)
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


def _batch(
    files: list[Path], request: ImageRequest, out: Path | None, quiet: bool, json_: bool
) -> None:
    from shipdet import pipeline

    if out is None:
        raise BadOption("Name a folder for the results of several images with --out DIR.")
    batch = shown(pipeline.iter_images(files, request, out), quiet)
    if json_:
        images = [image.told() for image in batch.images]
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
