"""The viewer without the rest of the app, for ``shipdet review``."""

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import RedirectResponse
from starlette.routing import Route

from shipdet.errors import BadOption
from shipdet.report.folder import RUN_ID
from shipdet.settings import Settings
from shipdet.viewer.routes import viewer_routes


def review(folder: Path, settings: Settings, port: int, opened: Callable[[str], object]) -> None:
    """Serve the viewer of a run on this machine until it is interrupted.

    It answers only to the host names 127.0.0.1 and localhost, so a website that resolves its own
    name to this machine is refused.

    Args:
        folder: The run folder.
        settings: Settings for everything except the runs folder.
        port: Port to listen on; 0 for a free one.
        opened: Called with the viewer's address when the server listens.

    Raises:
        BadOption: The folder's name cannot be part of an address, or the port is in use.
    """
    folder = folder.resolve()
    if not RUN_ID.fullmatch(folder.name):
        raise BadOption(f"Rename the folder {folder.name}: its name cannot be part of an address.")
    beside = settings.model_copy(update={"runs_dir": folder.parent, "history": "all"})
    home = Route("/", lambda _: RedirectResponse("runs"))
    own_names = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app = Starlette(routes=[home, *viewer_routes(beside)], middleware=[own_names])
    with contextlib.closing(_listening(port)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/runs/{quote(folder.name)}"
        opened(address)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise BadOption(f"Port {port} is in use: choose another one with --port.") from error
    listener.listen()
    return listener
