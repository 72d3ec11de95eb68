"""``shipdet jobs``: submit and manage jobs, and run the stream.

The engines' clients are imported by the commands that use them, so that the command line works
without them.
"""

import importlib
import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from shipdet.cli.parameters import AsJson, Box, PartFailed, box_of, given, typed
from shipdet.cluster.jobs.message import NOT_SUBMITTED
from shipdet.errors import BadArea, BadOption
from shipdet.extras import missing_extra
from shipdet.options import with_options
from shipdet.requests import AreaRequest, Search
from shipdet.settings import get_settings

MAX_DAYS = 36_500

jobs = typer.Typer(help="Search many areas on a cluster.", rich_markup_mode="rich")
Job = Annotated[str, typer.Argument(metavar="JOB", help="Id or name.")]
Jobs = Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids or names.")]


@jobs.command()
@with_options(AreaRequest, Search, leave_out=NOT_SUBMITTED, style=typed)
def submit(
    name: Annotated[
        str, typer.Option("--name", help="Name of the job, or prefix for the areas of a file.")
    ] = "",
    bbox: Box = None,
    polygon: Annotated[
        str | None,
        typer.Option("--polygon", metavar="WKT", help="POLYGON or MULTIPOLYGON in degrees."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Area file: GeoJSON, CSV, WKT, KML, KMZ or GeoPackage."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all jobs have ended.")] = False,
    json_: AsJson = False,
    **options: Any,
) -> None:
    """Send areas to the cluster.

    [bold]Examples[/bold]

    shipdet jobs submit --name algeciras --bbox -5.44 36.12 -5.40 36.14 --wait

    shipdet jobs submit --name ports --file harbors.geojson
    """
    from shipdet.area_files import name_areas, read_area_file
    from shipdet.cluster.jobs.message import JobMessage, job_areas

    if sum(value is not None for value in (bbox, polygon, file)) != 1:
        raise BadArea("Give one of --bbox, --polygon and --file.")
    if file is not None:
        areas = name_areas(read_area_file(file), name)
    else:
        areas = [(name, box_of(bbox) if polygon is None else polygon)]
    parts = [part for own, area in areas for part in job_areas(area, own)]
    messages = [JobMessage.from_options(n, area, "", given(options)) for n, area in parts]
    ids = _module("submit").submit(messages, get_settings())
    if wait:
        _wait_for(ids, None, json_)
    elif json_:
        print(json.dumps({m.name: m.id for m in messages}))
    else:
        for message in messages:
            print(f"{message.id}  {message.name}")


def _module(name: str) -> Any:
    """Import a module of ``shipdet.cluster`` that needs an engine's client."""
    try:
        return importlib.import_module(f"shipdet.cluster.{name}")
    except ModuleNotFoundError as error:
        raise missing_extra(str(error.name), extra="cluster") from None


def _store() -> Any:
    return _module("submit").open_store(get_settings())


@jobs.command("list")
def list_(
    status: Annotated[str, typer.Option("--status", help="Only jobs with this status.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="Maximum number of jobs.")] = 50,
    json_: AsJson = False,
) -> None:
    """List the newest jobs."""
    found = _module("store.queries").list_jobs(_store(), status, limit)
    _print(found, json_, "\n".join(_line(job) for job in found))


@jobs.command()
def show(job: Job, json_: AsJson = False) -> None:
    """Show one job with its ships and files."""
    found = _module("store.queries").show_job(_store(), job)
    files = _module("engines.objects")
    objects = files.ObjectStore(get_settings())
    for result in found["results"]:
        name = files.file_name(found["name"], result["kind"], result["object"])
        result["url"] = objects.address(result["object"], name)
    lines = [_line(found), *(f"  {note}" for note in found["notes"])]
    lines += [
        f"{n['id']:6d}  {n['score']:6.1%}  {n['lat']:.5f} {n['lon']:.5f}  {n['length_m']:5.0f} m"
        for n in (row["properties"] for row in found["detections"])
    ]
    lines += [f"  {r['kind']:10s} {r['bytes']:>12,} bytes  {r['url']}" for r in found["results"]]
    _print(found, json_, "\n".join(lines))


@jobs.command()
def cancel(names: Jobs, json_: AsJson = False) -> None:
    """Stop jobs at their next block."""
    store = _store()
    found = [_module("submit").cancel(store, name) for name in names]
    _print(found, json_, "\n".join(_line(job) for job in found))


@jobs.command()
def retry(names: Jobs, json_: AsJson = False) -> None:
    """Queue failed or cancelled jobs again."""
    store = _store()
    found = [_module("submit").retry(store, name, get_settings()) for name in names]
    _print(found, json_, "\n".join(_line(job) for job in found))


@jobs.command()
def wait(
    names: Jobs,
    timeout: Annotated[float | None, typer.Option("--timeout", metavar="S")] = None,
    json_: AsJson = False,
) -> None:
    """Wait until jobs have ended; the exit code is 1 if one did not complete."""
    ids = _module("submit").find_ids(_store(), names)
    _wait_for(ids, timeout, json_)


def _wait_for(ids: list[str], timeout_s: float | None, as_json: bool) -> None:
    rows: dict[str, Any] = {}
    for rows in _module("submit").wait(_store(), ids, timeout_s):
        ended = sum(row["status"] not in ("queued", "running") for row in rows.values())
        print(f"{ended} of {len(ids)} ended", file=sys.stderr, flush=True)
    found = [rows[id] for id in ids]
    bad = [job for job in found if job["status"] != "completed"]
    _print(found, as_json, "\n".join(_line(job) for job in found))
    if bad:
        why = bad[0]["error"] or "no reason was recorded."
        raise PartFailed(f"Job {bad[0]['name']} is {bad[0]['status']}: {why}")


@jobs.command()
def prepare(json_: AsJson = False) -> None:
    """Create missing tables, buckets and topics."""
    applied = _module("submit").prepare(get_settings())
    _print(applied, json_, f"Ready; {len(applied)} migrations were applied.")


@jobs.command()
def clean(
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than",
            metavar="DAYS",
            help="Minimum age of ended jobs in days (default: SHIPDET_CLUSTER_KEEP_DAYS).",
        ),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Remove old jobs, and files and tiles that are no longer needed."""
    days, settings = older_than, get_settings()
    if days is not None and not 0 <= days <= MAX_DAYS:
        raise BadOption(f"--older-than must be between 0 and {MAX_DAYS:,} days.")
    store, objects = _store(), _module("engines.objects").ObjectStore(settings)
    removed = vars(_module("store.retention").remove_old(store, objects, settings, days))
    counted = ", ".join(f"{count:,} {kind}" for kind, count in removed.items())
    _print(removed, json_, f"Removed: {counted}.")


@jobs.command()
def stream(
    drain: Annotated[
        bool, typer.Option("--drain", help="Process the waiting messages, then exit.")
    ] = False,
) -> None:
    """Run the stream on Spark until interrupted."""
    _module("work.stream").main(get_settings(), drain)


@jobs.command()
def health(json_: AsJson = False) -> None:
    """Show which engines can be reached."""
    engines = _module("engines.health").engines(get_settings())
    lines = [f"{e.name:16s} {'ready' if e.reachable else e.reason}" for e in engines]
    _print([vars(engine) for engine in engines], json_, "\n".join(lines))
    away = [engine for engine in engines if not engine.reachable]
    if away:
        raise PartFailed(f"{away[0].name}: {away[0].reason}")


@jobs.command()
def metrics(json_: AsJson = False) -> None:
    """Print metrics as Prometheus text."""
    text = _module("store.prometheus").metrics(_store())
    _print({"metrics": text}, json_, text.rstrip())


@jobs.command()
def schema(
    json_: Annotated[
        bool, typer.Option("--json", help="No effect: the schema is always JSON.")
    ] = False,
) -> None:
    """Print the JSON schema of a job message."""
    from shipdet.cluster.jobs.message import JobMessage

    print(json.dumps(JobMessage.model_json_schema(), indent=1))


def _line(job: dict[str, Any]) -> str:
    ships = "" if job["ships"] is None else f"  {job['ships']} ships"
    error = f"  {job['error']}" if job["error"] else ""
    blocks = f"{job['blocks_done']}/{job['blocks_total']}"
    return f"{job['id']}  {job['name']:24s}  {job['status']:9s}  {blocks:>9s}{ships}{error}"


def _print(value: Any, as_json: bool, text: str) -> None:
    print(json.dumps(value, default=_plain) if as_json else text)


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not a JSON value")
