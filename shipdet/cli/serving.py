"""``shipdet serve``."""

from typing import Annotated

import typer

from shipdet.settings import get_settings, read_settings


def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on (SHIPDET_HOST).")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port to listen on (SHIPDET_PORT).")
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Make a public gradio link (SHIPDET_SHARE).")
    ] = False,
) -> None:
    """Start the web app.

    [bold]Example[/bold]

    shipdet serve --port 7861
    """
    from shipdet.ui import serve as start

    given = {"host": host, "port": port, "share": share or None}
    changes = {name: value for name, value in given.items() if value is not None}
    start(read_settings(**{**get_settings().model_dump(exclude_unset=True), **changes}))
