"""The commands, and the messages and exit codes of errors."""

import json
import sys
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from shipdet._version import __version__
from shipdet.cli import ais, catalog, detect, lookup, serving
from shipdet.cli.jobs import jobs
from shipdet.cli.parameters import PartFailed, flag, with_box
from shipdet.cli.runs import runs
from shipdet.errors import (
    EngineUnreachable,
    MissingExtra,
    MissingScale,
    NoImagery,
    OutOfMemory,
    ProviderUnreachable,
    ShipdetError,
    StorageFull,
)

#: Errors whose cause is not the command line: exit code 1 instead of 2.
CIRCUMSTANCES = (
    EngineUnreachable, MissingExtra, NoImagery, OutOfMemory, PartFailed, ProviderUnreachable,
    StorageFull,
)  # fmt: skip

app = typer.Typer(
    name="shipdet",
    rich_markup_mode="rich",
    no_args_is_help=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command()(detect.detect)
app.command()(detect.download)
app.command()(lookup.acquisitions)
app.command()(lookup.place)
app.command()(ais.ais)
app.command()(catalog.providers)
app.command()(catalog.models)
app.command()(serving.serve)
app.command()(serving.review)
app.add_typer(runs, name="runs")
app.add_typer(jobs, name="jobs")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"shipdet {__version__}")
        raise typer.Exit


@app.callback()
def shipdet(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Find ships in satellite imagery."""


def run(typed: list[str]) -> int:
    """Run a command and return its exit code."""
    try:
        arguments = with_box(typed)
        code = typer.main.get_command(app).main(arguments, "shipdet", standalone_mode=False)
    except TyperException as error:
        print(_usage(error), file=sys.stderr)
        return 2
    except ShipdetError as error:
        if "--json" in typed and not isinstance(error, PartFailed):
            print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        advice = f" The option is {flag('gsd_m')}." if isinstance(error, MissingScale) else ""
        print(f"{error}{advice}", file=sys.stderr)
        return 1 if isinstance(error, CIRCUMSTANCES) else 2
    return code if isinstance(code, int) else 0


def _usage(error: TyperException) -> str:
    """Return a usage error as one sentence that refers to the help."""
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "shipdet"
    return f"{message}{'' if message.endswith('?') else ';'} `{command} --help` shows how."
