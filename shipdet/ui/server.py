"""The web server: limits, allowed paths, and the routes in addition to gradio's."""

import secrets
import threading
from contextlib import AbstractContextManager, nullcontext

import gradio as gr
from gradio.route_utils import FnIndexInferError
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from shipdet.errors import BadOption, EngineUnreachable, StorageFull
from shipdet.imagery.network import own_requests
from shipdet.models import import_backend
from shipdet.settings import Settings
from shipdet.ui.gradio_app import build_blocks
from shipdet.ui.own_scripts import OwnScriptsOnly
from shipdet.ui.plain_http import SentencesOverHttp, unknown_endpoint
from shipdet.ui.tile_routes import tile_routes
from shipdet.ui.upload_progress import NoProgressOfUnnamed
from shipdet.viewer import viewer_routes


def serve(settings: Settings) -> None:
    """Run the app until it is interrupted."""
    launch(settings, block=True)


def launch(settings: Settings, block: bool) -> gr.Blocks:
    """Start the app; if ``block`` is False, it runs in a thread until it is closed.

    Raises BadOption if the port is in use.
    """
    try:
        settings.runs_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFull(
            f"The results folder {settings.runs_dir} cannot be created ({error.strerror}): set "
            "SHIPDET_RUNS_DIR to another folder."
        ) from error
    blocks = build_blocks(settings)
    blocks.queue(max_size=settings.max_queue)
    chosen = settings.model_fields_set
    host = settings.host.strip("[]")
    host = f"[{host}]" if ":" in host else host  # IPv6 in gradio's URL
    # Gradio requests its own address to check that it is up; only a public link needs other hosts.
    direct: AbstractContextManager[None] = nullcontext() if settings.share else own_requests()
    try:
        with direct:
            blocks.launch(
                # If the operator has not set them, gradio reads a Space's variables.
                server_name=host if "host" in chosen else None,
                server_port=settings.port if "port" in chosen and settings.port else None,
                share=settings.share,
                prevent_thread_lock=True,
                allowed_paths=[str(settings.runs_dir.resolve())],
                max_file_size=settings.max_upload_mb * 1024**2,
                app_kwargs={
                    "routes": routes(settings),
                    "exception_handlers": {FnIndexInferError: unknown_endpoint},
                    "middleware": [
                        Middleware(OwnScriptsOnly),
                        Middleware(SentencesOverHttp),
                        Middleware(NoProgressOfUnnamed),
                    ],
                },
                ssr_mode=False,  # its proxy would not forward the routes
                show_error=False,
            )
    except OSError as error:
        raise BadOption(
            f"The app cannot listen on {settings.host}, port {settings.port}, probably because "
            "another program uses the port: choose another one with --port or SHIPDET_PORT."
        ) from error
    if block:
        # Imported now, in the background, so that the first search does not wait for it.
        chosen_backend = (settings.backend, settings.device)
        threading.Thread(target=import_backend, args=chosen_backend, daemon=True).start()
        blocks.block_thread()
    return blocks


def routes(settings: Settings) -> list[BaseRoute]:
    """Return the routes of health, map tiles, runs and, if configured, cluster metrics."""
    started = secrets.token_hex(8)  # changes at a restart, so that pages reload

    def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers={"Shipdet-Started": started})

    return [
        *(_cluster_routes(settings) if settings.cluster else ()),
        Route("/healthz", health),
        *tile_routes(settings),
        *viewer_routes(settings),
    ]


def _cluster_routes(settings: Settings) -> list[BaseRoute]:
    """Return the routes of the engines' state and the cluster's metrics."""
    from prometheus_client import CONTENT_TYPE_LATEST

    from shipdet.cluster.engines.health import engines
    from shipdet.cluster.store.prometheus import metrics
    from shipdet.cluster.submit import open_store

    store = open_store(settings)  # keeps its connections between requests

    def health(_: Request) -> Response:
        states = engines(settings)
        status = 200 if all(engine.reachable for engine in states) else 503
        return JSONResponse([vars(engine) for engine in states], status)

    def figures(_: Request) -> Response:
        try:
            return Response(metrics(store), media_type=CONTENT_TYPE_LATEST)
        except EngineUnreachable as error:
            return PlainTextResponse(str(error), 503)

    return [Route("/healthz/cluster", health), Route("/metrics", figures)]
