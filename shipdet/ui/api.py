"""The API: named, typed endpoints for gradio_client and plain HTTP.

The long ones stream dictionaries, one per step forward, and end with
``{"stage": "done", "result": run.json's content, "files": {kind: file}}``; a client that cancels
the job stops it at the next step. An error is one sentence.
"""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from gradio.events import api
from gradio.utils import get_upload_folder

from shipdet import pipeline
from shipdet.errors import BadImage, ShipdetError
from shipdet.imagery import catalogue
from shipdet.progress import Progress
from shipdet.report.folder import run_folder
from shipdet.requests import AreaRequest, ImageRequest, Search, Upscale
from shipdet.settings import Settings
from shipdet.ui.html import sentence
from shipdet.ui.plain_http import remember
from shipdet.ui.streams import DEVICE, RunEvents, area_events, image_events

log = logging.getLogger(__name__)

Answer = dict[str, Any]
Backend = Literal["", "torch", "onnx"]
Scoring = Literal["", "dense", "exact"]
ImageFormat = Literal["png", "jpg"]


def add_api(settings: Settings) -> None:
    """Add the endpoints to the current Blocks."""

    def estimate(
        west: float,
        south: float,
        east: float,
        north: float,
        provider: str = "",
        zoom: int | None = None,
        upscale: Upscale = "none",
        selective: bool = False,
    ) -> Answer:
        """Say what a search of an area would take, without fetching anything.

        Degrees; an empty provider is the configured one, no zoom the recommended one. Returns
        tiles, pixels, metres per pixel, megabytes, seconds and notes.
        """
        with one_sentence():
            request = AreaRequest.check(
                bbox=(west, south, east, north),
                provider=provider,
                zoom=zoom,
                search=Search.check(upscale=upscale, selective=selective),
            )
            return plain(pipeline.estimate(request, settings))

    def providers() -> list[Answer]:
        """List the imagery providers with attribution, licence and zoom range."""
        return [provider.public() for provider in catalogue(settings).values()]

    def models() -> list[Answer]:
        """List the models that ``model`` and ``upscaler`` may name."""
        return [plain(model) for model in pipeline.models(settings)]

    def detect_area(
        west: float,
        south: float,
        east: float,
        north: float,
        provider: str = "",
        zoom: int | None = None,
        upscale: Upscale = "none",
        upscaler: str = "",
        model: str = "",
        backend: Backend = "",
        stride: int = 0,
        scoring: Scoring = "",
        threshold: float | None = None,
        image_format: ImageFormat = "png",
        quality: int = 90,
        name: str = "",
        date_from: str = "",
        date_to: str = "",
        max_cloud: int = 20,
        selective: bool = False,
        views: int = 0,
        priority: str = "",
    ) -> Iterator[Answer]:
        """Find the ships in an area of the map.

        Degrees; dates as YYYY-MM-DD, max_cloud in per cent and priority (leastCC, mostRecent,
        leastRecent, ...) are for Sentinel Hub; stride is in pixels at the model's scale, 0 for its
        own; selective sharpens only where the raw image could show a ship; views (1, 2 or 8) of
        each place are averaged, 0 for the model's number; empty strings and nulls mean the default.
        Streams progress and ends with the run's record and files.
        """
        with one_sentence():
            search = Search.check(
                upscale=upscale,
                upscaler=upscaler,
                selective=selective,
                model=model,
                backend=backend,
                stride=stride,
                scoring=scoring,
                views=views,
                threshold=threshold,
                image_format=image_format,
                quality=quality,
                name=name,
            )
            request = AreaRequest.check(
                bbox=(west, south, east, north),
                provider=provider,
                zoom=zoom,
                date_from=date_from or None,
                date_to=date_to or None,
                max_cloud=max_cloud,
                priority=priority,
                search=search,
            )
            yield from answers(area_events(request, settings), settings)

    def detect_image(
        file: dict[str, Any],
        gsd_m: float | None = None,
        upscale: Upscale = "none",
        upscaler: str = "",
        model: str = "",
        backend: Backend = "",
        stride: int = 0,
        scoring: Scoring = "",
        threshold: float | None = None,
        image_format: ImageFormat = "png",
        quality: int = 90,
        name: str = "",
        selective: bool = False,
        views: int = 0,
    ) -> Iterator[Answer]:
        """Find the ships in a picture: PNG, JPEG or GeoTIFF, given as an uploaded file.

        gsd_m is the metres per pixel, needed where the file has no georeference; the rest is as
        for /detect_area. Streams progress and ends with the run's record and files.
        """
        with one_sentence():
            search = Search.check(
                upscale=upscale,
                upscaler=upscaler,
                selective=selective,
                model=model,
                backend=backend,
                stride=stride,
                scoring=scoring,
                views=views,
                threshold=threshold,
                image_format=image_format,
                quality=quality,
                name=name,
            )
            request = ImageRequest.check(gsd_m=gsd_m, search=search)
            yield from answers(image_events(uploaded(file), request, settings), settings)

    api(estimate, api_name="estimate", queue=False)
    api(providers, api_name="providers", queue=False)
    api(models, api_name="models", queue=False)
    api(detect_area, api_name="detect_area", concurrency_id=DEVICE, concurrency_limit=1)
    api(detect_image, api_name="detect_image", concurrency_id=DEVICE, concurrency_limit=1)


def answers(events: RunEvents, settings: Settings) -> Iterator[Answer]:
    """A run's events as JSON values; the last one has the record and the files."""
    with closing(events):
        for event in events:
            if isinstance(event, Progress):
                yield {
                    "stage": event.stage,
                    "title": event.title,
                    "done": event.done,
                    "total": event.total,
                    "unit": event.unit,
                    "note": event.note,
                    "fraction": event.fraction,
                }
            else:
                run = pipeline.open_run(run_folder(event.name, settings))
                files: Answer = {kind: _file(path) for kind, path in run.files.items()}
                files["chips"] = [_file(path) for path in run.chips]
                result = {"run": run.id, **run.record}
                yield {"stage": "done", "result": result, "files": files}


def uploaded(file: dict[str, Any]) -> Path:
    """The path of a file that the client has uploaded; anything else is refused.

    Gradio checks this itself only for values that say they are files.
    """
    path = Path(str(file.get("path") or "")).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise BadImage("Upload the picture first: gradio_client does it with handle_file(path).")
    return path


def plain(value: Any) -> Answer:
    """A dataclass, a named tuple or a pydantic model as a dictionary."""
    if hasattr(value, "model_dump"):
        return dict(value.model_dump(mode="json"))
    if hasattr(value, "_asdict"):
        return dict(value._asdict())
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _file(path: Path) -> Answer:
    return gr.FileData(path=str(path), orig_name=path.name).model_dump()


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error into the one sentence that a client is told."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, ShipdetError):
            log.exception("an API call failed")
        told = sentence(error)
        remember(told)
        raise gr.Error(told, print_exception=False) from error
