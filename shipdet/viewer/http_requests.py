"""Parse HTTP requests (run, filter, actions) and check their origin."""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from shipdet.errors import BadOption, NotYours, ShipdetError
from shipdet.pipeline import Review, Run, open_run
from shipdet.report import ShipFilter, run_folder
from shipdet.report.finished_run import RECORD
from shipdet.report.folder import GONE
from shipdet.settings import Settings

MAX_BODY = 1024**2  # bytes; pages send a few hundred
MAX_ACTIONS = 1000
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_CROSS_ORIGIN = "Changes are accepted only from the app's own pages."


def run_of(request: Request, settings: Settings, name: str = "run") -> Run:
    """Return the run in the address.

    Args:
        request: The request.
        settings: The folder of runs.
        name: The path parameter with the run's id.

    Raises:
        BadOption: There is no such run.
    """
    folder = run_folder(request.path_params[name], settings)
    written = _written(folder)
    return _opened(folder, written.st_mtime_ns, written.st_ino)


def version_of(run: Run) -> str:
    """Return a text that differs after every change of a run, for cacheable addresses.

    Raises:
        BadOption: The run was deleted.
    """
    return str(_written(run.folder).st_mtime_ns)


def _written(folder: Path) -> os.stat_result:
    try:
        return (folder / RECORD).stat()
    except OSError:
        raise BadOption(GONE) from None


@lru_cache(maxsize=8)
def _opened(folder: Path, _mtime_ns: int, _inode: int) -> Run:
    """Open a version of a run, cached because a viewer requests dozens of its tiles."""
    return open_run(folder)


def filter_of(request: Request) -> ShipFilter:
    """Return the filter in the query; an empty value means the default.

    Raises:
        BadOption: A value is invalid.
    """
    given = {name: value for name, value in request.query_params.items() if value}
    return ShipFilter.check(**given)


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body of a request that changes something.

    Raises:
        NotYours: The request comes from a page of another origin.
        BadOption: The body is not a JSON object, or is too long.
    """
    check_origin(request)
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY:
            raise BadOption("The request is too long.")
    try:
        body = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise BadOption("The request is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadOption("The request must be a JSON object.")
    return body


def check_origin(request: Request) -> None:
    """Refuse a change requested by a page of another origin.

    Raises:
        NotYours: The page has another origin.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise NotYours(_CROSS_ORIGIN)
    origin = request.headers.get("origin")
    hosts = {request.headers.get("host"), request.headers.get("x-forwarded-host")}
    if origin is not None and urlsplit(origin).netloc not in hosts:
        raise NotYours(_CROSS_ORIGIN)


def reviewed(review: Review, body: dict[str, Any]) -> Review:
    """Add the actions of a request to a review.

    Raises:
        BadOption: An action is unknown or incomplete.
    """
    actions, by = body.get("actions"), str(body.get("by") or "").strip()[:100]
    by = by.encode(errors="replace").decode()  # files cannot hold half of a surrogate pair
    if not isinstance(actions, list) or not 0 < len(actions) <= MAX_ACTIONS:
        raise BadOption(f"Send 1 to {MAX_ACTIONS:,} actions.")
    for action in actions:
        try:
            review = _after(review, action, by)
        except ShipdetError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            raise BadOption(
                "An action must be accept, reject, move, redraw, add or undo, with key and points."
            ) from None
    return review


def _after(review: Review, action: dict[str, Any], by: str) -> Review:
    kind = action["kind"]
    points = [(float(x), float(y)) for x, y in action.get("points", ())]
    width_m = None if action.get("width_m") is None else float(action["width_m"])
    if kind == "undo":
        return review.undo()
    if kind == "add":
        bow, stern = points
        return review.add(bow, stern, width_m, by)
    key = int(action["key"])
    if kind == "accept":
        return review.accept(key, by)
    if kind == "reject":
        return review.reject(key, by)
    if kind == "move":
        [center] = points
        return review.move(key, center, by)
    if kind == "redraw":
        bow, stern = points
        return review.redraw(key, bow, stern, width_m, by)
    raise ValueError(kind)


def lists_all(request: Request, settings: Settings) -> bool:
    """Return whether the history lists all runs, or only those that the browser remembers.

    ``auto`` lists all runs only if the app listens on this machine alone and the request names it
    by a loopback address. A website can resolve its own name to 127.0.0.1 and so share the app's
    origin, but without the ids it cannot open or delete runs. Only this answer depends on the host
    name, because share links and proxies use other names.
    """
    if settings.history != "auto":
        return settings.history == "all"
    host = settings.host
    if "host" not in settings.model_fields_set:
        host = os.environ.get("GRADIO_SERVER_NAME", host)
    forwarded = "x-forwarded-for" in request.headers
    return {host.strip("[]"), request.url.hostname} <= _LOOPBACK and not (
        settings.share or forwarded or "SPACE_ID" in os.environ
    )
