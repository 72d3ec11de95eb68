"""The command ``shipdet``: detect, download, providers, models, serve, jobs.

Progress goes to standard error (a bar on a terminal, plain lines otherwise), results to standard
output. Exit codes: 0 done, 1 something failed on the way, 2 bad input, 130 interrupted.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn, get_args

from shipdet._version import __version__
from shipdet.cluster.jobs_cli import JobFailed, add_commands
from shipdet.errors import (
    BadArea,
    BadOption,
    EngineUnreachable,
    MissingExtra,
    NoImagery,
    OutOfMemory,
    ProviderUnreachable,
    ShipdetError,
    StorageFull,
)
from shipdet.geometry import BBox
from shipdet.progress import Progress, Steps
from shipdet.requests import PASSES, STRIDES, AreaRequest, ImageRequest, Search, Upscale
from shipdet.settings import Settings, get_settings, read_settings

#: What was asked for was right, but the world did not allow it.
CIRCUMSTANCES = (
    EngineUnreachable, JobFailed, MissingExtra, NoImagery, OutOfMemory,
    ProviderUnreachable, StorageFull,
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """Bad arguments are one sentence, without the usage text."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and leave with code 2."""
        self.exit(2, f"{message[0].upper()}{message[1:]}; `{self.prog} --help` shows how.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parsed = None
    try:
        parsed = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], None] = parsed.command
        command(parsed)
    except ShipdetError as error:
        if parsed is not None and parsed.json:
            print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        print(error, file=sys.stderr)
        return 1 if isinstance(error, CIRCUMSTANCES) else 2
    except KeyboardInterrupt:
        print("Interrupted; downloaded tiles are kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone; nothing is left to say
        sys.stderr.close()
        return 1
    return 0


def _detect(arguments: argparse.Namespace) -> None:
    from shipdet import pipeline

    search = Search.check(
        upscale=arguments.upscale,
        upscaler=arguments.upscaler,
        selective=arguments.selective,
        model=arguments.model,
        backend=arguments.backend,
        device=arguments.device,
        stride=arguments.stride,
        scoring=arguments.scoring,
        views=arguments.views,
        threshold=arguments.threshold,
        image_format=arguments.format,
        quality=arguments.quality,
        name=arguments.name,
    )
    if arguments.image is not None:
        if arguments.bbox is not None:
            raise BadOption("Give --bbox or --image, not both.")
        request = ImageRequest.check(gsd_m=arguments.gsd, search=search)
        steps = pipeline.detect_image(arguments.image, request, out=arguments.out)
    else:
        steps = pipeline.detect_area(_area(arguments, search), out=arguments.out)
    run = _shown(steps, quiet=arguments.quiet)
    if arguments.json:
        print(json.dumps({"folder": str(run.folder), **run.record}))
        return
    for note in run.notes:
        print(note, file=sys.stderr)
    found = run.detections
    print(f"{len(found)} ship{'s' * (len(found) != 1)} above {run.threshold:g} in {run.folder}")
    for ship in found:
        where = (
            f"{ship.lat:.5f} {ship.lon:.5f}"
            if ship.lat is not None and ship.lon is not None
            else f"x {ship.x:.0f} y {ship.y:.0f}"
        )
        doubt = "" if ship.raw_support in (None, True) else "  not seen in the raw image"
        print(
            f"{ship.id:4d}  {ship.score:6.1%}  {where}  {ship.length_m:5.0f} m long  "
            f"{ship.axis_deg:3.0f}°{'  cut by the edge' if ship.cut else ''}{doubt}"
        )


def _download(arguments: argparse.Namespace) -> None:
    from shipdet import pipeline

    search = Search.check(
        image_format=arguments.format, quality=arguments.quality, name=arguments.name
    )
    steps = pipeline.download_area(_area(arguments, search), out=arguments.out)
    run = _shown(steps, quiet=arguments.quiet)
    if arguments.json:
        print(json.dumps({"folder": str(run.folder), **run.record}))
        return
    source = run.record["source"]
    print(
        f"{source['tiles']} tiles ({source['cached']} from the cache, {source['missing']} missing) "
        f"in {run.folder}"
    )


def _area(arguments: argparse.Namespace, search: Search) -> AreaRequest:
    if arguments.bbox is None:
        raise BadArea("Give an area with --bbox WEST SOUTH EAST NORTH, or a picture with --image.")
    box = BBox.parse(" ".join(arguments.bbox))
    return AreaRequest.check(
        bbox=box.as_tuple(),
        provider=arguments.provider,
        zoom=arguments.zoom,
        date_from=arguments.date_from,
        date_to=arguments.date_to,
        max_cloud=arguments.max_cloud,
        priority=arguments.priority,
        search=search,
    )


def _providers(arguments: argparse.Namespace) -> None:
    from shipdet.imagery import catalogue

    known = catalogue(get_settings())
    if arguments.json:
        print(json.dumps([provider.public() for provider in known.values()], indent=1))
        return
    for provider in known.values():
        zooms = f"zoom {provider.min_zoom}-{provider.max_zoom}"
        refused = "" if provider.downloadable else f"  (no download: {provider.reason})"
        print(f"{provider.id:12s}  {provider.title:28s}  {zooms:12s}{refused}")
        print(f"{'':14s}{provider.attribution} - {provider.licence}")


def _models(arguments: argparse.Namespace) -> None:
    from dataclasses import asdict

    from shipdet import pipeline

    known = pipeline.models()
    if arguments.json:
        print(json.dumps([asdict(model) for model in known], indent=1))
        return
    for model in known:
        print(f"{model.name:24s}  {model.task:20s}  {model.parameters / 1e6:5.1f} M parameters")
    for backend in pipeline.backends():
        print(f"{backend.name:24s}  {'ready' if backend.available else 'not here'}: "
              f"{backend.reason}")  # fmt: skip


def _serve(arguments: argparse.Namespace) -> None:
    from shipdet.ui import serve

    settings = get_settings()
    changes: dict[str, Any] = {
        name: value
        for name in ("host", "port", "share")
        if (value := getattr(arguments, name)) is not None
    }
    serve(read_settings(**{**settings.model_dump(exclude_unset=True), **changes}))


def _shown(steps: Steps[Any], quiet: bool) -> Any:
    """The result of a run, its progress told on standard error."""
    show: Callable[[Progress], None]
    if quiet:
        show = lambda event: None  # noqa: E731
    elif sys.stderr.isatty():
        show = _Bar()
    else:
        show = _Lines()
    with closing(steps):  # an interrupt closes the step, which stops it at its next block
        while True:
            try:
                event = next(steps)
            except StopIteration as stop:
                return stop.value
            show(event)


class _Bar:
    """One progress bar per stage."""

    def __init__(self) -> None:
        self.stage = ""
        self.bar: Any = None

    def __call__(self, event: Progress) -> None:
        """Show an event."""
        from tqdm import tqdm

        if event.stage != self.stage:
            if self.bar is not None:
                self.bar.close()
            self.stage = event.stage
            self.bar = tqdm(desc=event.title, unit=f" {event.unit}", leave=True, file=sys.stderr)
        self.bar.total = event.total or None
        self.bar.n = event.done
        self.bar.refresh()
        if event.total and event.done >= event.total:
            self.bar.close()


class _Lines:
    """A line when a stage begins and ends, and every ten seconds between."""

    EVERY_S = 10.0

    def __init__(self) -> None:
        self.stage = ""
        self.told = 0.0

    def __call__(self, event: Progress) -> None:
        """Print an event, when it is time."""
        now = time.monotonic()
        ended = bool(event.total) and event.done >= event.total
        if event.stage == self.stage and not ended and now - self.told < self.EVERY_S:
            return
        self.stage, self.told = event.stage, now
        count = f": {event.done} of {event.total} {event.unit}" if event.total else ""
        note = f" ({event.note})" if event.note else ""
        print(f"{event.title}{count}{note}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    settings = get_settings()
    parser = _Parser(prog="shipdet", description="Find ships in satellite imagery.")
    parser.add_argument("--version", action="version", version=f"shipdet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    detect = commands.add_parser("detect", help="find the ships in an area or a picture")
    _add_area(detect, settings)
    detect.add_argument("--image", type=Path, metavar="FILE", help="PNG, JPEG or GeoTIFF")
    detect.add_argument("--gsd", type=float, metavar="M", help="metres per pixel of --image")
    detect.add_argument("--upscale", choices=get_args(Upscale), default="none",
                        help=f"sharpen {', '.join(PASSES)} (none)")  # fmt: skip
    detect.add_argument("--upscaler", default="", help=f"model to sharpen ({settings.upscaler})")
    detect.add_argument("--selective", action="store_true",
                        help="sharpen only where the raw image could show a ship")  # fmt: skip
    detect.add_argument("--model", default="", help=f"classifier ({settings.classifier}): a name, "
                        "a folder or owner/name[@revision] on the Hugging Face hub")  # fmt: skip
    detect.add_argument("--backend", choices=("torch", "onnx"), default="")
    detect.add_argument("--device", choices=("auto", "cpu", "cuda"), default="")
    detect.add_argument("--stride", type=int, default=0,
                        help="network pixels (the model's own): "
                        + ', '.join(map(str, STRIDES[1:])))  # fmt: skip
    detect.add_argument("--scoring", choices=("dense", "exact"), default="",
                        help="one pass, or window by window (the model's own)")  # fmt: skip
    detect.add_argument("--views", type=int, choices=(1, 2, 8), default=0,
                        help="average so many views of each place (the model's)")  # fmt: skip
    detect.add_argument("--threshold", type=float, help="lowest score (the model's own)")
    detect.set_defaults(command=_detect)

    download = commands.add_parser("download", help="fetch the imagery of an area only")
    _add_area(download, settings)
    download.set_defaults(command=_download)

    for command in (detect, download):
        command.add_argument("--out", type=Path, metavar="DIR", help="a new or empty folder")
        command.add_argument("--name", default="", help="how the run's folder begins")
        command.add_argument("--format", choices=("png", "jpg"), default="png")
        command.add_argument("--quality", type=int, default=90, help="of JPEG, 1 to 95 (90)")
        command.add_argument("--quiet", action="store_true", help="no progress")

    providers = commands.add_parser("providers", help="list the imagery providers")
    providers.set_defaults(command=_providers)
    models = commands.add_parser("models", help="list models and backends")
    models.set_defaults(command=_models)
    for command in (detect, download, providers, models):
        command.add_argument("--json", action="store_true", help="one JSON document on stdout")

    add_commands(commands.add_parser("jobs", help="many areas, on the cluster"))

    serve = commands.add_parser("serve", help="start the web app")
    serve.add_argument("--host")
    serve.add_argument("--port", type=int)
    serve.add_argument("--share", action="store_true", default=None, help="public gradio link")
    serve.set_defaults(command=_serve, json=False)
    return parser


def _add_area(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--bbox", nargs=4, metavar=("WEST", "SOUTH", "EAST", "NORTH"),
                        help="degrees")  # fmt: skip
    parser.add_argument("--provider", default="", help=f"imagery provider ({settings.provider})")
    parser.add_argument("--zoom", type=int, help="map zoom (the recommended one)")
    parser.add_argument("--date-from", metavar="YYYY-MM-DD", help="Sentinel Hub only")
    parser.add_argument("--date-to", metavar="YYYY-MM-DD", help="Sentinel Hub only")
    parser.add_argument("--max-cloud", type=int, default=20, help="per cent, Sentinel Hub only")
    parser.add_argument("--priority", default="", help="of pictures, Sentinel Hub only "
                        f"({settings.sentinelhub_priority})")  # fmt: skip
