"""Progress events: what every step yields and every caller renders.

A step is a generator: it yields :class:`Progress` and returns its result, so that a caller writes
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
    """One step forward: ``done`` of ``total`` ``unit`` of ``stage``; ``note`` is text for the user.

    During the search, ``sighted`` holds the ships found so far.
    """

    stage: Stage
    done: int
    total: int
    unit: str = ""
    note: str = ""
    sighted: "Sighted | None" = field(default=None, compare=False, repr=False)

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, 0 to 1; 0 when the total is not known."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    @property
    def count(self) -> str:
        """How far it is, as "5 of 9 tiles"; "" where there is one thing to do or none known."""
        return f"{self.done:,} of {self.total:,} {self.unit}".rstrip() if self.total > 1 else ""

    @property
    def title(self) -> str:
        """The stage in words."""
        return STAGE_TITLES[self.stage]


#: A generator cannot be closed while it waits: it gives the caller a chance this often.
HEARTBEAT_S = 0.25

T = TypeVar("T")
Steps = Generator[Progress, None, T]


def finish(steps: Steps[T], watch: Callable[[Progress], None] | None = None) -> T:
    """Run a step to its end and return its result, calling ``watch`` with each event."""
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
    """A step whose events are changed on their way."""
    with closing(steps):
        while True:
            try:
                event = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            yield change(event)


def labeled(event: Progress, label: str) -> Progress:
    """The event with a label before its note."""
    return replace(event, note=f"{label}; {event.note}" if event.note else label)
