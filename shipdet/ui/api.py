"""The API: named, typed endpoints for gradio_client and plain HTTP.

Searches stream dictionaries, one per progress event, and end with
``{"stage": "done", "result": run.json's content, "files": {kind: file}}``. A search stops at its
next event when the client cancels the job. An error is one sentence.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api
from gradio.utils import get_upload_folder
from pydantic import BaseModel

from shipdet import pipeline
from shipdet.areas import parse_areas, parse_wkt
from shipdet.errors import BadImage, log_unexpected, sentence
from shipdet.imagery import catalog
from shipdet.imagery.stac import acquisitions_for
from shipdet.options import option_fields, with_options
from shipdet.places import find_place
from shipdet.progress import Progress
from shipdet.report.folder import run_folder
from shipdet.requests import NOT_LISTED, AreaRequest, ImageRequest, ImageryOptions, Search
from shipdet.settings import Settings
from shipdet.ui.forms import MAX_AT_ONCE, check_number
from shipdet.ui.results import kept_folder, summary_files, with_removed
from shipdet.ui.streams import (
    DEVICE,
    AllEvents,
    Outcome,
    Summary,
    area_events,
    image_events,
    one_after_another,
)

Answer = dict[str, Any]


#: Options that /estimate does not take. Plain HTTP passes values by position, so an additional
#: option would break every caller.
_NOT_ESTIMATED = {*ImageryOptions.model_fields, *Search.model_fields} - {
    *("provider", "zoom", "upscale", "selective"),
}


def add_api(settings: Settings) -> None:
    """Add the endpoints to the current Blocks."""

    @with_options(AreaRequest, Search, leave_out=_NOT_ESTIMATED)
    def estimate(west: float, south: float, east: float, north: float, **options: Any) -> Answer:
        """Estimate the cost of a search without downloading anything.

        West, south, east and north are in degrees. The defaults are the configured provider and
        the zoom that the model needs. Returns tiles, pixels, meters per pixel, megabytes, seconds
        and notes.
        """
        with one_sentence():
            requests = requests_of([west, south, east, north], options)
            each = [pipeline.estimate(r, settings, untrusted=True) for _, r in requests]
            return asdict(pipeline.estimate_together(each))

    def providers() -> list[Answer]:
        """List the imagery providers with attribution, license and zoom range."""
        return [provider.public() for provider in catalog(settings).values()]

    def models() -> list[Answer]:
        """List the models that ``model`` and ``upscaler`` accept."""
        return [asdict(model) for model in pipeline.models(settings)]

    @with_options(AreaRequest, Search)
    def detect_area(
        west: float, south: float, east: float, north: float, **options: Any
    ) -> Iterator[Answer]:
        with one_sentence():
            yield from answers(areas_events([west, south, east, north], options), settings)

    @with_options(ImageRequest, Search)
    def detect_image(file: dict[str, Any], **options: Any) -> Iterator[Answer]:
        with one_sentence():
            own = {n: options.pop(n) for n in ImageRequest.model_fields if n in options}
            request = ImageRequest.check(search=Search.check(**options), **own)
            yield from answers(image_events(uploaded(file), request, settings), settings)

    @with_options(AreaRequest, Search)
    def detect_areas(area: str | dict[str, Any] | list[float], **options: Any) -> Iterator[Answer]:
        with one_sentence():
            is_file = isinstance(area, dict) and "path" in area
            where = uploaded(area, "the area file") if is_file else area
            if isinstance(where, str):
                parse_wkt(where)  # a text is never a path on this machine
            yield from answers(areas_events(where, options), settings)

    def find_places(text: str) -> list[Answer]:
        """Find places by name, coordinates in common formats, map link, box or tile."""
        with one_sentence():
            return [asdict(place) for place in find_place(as_text(text))]

    @with_options(ImageryOptions, leave_out=NOT_LISTED)
    def acquisitions(
        west: float, south: float, east: float, north: float, **options: Any
    ) -> list[Answer]:
        """List Sentinel-2 acquisitions of an area, newest first: id, time, clouds, coverage."""
        with one_sentence():
            chosen = ImageryOptions.check(**options)
            found = acquisitions_for(parse_areas([west, south, east, north]), chosen, settings)
            return [acquisition.public() for acquisition in found]

    def match_ais(run: str, file: str | dict[str, Any], acquired: str = "") -> Answer:
        """Match the ships of a finished run with an AIS file: name and MMSI, or dark.

        Run is the run that /detect_area or /detect_image returned. File is an upload or "sample".
        Acquired is the time of the image, such as 2024-05-01T10:56:00Z, if its imagery has none.
        """
        with one_sentence():
            ais = "sample" if file == "sample" else uploaded(file, "the AIS file")
            before = pipeline.open_run(run_folder(as_text(run), settings))
            after = pipeline.match_ais(before, ais, acquired or None)
            return finished(after.folder, settings)

    def bundle(run: str) -> Answer:
        """Pack a finished run's files into a ZIP, without its full-size images.

        Run is the run that /detect_area or /detect_image returned.
        """
        with one_sentence():
            found = pipeline.open_run(run_folder(as_text(run), settings))
            return _file(pipeline.write_bundle(found, kept_folder() / f"{found.id}.zip"))

    def areas_events(area: Any, options: dict[str, Any]) -> AllEvents:
        requests = requests_of(area, options)
        begun = [(name, partial(area_events, r, settings)) for name, r in requests]
        return one_after_another(begun)

    detect_area.__doc__ = f"""Find the ships in an area of the map.

        Coordinates are in degrees; empty strings and nulls mean the default. Streams progress and
        ends with the run's record and files; for an area across the antimeridian with "runs", one
        for each side.

        {_described(AreaRequest, Search)}
        """
    detect_areas.__doc__ = f"""Find the ships in polygons or in the areas of a file.

        Area is a WKT or GeoJSON polygon, four numbers, or an uploaded file: GeoJSON, KML, KMZ,
        GeoPackage, WKT or CSV, of at most {MAX_AT_ONCE} areas. Streams progress and ends like
        /detect_area; for several areas with "runs", a list of name, record and files, or name and
        error, and "files", their summary.

        {_described(AreaRequest, Search)}
        """
    detect_image.__doc__ = f"""Find the ships in an uploaded image: PNG, JPEG or GeoTIFF.

        Empty strings and nulls mean the default. Streams progress and ends with the run's record
        and files.

        {_described(ImageRequest, Search)}
        """
    api(estimate, api_name="estimate", queue=False)
    api(providers, api_name="providers", queue=False)
    api(models, api_name="models", queue=False)
    api(find_places, api_name="find_place", queue=False)
    api(acquisitions, api_name="acquisitions", queue=False)
    api(detect_area, api_name="detect_area", concurrency_id=DEVICE, concurrency_limit=1)
    api(detect_areas, api_name="detect_areas", concurrency_id=DEVICE, concurrency_limit=1)
    api(detect_image, api_name="detect_image", concurrency_id=DEVICE, concurrency_limit=1)
    api(match_ais, api_name="match_ais")
    api(bundle, api_name="bundle")


def requests_of(area: Any, options: dict[str, Any]) -> list[tuple[str, AreaRequest]]:
    """Return the validated requests of a call, one per area or side of the antimeridian."""
    search = {name: options.pop(name) for name in Search.model_fields if name in options}
    areas = pipeline.areas_of(area)
    check_number(len(areas), "areas")
    return pipeline.requests_for(areas, Search.check(**search), options)


def _described(*models: type[BaseModel]) -> str:
    """Return every option with its description, for the API's documentation."""
    return "; ".join(f"{name}: {field.description}" for name, field in option_fields(*models)) + "."


def answers(events: AllEvents, settings: Settings) -> Iterator[Answer]:
    """Convert events to JSON values; the last one has the record and files of each run."""
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
                    "ships": None if event.sighted is None else len(event.sighted.ships),
                }
            elif isinstance(event, Summary):
                summary = with_removed(event, settings)
                runs = [_outcome(o, settings) for o in summary.outcomes]
                files = {path.name: _file(path) for path in summary_files(summary, settings)}
                yield {"stage": "done", "runs": runs, "files": files}
            else:
                yield {"stage": "done", **finished(event, settings)}


def _outcome(outcome: Outcome, settings: Settings) -> Answer:
    if outcome.folder is None:
        return {"name": outcome.name, "error": outcome.error}
    return {"name": outcome.name, **finished(outcome.folder, settings)}


def finished(folder: Path, settings: Settings) -> Answer:
    """Return the record of a run and its files by kind."""
    run = pipeline.open_run(run_folder(folder.name, settings))
    files: Answer = {kind: _file(path) for kind, path in run.files.items()}
    files["chips"] = [_file(path) for path in run.chips]
    return {"result": {"run": run.id, **run.record}, "files": files}


def as_text(value: Any) -> str:
    """Convert a value to text, null to ""; gradio does not check types."""
    return "" if value is None else str(value)


def uploaded(file: Any, what: str = "the image") -> Path:
    """Return the path of an uploaded file; raise BadImage for any other path.

    Gradio checks this itself only for values that are declared as files.
    """
    given = file.get("path") if isinstance(file, dict) else None
    try:
        path = Path(str(given or "")).resolve()
        is_upload = path.is_relative_to(Path(get_upload_folder()).resolve()) and path.is_file()
    except (OSError, ValueError):  # no file can have this name
        is_upload = False
    if not is_upload:
        raise BadImage(f"Upload {what} first: gradio_client does it with handle_file(path).")
    return path


def _file(path: Path) -> Answer:
    return gr.FileData(path=str(path), orig_name=path.name).model_dump()


@contextmanager
def one_sentence() -> Iterator[None]:
    """Convert an error to the one-sentence error that a client receives."""
    try:
        yield
    except Exception as error:
        log_unexpected(error, "an API call")
        raise gr.Error(sentence(error), print_exception=False) from error
