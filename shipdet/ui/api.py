"""The API: named, typed endpoints for gradio_client and plain HTTP.

The long ones stream dictionaries, one per step forward, and end with
``{"stage": "done", "result": run.json's content, "files": {kind: file}}``; a client that cancels
the job stops it at the next step. An error is one sentence.
"""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api
from gradio.utils import get_upload_folder
from pydantic import BaseModel

from shipdet import pipeline
from shipdet.errors import BadImage, ShipdetError
from shipdet.imagery import catalogue
from shipdet.options import option_fields, with_options
from shipdet.progress import Progress
from shipdet.report.folder import run_folder
from shipdet.requests import AreaRequest, ImageRequest, ImageryOptions, Search
from shipdet.settings import Settings
from shipdet.ui.html import sentence
from shipdet.ui.plain_http import remember
from shipdet.ui.streams import DEVICE, RunEvents, area_events, image_events

log = logging.getLogger(__name__)

Answer = dict[str, Any]


#: Options that are not asked for by /estimate. Over plain HTTP its values are told by position, so
#: that an option more would break every caller.
_NOT_ESTIMATED = {*ImageryOptions.model_fields, *Search.model_fields} - {
    *("provider", "zoom", "upscale", "selective"),
}


def add_api(settings: Settings) -> None:
    """Add the endpoints to the current Blocks."""

    @with_options(AreaRequest, Search, leave_out=_NOT_ESTIMATED)
    def estimate(west: float, south: float, east: float, north: float, **options: Any) -> Answer:
        """Say what a search of an area would take, without fetching anything.

        Degrees; an empty provider is the configured one, no zoom the one that the model needs.
        Returns tiles, pixels, meters per pixel, megabytes, seconds and notes.
        """
        with one_sentence():
            request = area_of((west, south, east, north), options)
            return plain(pipeline.estimate(request, settings, untrusted=True))

    def providers() -> list[Answer]:
        """List the imagery providers with attribution, licence and zoom range."""
        return [provider.public() for provider in catalogue(settings).values()]

    def models() -> list[Answer]:
        """List the models that ``model`` and ``upscaler`` may name."""
        return [plain(model) for model in pipeline.models(settings)]

    @with_options(AreaRequest, Search)
    def detect_area(
        west: float, south: float, east: float, north: float, **options: Any
    ) -> Iterator[Answer]:
        with one_sentence():
            request = area_of((west, south, east, north), options)
            yield from answers(area_events(request, settings), settings)

    @with_options(ImageRequest, Search)
    def detect_image(file: dict[str, Any], **options: Any) -> Iterator[Answer]:
        with one_sentence():
            request = ImageRequest.check(gsd_m=options.pop("gsd_m"), search=Search.check(**options))
            yield from answers(image_events(uploaded(file), request, settings), settings)

    detect_area.__doc__ = f"""Find the ships in an area of the map.

        Degrees; empty strings and nulls mean the default. Streams progress and ends with the run's
        record and files.

        {_told(AreaRequest, Search)}
        """
    detect_image.__doc__ = f"""Find the ships in an uploaded image: PNG, JPEG or GeoTIFF.

        Empty strings and nulls mean the default. Streams progress and ends with the run's record
        and files.

        {_told(ImageRequest, Search)}
        """
    api(estimate, api_name="estimate", queue=False)
    api(providers, api_name="providers", queue=False)
    api(models, api_name="models", queue=False)
    api(detect_area, api_name="detect_area", concurrency_id=DEVICE, concurrency_limit=1)
    api(detect_image, api_name="detect_image", concurrency_id=DEVICE, concurrency_limit=1)


def area_of(bbox: tuple[float, float, float, float], options: dict[str, Any]) -> AreaRequest:
    """The checked request of a call's options."""
    search = {name: options.pop(name) for name in Search.model_fields if name in options}
    return AreaRequest.check(bbox=bbox, search=Search.check(**search), **options)


def _told(*models: type[BaseModel]) -> str:
    """Every option with its description, for the API's documentation."""
    return "; ".join(f"{name}: {field.description}" for name, field in option_fields(*models)) + "."


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
        raise BadImage("Upload the image first: gradio_client does it with handle_file(path).")
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
