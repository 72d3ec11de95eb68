"""Progress events, which every step yields and every caller renders.

A step is a generator: it yields :class:`Progress` and returns its result. Callers write
``result = yield from step(...)``. Closing the generator cancels the step at its next event.
"""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from shipdet.detections import Sighted

Stage = Literal["wait", "fetch", "read", "load", "upscale", "detect", "compare", "report"]

STAGE_TITLES: dict[Stage, str] = {
    "wait": "Waiting for another run",
    "fetch": "Downloading imagery",
    "read": "Reading the image",
    "load": "Loading the model",
    "upscale": "Super-resolution",
    "detect": "Searching for ships",
    "compare": "Comparing with the raw image",
    "report": "Writing results",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """A progress event.

    Attributes:
        stage: Current stage of the run.
        done: Number of finished units of the stage.
        total: Number of units of the stage; 0 if unknown.
        unit: Plural name of the unit, such as "tiles".
        note: Text for the user.
        sighted: During the search, the ships found so far.

    Example:
        >>> Progress("fetch", 5, 9, "tiles").count
        '5 of 9 tiles'
    """

    stage: Stage
    done: int
    total: int
    unit: str = ""
    note: str = ""
    sighted: "Sighted | None" = field(default=None, compare=False, repr=False)

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, 0 to 1; 0 if the total is unknown."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    @property
    def count(self) -> str:
        """The progress as text, such as "5 of 9 tiles"; "" if the total is unknown or 1."""
        return f"{self.done:,} of {self.total:,} {self.unit}".rstrip() if self.total > 1 else ""

    @property
    def title(self) -> str:
        """The stage as text for the user."""
        return STAGE_TITLES[self.stage]


#: A generator cannot be closed while it waits, so waiting steps yield at this interval.
HEARTBEAT_S = 0.25

T = TypeVar("T")
Steps = Generator[Progress, None, T]


def finish(steps: Steps[T], watch: Callable[[Progress], None] | None = None) -> T:
    """Run a step to its end, call ``watch`` with each event, and return the step's result."""
    with closing(steps):  # an interrupt stops the step at its next event
        while True:
            try:
                event = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if watch is not None:
                watch(event)


def mapped(steps: Steps[T], change: Callable[[Progress], Progress]) -> Steps[T]:
    """Run a step and yield ``change(event)`` for each of its events."""
    with closing(steps):
        while True:
            try:
                event = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            yield change(event)


def labeled(event: Progress, label: str) -> Progress:
    """Return the event with a label before its note."""
    return replace(event, note=f"{label}; {event.note}" if event.note else label)
