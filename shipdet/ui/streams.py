"""Runs as streams of events, and the run that a page or a client refers to."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from shipdet import pipeline
from shipdet.errors import ShipdetError
from shipdet.progress import Progress, labeled
from shipdet.requests import AreaRequest, ImageRequest
from shipdet.settings import Settings
from shipdet.ui.zerogpu import on_gpu

DEVICE = "device"
"""The concurrency id shared by every endpoint that computes: one at a time."""


@dataclass(frozen=True)
class Ais:
    """An AIS file to match a run with, and the time of the image where its imagery has none."""

    file: str | Path
    acquired: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one of several searches: the folder of its run, or why there is none."""

    name: str
    folder: Path | None
    error: str = ""


@dataclass(frozen=True)
class Summary:
    """What became of several searches, in the order that they were done in."""

    outcomes: tuple[Outcome, ...]


RunEvents = Generator[Progress | Path, None, None]
AllEvents = Generator[Progress | Path | Summary, None, None]
Searches = Sequence[tuple[str, Callable[[], RunEvents]]]


# ZeroGPU runs these in another process, which hands over what is yielded but not what is
# returned: so the run's folder is the last thing they yield.


@on_gpu
def area_events(request: AreaRequest, settings: Settings, ais: Ais | None = None) -> RunEvents:
    """Progress of a search in an area, then the run's folder; closing it cancels.

    An AIS file is read before anything is fetched.
    """
    contacts = None
    if ais is not None:
        contacts = pipeline.ais_of_area(request, ais.file, ais.acquired, settings)
    run = yield from pipeline.iter_area(request, settings=settings, untrusted=True)
    yield (run if contacts is None else pipeline.match_ais(run, contacts)).folder


@on_gpu
def image_events(
    picture: Path, request: ImageRequest, settings: Settings, ais: Ais | None = None
) -> RunEvents:
    """Progress of a search in a picture, then the run's folder; closing it cancels."""
    contacts = None
    if ais is not None:
        facts = pipeline.inspect_image(picture, request, settings, untrusted=True)
        contacts = pipeline.ais_of_image(facts, ais.file, ais.acquired)
    run = yield from pipeline.iter_image(picture, request, settings=settings, untrusted=True)
    yield (run if contacts is None else pipeline.match_ais(run, contacts)).folder


def one_after_another(searches: Searches) -> AllEvents:
    """The events of one search; of several their progress, and a summary at the end.

    One of several that fails does not stop the others. Closing it cancels the one that runs and
    those after it.
    """
    if len(searches) == 1:
        yield from searches[0][1]()
        return
    outcomes = []
    for number, (name, begin) in enumerate(searches, start=1):
        label = f"{number} of {len(searches)}: {name}"
        try:
            with closing(begin()) as events:
                for event in events:
                    if isinstance(event, Path):
                        outcomes.append(Outcome(name, event))
                        continue
                    yield labeled(event, label)
        except ShipdetError as error:
            outcomes.append(Outcome(name, None, str(error)))
    yield Summary(tuple(outcomes))
