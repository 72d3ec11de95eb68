"""Runs as streams of events."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from shipdet import pipeline
from shipdet.errors import log_unexpected, sentence
from shipdet.progress import Progress, labeled
from shipdet.requests import AreaRequest, ImageRequest
from shipdet.settings import Settings
from shipdet.ui.zerogpu import on_gpu

DEVICE = "device"
"""The concurrency id shared by every endpoint that computes: one call at a time."""


@dataclass(frozen=True)
class Ais:
    """An AIS file to match with a run, and the time of the image if its imagery has none."""

    file: str | Path
    acquired: str | None = None


@dataclass(frozen=True)
class Outcome:
    """Outcome of one of several searches: the folder of its run, or its error."""

    name: str
    folder: Path | None
    error: str = ""


@dataclass(frozen=True)
class Summary:
    """Outcomes of several searches, in the order of the searches."""

    outcomes: tuple[Outcome, ...]


RunEvents = Generator[Progress | Path, None, None]
AllEvents = Generator[Progress | Path | Summary, None, None]
Searches = Sequence[tuple[str, Callable[[], RunEvents]]]


# ZeroGPU runs these in another process, which passes on what they yield but not what they
# return, so the last value they yield is the run's folder.


@on_gpu
def area_events(request: AreaRequest, settings: Settings, ais: Ais | None = None) -> RunEvents:
    """Yield the progress of a search in an area, then the run's folder; closing cancels.

    An AIS file is read before any imagery is fetched.
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
    """Yield the progress of a search in an image, then the run's folder; closing cancels."""
    contacts = None
    if ais is not None:
        facts = pipeline.inspect_image(picture, request, settings, untrusted=True)
        contacts = pipeline.ais_of_image(facts, ais.file, ais.acquired)
    run = yield from pipeline.iter_image(picture, request, settings=settings, untrusted=True)
    yield (run if contacts is None else pipeline.match_ais(run, contacts)).folder


def one_after_another(searches: Searches) -> AllEvents:
    """Yield the events of one search, or the progress of several and a summary at the end.

    A failed search does not stop the others. Closing cancels the current search and those after
    it.
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
        except Exception as error:  # the results of the others are not lost
            log_unexpected(error, f"the search of {name}")
            outcomes.append(Outcome(name, None, sentence(error)))
    yield Summary(tuple(outcomes))
