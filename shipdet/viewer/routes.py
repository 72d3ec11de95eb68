"""The addresses of the pages and of their endpoints.

Every address is relative to where the app is mounted, so it works behind a proxy's path as well.
An error is ``{"error": sentence}`` with a status of 400 and more.
"""

import logging
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
from shipdet.errors import BadOption, NotYours, ShipdetError, StorageFull, sentence
from shipdet.pipeline import Run
from shipdet.report import PREVIEW, cut_tile
from shipdet.report.finished_run import CHIPS, chip_name
from shipdet.report.raster import thumbnail
from shipdet.settings import Settings
from shipdet.viewer import telling
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

log = logging.getLogger(__name__)

STATIC = Path(__file__).resolve().parent / "static"
LEAFLET = STATIC.parents[1] / "ui" / "static" / "leaflet"  # the app's map uses it, too
MOST_IDS = 500  # of runs that a browser remembers
_KEPT = {"Cache-Control": "private, max-age=86400"}  # images of a run never change
_FRESH = {"Cache-Control": "no-store"}
#: Pages run the viewer's own scripts only; Leaflet and the legend set styles.
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
        """The list of runs: all, or those whose ids the browser names."""
        settings = self.settings
        runs = pipeline.runs(settings)
        every = lists_all(request, settings)
        if not every:
            ids = body.get("ids")
            own = ids[:MOST_IDS] if isinstance(ids, list) else []
            runs = [run for run in runs if run.id in own]
        reply = telling.history_page(
            runs,
            running_runs() if every else (),
            settings.runs_max_age_days,
            settings.runs_max_gb,
        )
        return JSONResponse({**reply, "every": every}, headers=_FRESH)

    def run(self, request: Request) -> Response:
        """A run, with the ships that the filter in the query leaves."""
        return JSONResponse(telling.run_page(self._filtered(request)), headers=_FRESH)

    def tile(self, request: Request) -> Response:
        """A tile of a run's image."""
        return _tile(run_of(request, self.settings), request)

    def compared_tile(self, request: Request) -> Response:
        """A tile of the later run's image, in the earlier run's pixels."""
        earlier = run_of(request, self.settings, "earlier")
        return _tile(run_of(request, self.settings, "later"), request, earlier)

    def thumbnail(self, request: Request) -> Response:
        """A small picture of a run."""
        run = run_of(request, self.settings)
        try:
            small = thumbnail(run.folder / PREVIEW)
        except OSError as error:
            raise BadOption("The run has no preview.") from error
        return Response(small, media_type="image/jpeg", headers=_KEPT)

    def water_map(self, request: Request) -> Response:
        """The network's map of water, land and hulls."""
        run = run_of(request, self.settings)
        if "map" not in run.files:
            raise BadOption("The run has no map of water and hulls.")
        return FileResponse(run.files["map"], headers=_KEPT)

    def crop(self, request: Request) -> Response:
        """The crop of a ship, by its number; nothing where the ship has gone meanwhile."""
        run = run_of(request, self.settings)
        kept = request.query_params.get("v") == version_of(run)
        try:
            # At once: a review writes a ship's crop anew under another number.
            crop = (run.folder / CHIPS / chip_name(request.path_params["number"])).read_bytes()
        except OSError:
            return Response(status_code=204, headers=_FRESH)
        return Response(crop, media_type="image/png", headers=_KEPT if kept else _FRESH)

    def download(self, request: Request) -> Response:
        """A file of what the filter in the query leaves."""
        return run_file(self._filtered(request), request.path_params["kind"])

    def review(self, request: Request, body: dict[str, Any]) -> Response:
        """Apply actions of a reviewer; the answer is the run as it is then."""
        run = run_of(request, self.settings)
        run = pipeline.change_review(run, partial(reviewed, body=body))
        kept = replace(run, filter=filter_of(request))
        return JSONResponse(telling.run_page(kept), headers=_FRESH)

    def rename(self, request: Request, body: dict[str, Any]) -> Response:
        """Give a run another name."""
        name = str(body.get("name") or "")
        run = pipeline.rename_run(request.path_params["run"], name, self.settings)
        return JSONResponse({"id": run.id})

    def delete(self, request: Request, _: dict[str, Any]) -> Response:
        """Delete a run with its files."""
        pipeline.delete_run(request.path_params["run"], self.settings)
        return JSONResponse({})

    def comparison(self, request: Request) -> Response:
        """Which ships stayed, arrived and left between two runs."""
        return JSONResponse(telling.comparison_page(*self._two(request)), headers=_FRESH)

    def changes(self, request: Request) -> Response:
        """The comparison as a file."""
        earlier, later = self._two(request)
        suffix = f".{request.path_params['suffix']}"
        if suffix not in CHANGES:
            raise BadOption(f"A comparison is saved as {', '.join(CHANGES)}.")
        name = f"{earlier.id}-to-{later.id}"[:150]
        return changes_file(pipeline.compare(earlier, later), name, suffix)

    def _two(self, request: Request) -> tuple[Run, Run]:
        return (
            run_of(request, self.settings, "earlier"),
            run_of(request, self.settings, "later"),
        )

    def _filtered(self, request: Request) -> Run:
        return replace(run_of(request, self.settings), filter=filter_of(request))


def viewer_routes(settings: Settings) -> list[BaseRoute]:
    """Routes of the viewer, the history and the comparison, with their static files."""
    pages = ViewerPages(settings)
    run, pair = "/runs/{run}", "/compare/{earlier}/{later}"
    place = "{layer}/{z:int}/{x:int}/{y:int}"
    return [
        Route("/runs", _page("history.html")),
        Route("/viewer/runs.json", _sent(pages.history), methods=["POST"]),
        Mount("/viewer/leaflet", StaticFiles(directory=LEAFLET)),
        Mount("/viewer", StaticFiles(directory=STATIC)),
        Route(run, _page("viewer.html")),
        Route(run, _sent(pages.delete), methods=["DELETE"]),
        Route(f"{run}/data.json", _answered(pages.run)),
        Route(f"{run}/tiles/{place}", _answered(pages.tile)),
        Route(f"{run}/thumbnail.jpg", _answered(pages.thumbnail)),
        Route(f"{run}/map.png", _answered(pages.water_map)),
        Route(f"{run}/crops/{{number:int}}.png", _answered(pages.crop)),
        Route(f"{run}/download/{{kind}}", _answered(pages.download)),
        Route(f"{run}/review", _sent(pages.review), methods=["POST"]),
        Route(f"{run}/rename", _sent(pages.rename), methods=["POST"]),
        Route(pair, _page("compare.html")),
        Route(f"{pair}/data.json", _answered(pages.comparison)),
        Route(f"{pair}/tiles/{place}", _answered(pages.compared_tile)),
        Route(f"{pair}/changes.{{suffix}}", _answered(pages.changes)),
    ]


def _tile(run: Run, request: Request, onto: Run | None = None) -> Response:
    where = request.path_params
    tile = cut_tile(run, where["layer"], where["z"], where["x"], where["y"], onto)
    if tile is None:
        return Response(status_code=204, headers=_KEPT)
    return Response(tile.content, media_type=tile.media_type, headers=_KEPT)


def _page(name: str) -> Answer:
    def page(_: Request) -> Response:
        return FileResponse(STATIC / name, headers=_PAGE)

    return page


def _answered(answer: Answer) -> Answer:
    """An endpoint whose errors are one sentence."""

    def reply(request: Request) -> Response:
        try:
            return answer(request)
        except Exception as error:
            return _refusal(error)

    return reply


def _sent(answer: Sent) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that a page sends JSON to: for pages of this origin only."""

    async def reply(request: Request) -> Response:
        try:
            body = await body_of(request)
            return await run_in_threadpool(answer, request, body)
        except Exception as error:
            return _refusal(error)

    return reply


def _refusal(error: Exception) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)
    if not isinstance(error, ShipdetError):
        log.exception("a viewer's request failed", exc_info=error)
        status = 500
    return JSONResponse({"error": sentence(error)}, status)
