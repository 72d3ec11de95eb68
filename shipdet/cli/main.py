"""The entry point of the command line.

``main`` imports the commands, which takes a second, so that it also handles an interrupt then.
"""

import io
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # its encoding may lack "°"
    code: object
    try:
        with _terminable():
            from shipdet.cli.commands import run

            code = run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # during the imports; later, typer converts it to an exit code
        code = INTERRUPTED
    except SystemExit as stop:
        code = stop.code
    if code in (INTERRUPTED, TERMINATED):
        print("Stopped; downloaded tiles are kept.", file=sys.stderr)
    return code if isinstance(code, int) else 1


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM raise SystemExit, so that unfinished files are removed as after Ctrl-C."""

    def stop(*_: object) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
