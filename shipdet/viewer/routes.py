"""Routes of the pages and their endpoints.

Addresses are relative to the mount point of the app, so they also work behind a proxy's path. An
error is ``{"error": sentence}`` with a status of 400 or above.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from shipdet import pipeline
from shipdet.errors import (
    BadOption,
    NotYours,
    ShipdetError,
    StorageFull,
    log_unexpected,
    sentence,
)
from shipdet.pipeline import Run
from shipdet.report import PREVIEW, cut_tile
from shipdet.report.finished_run import CHIPS, chip_name
from shipdet.report.raster import thumbnail
from shipdet.settings import Settings
from shipdet.viewer import page_content
from shipdet.viewer.downloads import CHANGES, changes_file, run_file
from shipdet.viewer.http_requests import (
    body_of,
    filter_of,
    lists_all,
    reviewed,
    run_of,
    version_of,
)
from shipdet.viewer.live_searches import running_runs

STATIC = Path(__file__).resolve().parent / "static"
LEAFLET = STATIC.parents[1] / "ui" / "static" / "leaflet"  # shared with the app's map
MOST_IDS = 500  # run ids that a browser remembers
_CACHED = {"Cache-Control": "private, max-age=86400"}  # images of a run never change
_UNCACHED = {"Cache-Control": "no-store"}
#: Pages may run only the viewer's own scripts; Leaflet and the legend set inline styles.
_PAGE = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; object-src 'none'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'",
}
_STATUS: dict[type[Exception], int] = {NotYours: 403, StorageFull: 507}

Answer = Callable[[Request], Response]
Sent = Callable[[Request, dict[str, Any]], Response]


class ViewerPages:
    """The endpoints of one app."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def history(self, request: Request, body: dict[str, Any]) -> Response:
        """Return the list of runs: all, or those whose ids the browser sends."""
        settings = self.settings
        runs = pipeline.runs(settings)
        every = lists_all(request, settings)
        if not every:
            ids = body.get("ids")
            own = ids[:MOST_IDS] if isinstance(ids, list) else []
            runs = [run for run in runs if run.id in own]
        reply = page_content.history_page(
            runs,
            running_runs() if every else (),
            settings.runs_max_age_days,
            settings.runs_max_gb,
        )
        return JSONResponse({**reply, "every": every}, headers=_UNCACHED)

    def run(self, request: Request) -> Response:
        """Return a run with the ships that pass the filter in the query."""
        return JSONResponse(page_content.run_page(self._filtered(request)), headers=_UNCACHED)

    def tile(self, request: Request) -> Response:
        """Return a tile of a run's image."""
        return _tile(run_of(request, self.settings), request)

    def compared_tile(self, request: Request) -> Response:
        """Return a tile of the later run's image, in the earlier run's pixels."""
        earlier = run_of(request, self.settings, "earlier")
        return _tile(run_of(request, self.settings, "later"), request, earlier)

    def thumbnail(self, request: Request) -> Response:
        """Return a thumbnail of a run."""
        run = run_of(request, self.settings)
        try:
            small = thumbnail(run.folder / PREVIEW)
        except OSError as error:
            raise BadOption("The run has no preview.") from error
        return Response(small, media_type="image/jpeg", headers=_CACHED)

    def water_map(self, request: Request) -> Response:
        """Return the network's map of water, land and hulls."""
        run = run_of(request, self.settings)
        if "map" not in run.files:
            raise BadOption("The run has no map of water and hulls.")
        return FileResponse(run.files["map"], headers=_CACHED)

    def crop(self, request: Request) -> Response:
        """Return the crop of a ship by its number; empty if the ship no longer exists."""
        run = run_of(request, self.settings)
        kept = request.query_params.get("v") == version_of(run)
        try:
            # Not a FileResponse: a review may renumber the crops before it is sent.
            crop = (run.folder / CHIPS / chip_name(request.path_params["number"])).read_bytes()
        except OSError:
            return Response(status_code=204, headers=_UNCACHED)
        return Response(crop, media_type="image/png", headers=_CACHED if kept else _UNCACHED)

    def download(self, request: Request) -> Response:
        """Return a file with the ships that pass the filter in the query."""
        return run_file(self._filtered(request), request.path_params["kind"])

    def review(self, request: Request, body: dict[str, Any]) -> Response:
        """Apply actions of a reviewer and return the changed run."""
        run = run_of(request, self.settings)
        run = pipeline.change_review(run, partial(reviewed, body=body))
        kept = replace(run, filter=filter_of(request))
        return JSONResponse(page_content.run_page(kept), headers=_UNCACHED)

    def rename(self, request: Request, body: dict[str, Any]) -> Response:
        """Rename a run."""
        name = str(body.get("name") or "")
        run = pipeline.rename_run(request.path_params["run"], name, self.settings)
        return JSONResponse({"id": run.id})

    def delete(self, request: Request, _: dict[str, Any]) -> Response:
        """Delete a run and its files."""
        pipeline.delete_run(request.path_params["run"], self.settings)
        return JSONResponse({})

    def comparison(self, request: Request) -> Response:
        """Return the ships that stayed, arrived and left between two runs."""
        return JSONResponse(page_content.comparison_page(*self._pair(request)), headers=_UNCACHED)

    def changes(self, request: Request) -> Response:
        """Return the comparison as a file."""
        earlier, later = self._pair(request)
        suffix = f".{request.path_params['suffix']}"
        if suffix not in CHANGES:
            raise BadOption(f"A comparison is saved as {', '.join(CHANGES)}.")
        name = f"{earlier.id}-to-{later.id}"[:150]
        return changes_file(pipeline.compare(earlier, later), name, suffix)

    def _pair(self, request: Request) -> tuple[Run, Run]:
        return (
            run_of(request, self.settings, "earlier"),
            run_of(request, self.settings, "later"),
        )

    def _filtered(self, request: Request) -> Run:
        return replace(run_of(request, self.settings), filter=filter_of(request))


def viewer_routes(settings: Settings) -> list[BaseRoute]:
    """Return the routes of viewer, history and comparison, with their static files."""
    pages = ViewerPages(settings)
    run, pair = "/runs/{run}", "/compare/{earlier}/{later}"
    place = "{layer}/{z:int}/{x:int}/{y:int}"
    return [
        Route("/runs", _page("history.html")),
        Route("/viewer/runs.json", _json_endpoint(pages.history), methods=["POST"]),
        Mount("/viewer/leaflet", StaticFiles(directory=LEAFLET)),
        Mount("/viewer", StaticFiles(directory=STATIC)),
        Route(run, _page("viewer.html")),
        Route(run, _json_endpoint(pages.delete), methods=["DELETE"]),
        Route(f"{run}/data.json", _endpoint(pages.run)),
        Route(f"{run}/tiles/{place}", _endpoint(pages.tile)),
        Route(f"{run}/thumbnail.jpg", _endpoint(pages.thumbnail)),
        Route(f"{run}/map.png", _endpoint(pages.water_map)),
        Route(f"{run}/crops/{{number:int}}.png", _endpoint(pages.crop)),
        Route(f"{run}/download/{{kind}}", _endpoint(pages.download)),
        Route(f"{run}/review", _json_endpoint(pages.review), methods=["POST"]),
        Route(f"{run}/rename", _json_endpoint(pages.rename), methods=["POST"]),
        Route(pair, _page("compare.html")),
        Route(f"{pair}/data.json", _endpoint(pages.comparison)),
        Route(f"{pair}/tiles/{place}", _endpoint(pages.compared_tile)),
        Route(f"{pair}/changes.{{suffix}}", _endpoint(pages.changes)),
    ]


def _tile(run: Run, request: Request, onto: Run | None = None) -> Response:
    where = request.path_params
    tile = cut_tile(run, where["layer"], where["z"], where["x"], where["y"], onto)
    if tile is None:
        return Response(status_code=204, headers=_CACHED)
    return Response(tile.content, media_type=tile.media_type, headers=_CACHED)


def _page(name: str) -> Answer:
    def page(_: Request) -> Response:
        return FileResponse(STATIC / name, headers=_PAGE)

    return page


def _endpoint(answer: Answer) -> Answer:
    """Return an endpoint that reports errors as one sentence."""

    def reply(request: Request) -> Response:
        try:
            return answer(request)
        except Exception as error:
            return _error_response(error)

    return reply


def _json_endpoint(answer: Sent) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that accepts JSON, from pages of this origin only."""

    async def reply(request: Request) -> Response:
        try:
            body = await body_of(request)
            return await run_in_threadpool(answer, request, body)
        except Exception as error:
            return _error_response(error)

    return reply


def _error_response(error: Exception) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)
    if not isinstance(error, ShipdetError):
        status = 500
    log_unexpected(error, "a request of the viewer")
    return JSONResponse({"error": sentence(error)}, status)
