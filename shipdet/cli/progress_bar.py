"""Progress on standard error: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from shipdet.progress import Progress, Steps, finish

T = TypeVar("T")


def shown(steps: Steps[T], quiet: bool) -> T:
    """Run a step to its end and show its progress; an interrupt stops it at its next event."""
    with watching(quiet) as watch:
        return finish(steps, watch)


@contextmanager
def watching(quiet: bool = False) -> Iterator[Callable[[Progress], None] | None]:
    """Yield a function that shows the events of runs; None if ``quiet``."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield bars
    else:
        yield Lines()


@contextmanager
def _bars() -> Iterator[Callable[[Progress], None]]:
    """Yield a function that shows one colored bar per stage."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns: tuple[Any, ...] = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        stage, task = "", None

        def show(event: Progress) -> None:
            nonlocal stage, task
            if event.stage != stage or task is None:
                if task is not None:
                    done = bars.tasks[task].total or bars.tasks[task].completed or 1
                    bars.update(task, total=done, completed=done)
                stage = event.stage
                task = bars.add_task(event.title, total=None, unit="", note="")
            bars.update(
                task,
                total=event.total or None,
                completed=event.done,
                unit=event.unit,
                note=event.note,
            )

        yield show


class Lines:
    """Prints a line when a stage begins and ends, and every ten seconds in between."""

    EVERY_S = 10.0

    def __init__(self) -> None:
        self.stage = ""
        self.shown_at = 0.0

    def __call__(self, event: Progress) -> None:
        """Print an event if a line is due."""
        now = time.monotonic()
        ended = bool(event.total) and event.done >= event.total
        if event.stage == self.stage and not ended and now - self.shown_at < self.EVERY_S:
            return
        self.stage, self.shown_at = event.stage, now
        count = f": {event.count}" if event.count else ""
        note = f" ({event.note})" if event.note else ""
        print(f"{event.title}{count}{note}", file=sys.stderr, flush=True)
