"""Runs as streams of events, and the run that a page or a client refers to."""

from collections.abc import Generator
from pathlib import Path

from shipdet import pipeline
from shipdet.progress import Progress
from shipdet.requests import AreaRequest, ImageRequest
from shipdet.settings import Settings
from shipdet.ui.zerogpu import on_gpu

DEVICE = "device"
"""The concurrency id shared by every event that computes: one at a time."""

RunEvents = Generator[Progress | Path, None, None]


# ZeroGPU runs these in another process, which hands over what is yielded but not what is
# returned: so the run's folder is the last thing they yield.


@on_gpu
def area_events(request: AreaRequest, settings: Settings) -> RunEvents:
    """Progress of a search in an area, then the run's folder; closing it cancels."""
    run = yield from pipeline.iter_area(request, settings=settings, untrusted=True)
    yield run.folder


@on_gpu
def image_events(picture: Path, request: ImageRequest, settings: Settings) -> RunEvents:
    """Progress of a search in a picture, then the run's folder; closing it cancels."""
    run = yield from pipeline.iter_image(picture, request, settings=settings, untrusted=True)
    yield run.folder
