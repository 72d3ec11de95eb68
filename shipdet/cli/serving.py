"""``shipdet serve`` and ``shipdet review``."""

from typing import Annotated

import typer

from shipdet.cli.parameters import RunName
from shipdet.settings import get_settings, read_settings


def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on (SHIPDET_HOST).")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port to listen on (SHIPDET_PORT).")
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Create a public Gradio link (SHIPDET_SHARE).")
    ] = False,
) -> None:
    """Start the web app.

    Runs are stored in the user's data folder, or in SHIPDET_RUNS_DIR. The documentation lists all
    settings.

    [bold]Example[/bold]

    shipdet serve --port 7861
    """
    given = {"host": host, "port": port, "share": share or None}
    changes = {name: value for name, value in given.items() if value is not None}
    settings = read_settings(**{**get_settings().model_dump(exclude_unset=True), **changes})
    # Imported after the settings are checked, because it takes seconds.
    from shipdet.ui import serve as start

    start(settings)


def review(
    run: RunName,
    port: Annotated[int, typer.Option("--port", help="Port to listen on; 0: a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the address in the browser.")
    ] = True,
) -> None:
    """Open a run in the viewer to inspect and review its ships.

    Prints the viewer's address, which works only on this machine until the command is interrupted.

    [bold]Example[/bold]

    shipdet review 20260301-101500-a1b2c3
    """
    from shipdet import pipeline
    from shipdet.viewer import review as serve_viewer

    def opened(address: str) -> None:
        print(address, flush=True)
        if browser:
            typer.launch(address)

    serve_viewer(pipeline.find_run(run).folder, get_settings(), port, opened)
