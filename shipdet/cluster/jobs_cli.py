"""``shipdet jobs``: all that people do with jobs, and the stream itself.

The engines' clients are imported by the commands that use them, so that the command line works
where they are not installed.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from shipdet.errors import BadArea, BadOption, EngineUnreachable, ShipdetError
from shipdet.extras import missing_extra
from shipdet.requests import PASSES, STRIDES
from shipdet.settings import get_settings

MAX_DAYS = 36_500


class JobFailed(ShipdetError):
    """A job that was waited for did not complete."""


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands below ``jobs``."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], None], about: str) -> Any:
        command = commands.add_parser(name, help=about)
        command.add_argument("--json", action="store_true", help="one JSON document on stdout")
        command.set_defaults(command=run)
        return command

    submit = add("submit", _submit, "send areas to the cluster")
    submit.add_argument("--name", default="", help="of the job; begins the names of a file's areas")
    submit.add_argument("--bbox", nargs=4, metavar=("WEST", "SOUTH", "EAST", "NORTH"))
    submit.add_argument("--polygon", metavar="WKT", help="POLYGON or MULTIPOLYGON in degrees")
    submit.add_argument(
        "--file", type=Path, help="many areas: GeoJSON, CSV, WKT, KML, KMZ or GeoPackage"
    )
    submit.add_argument("--provider", default="")
    submit.add_argument("--zoom", type=int, help="map zoom (the recommended one)")
    submit.add_argument("--upscale", choices=tuple(PASSES), default="none")
    submit.add_argument("--upscaler", default="")
    submit.add_argument("--selective", action="store_true",
                        help="sharpen only where the raw image could show a ship")  # fmt: skip
    submit.add_argument("--model", default="")
    submit.add_argument("--stride", type=int, default=0,
                        help="network pixels (the model's own): "
                        + ', '.join(map(str, STRIDES[1:])))  # fmt: skip
    submit.add_argument("--threshold", type=float, help="lowest score (the model's own)")
    submit.add_argument("--backend", choices=("torch", "onnx"), default="")
    submit.add_argument("--scoring", choices=("dense", "exact"), default="",
                        help="how windows are scored (the model's own way)")  # fmt: skip
    submit.add_argument("--views", type=int, choices=(1, 2, 8), default=0,
                        help="average so many views of each place (the model's)")  # fmt: skip
    submit.add_argument("--date-from", metavar="YYYY-MM-DD", help="Sentinel Hub only")
    submit.add_argument("--date-to", metavar="YYYY-MM-DD", help="Sentinel Hub only")
    submit.add_argument("--max-cloud", type=int, default=20, help="per cent, Sentinel Hub only")
    submit.add_argument("--wait", action="store_true", help="until all have ended")

    listed = add("list", _list, "the newest jobs")
    listed.add_argument("--status", default="")
    listed.add_argument("--limit", type=int, default=50)
    show = add("show", _show, "one job with its ships and files")
    show.add_argument("job", help="id or name")
    cancel = add("cancel", _cancel, "stop jobs at their next block")
    retry = add("retry", _retry, "queue failed or cancelled jobs again")
    wait = add("wait", _wait, "until jobs have ended; code 1 when one did not complete")
    wait.add_argument("--timeout", type=float, metavar="S")
    for command in (cancel, retry, wait):
        command.add_argument("jobs", nargs="+", metavar="JOB", help="id or name")

    add("prepare", _prepare, "make tables, bucket and topics where they are missing")
    clean = add("clean", _clean, "remove old jobs, and files and tiles that nobody needs")
    clean.add_argument("--older-than", type=float, metavar="DAYS",
                       help="jobs that ended so long ago (SHIPDET_CLUSTER_KEEP_DAYS)")  # fmt: skip
    stream = add("stream", _stream, "run the stream on Spark until interrupted")
    stream.add_argument("--drain", action="store_true", help="take what is there, finish, end")
    add("health", _health, "which engines can be reached")
    add("metrics", _metrics, "figures as Prometheus text")
    add("schema", _schema, "the JSON schema of a job message")


def _module(name: str) -> Any:
    """A module of this package that needs an engine's client."""
    try:
        return importlib.import_module(f"shipdet.cluster.{name}")
    except ModuleNotFoundError as error:
        raise missing_extra(str(error.name), extra="cluster") from None


def _submit(arguments: argparse.Namespace) -> None:
    from shipdet.area_files import name_areas, read_area_file
    from shipdet.cluster.jobs.message import JobMessage
    from shipdet.geometry import BBox

    given = [arguments.bbox, arguments.polygon, arguments.file]
    if sum(value is not None for value in given) != 1:
        raise BadArea("Give one of --bbox, --polygon and --file.")
    areas: list[tuple[str, Any]]
    if arguments.file is not None:
        areas = name_areas(read_area_file(arguments.file), arguments.name)
    elif arguments.polygon is not None:
        areas = [(arguments.name, arguments.polygon)]
    else:
        areas = [(arguments.name, list(BBox.parse(" ".join(arguments.bbox)).as_tuple()))]
    messages = [
        JobMessage.of(
            {
                "version": 2,
                "name": name,
                "area": area,
                "provider": arguments.provider,
                "zoom": arguments.zoom,
                "passes": PASSES[arguments.upscale],
                **{
                    key: getattr(arguments, key)
                    for key in (
                        *("upscaler", "selective", "model", "stride", "threshold", "backend"),
                        *("scoring", "views", "date_from", "date_to", "max_cloud"),
                    )
                },
            }
        )
        for name, area in areas
    ]
    ids = _module("submit").submit(messages, get_settings())
    if arguments.wait:
        _wait_for(ids, None, arguments.json)
    elif arguments.json:
        print(json.dumps({m.name: m.id for m in messages}))
    else:
        for message in messages:
            print(f"{message.id}  {message.name}")


def _store() -> Any:
    return _module("submit").open_store(get_settings())


def _list(arguments: argparse.Namespace) -> None:
    jobs = _module("store.queries").list_jobs(_store(), arguments.status, arguments.limit)
    _print(jobs, arguments.json, "\n".join(_line(job) for job in jobs))


def _show(arguments: argparse.Namespace) -> None:
    job = _module("store.queries").show_job(_store(), arguments.job)
    objects = _module("engines.objects").ObjectStore(get_settings())
    for result in job["results"]:
        suffix = result["object"].rpartition(".")[2]
        result["url"] = objects.address(
            result["object"], f"{job['name']}-{result['kind']}.{suffix}"
        )
    lines = [_line(job), *(f"  {note}" for note in job["notes"])]
    lines += [
        f"{n['id']:6d}  {n['score']:6.1%}  {n['lat']:.5f} {n['lon']:.5f}  {n['length_m']:5.0f} m"
        for n in (row["properties"] for row in job["detections"])
    ]
    lines += [f"  {r['kind']:10s} {r['bytes']:>12,} bytes  {r['url']}" for r in job["results"]]
    _print(job, arguments.json, "\n".join(lines))


def _cancel(arguments: argparse.Namespace) -> None:
    store = _store()
    jobs = [_module("submit").cancel(store, name) for name in arguments.jobs]
    _print(jobs, arguments.json, "\n".join(_line(job) for job in jobs))


def _retry(arguments: argparse.Namespace) -> None:
    store = _store()
    jobs = [_module("submit").retry(store, name, get_settings()) for name in arguments.jobs]
    _print(jobs, arguments.json, "\n".join(_line(job) for job in jobs))


def _wait(arguments: argparse.Namespace) -> None:
    ids = _module("submit").find_ids(_store(), arguments.jobs)
    _wait_for(ids, arguments.timeout, arguments.json)


def _wait_for(ids: list[str], timeout_s: float | None, as_json: bool) -> None:
    rows: dict[str, Any] = {}
    for rows in _module("submit").wait(_store(), ids, timeout_s):
        ended = sum(row["status"] not in ("queued", "running") for row in rows.values())
        print(f"{ended} of {len(ids)} ended", file=sys.stderr, flush=True)
    jobs = [rows[id] for id in ids]
    bad = [job for job in jobs if job["status"] != "completed"]
    _print(jobs, as_json and not bad, "\n".join(_line(job) for job in jobs))
    if bad:
        told = bad[0]["error"] or "nobody said why."
        raise JobFailed(f"Job {bad[0]['name']} is {bad[0]['status']}: {told}")


def _prepare(arguments: argparse.Namespace) -> None:
    applied = _module("submit").prepare(get_settings())
    _print(applied, arguments.json, f"Ready; {len(applied)} migrations were applied.")


def _clean(arguments: argparse.Namespace) -> None:
    days, settings = arguments.older_than, get_settings()
    if days is not None and not 0 <= days <= MAX_DAYS:
        raise BadOption(f"--older-than must be between 0 and {MAX_DAYS:,} days.")
    store, objects = _store(), _module("engines.objects").ObjectStore(settings)
    removed = vars(_module("store.retention").remove_old(store, objects, settings, days))
    counted = ", ".join(f"{count:,} {kind}" for kind, count in removed.items())
    _print(removed, arguments.json, f"Removed: {counted}.")


def _stream(arguments: argparse.Namespace) -> None:
    _module("work.stream").main(get_settings(), arguments.drain)


def _health(arguments: argparse.Namespace) -> None:
    engines = _module("engines.health").engines(get_settings())
    told = [f"{e.name:16s} {'ready' if e.reachable else e.reason}" for e in engines]
    _print([vars(engine) for engine in engines], arguments.json, "\n".join(told))
    away = [engine for engine in engines if not engine.reachable]
    if away:
        raise EngineUnreachable(f"{away[0].name}: {away[0].reason}")


def _metrics(arguments: argparse.Namespace) -> None:
    text = _module("store.prometheus").metrics(_store())
    _print({"metrics": text}, arguments.json, text.rstrip())


def _schema(arguments: argparse.Namespace) -> None:
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
    raise TypeError(f"{type(value).__name__} is no JSON value")
