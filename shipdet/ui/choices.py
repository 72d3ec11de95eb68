"""Choices of the drop-down lists."""

import math
from collections.abc import Sequence

from shipdet import pipeline
from shipdet.geometry import BBox
from shipdet.imagery import Provider, get_provider, sample
from shipdet.requests import Search
from shipdet.settings import Settings

AUTO_ZOOM = "auto"
STATED_BANDS = "From the image"  # title and value, because gradio confuses the two
MAX_BANDS = 16  # single bands in the list
COARSEST_ZOOM = 12  # lowest in the list: coarser imagery shows no ship

ZoomChoice = tuple[str, str | int]


def sample_area() -> BBox:
    """Return the sample's box with six decimals, rounded inward so that no tile is missing."""
    box, million = sample.bbox(), 1e6
    return BBox(
        math.ceil(box.west * million) / million,
        math.ceil(box.south * million) / million,
        math.floor(box.east * million) / million,
        math.floor(box.north * million) / million,
    )


def zoom_choices(provider: Provider, recommended: int) -> list[ZoomChoice]:
    """Return the recommended zoom, then the provider's zooms at which ships are visible."""
    lowest = max(provider.min_zoom, COARSEST_ZOOM)
    zooms = range(lowest, provider.max_zoom + 1)
    return [(f"Best · {recommended}", AUTO_ZOOM), *((str(z), z) for z in zooms)]


def sample_zoom(settings: Settings) -> tuple[int, str]:
    """Return the zoom that the configured model needs on the sample, and the reason; offline."""
    if settings.classifier not in (model.name for model in pipeline.models(settings)):
        native = get_provider("sample", settings).native_zoom
        return native, "The best zoom is computed after the model has been downloaded."
    latitude = sample_area().center[1]
    return pipeline.default_zoom("sample", latitude, Search(), settings, untrusted=True)


def band_choices(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the usual band selections for an image's band names; others can be typed."""
    count = len(names)
    sets = [(1, 2, 3), (3, 2, 1), (4, 3, 2)] if count > 1 else []
    several = [
        (", ".join(_band(number, names) for number in chosen), ",".join(map(str, chosen)))
        for chosen in sets
        if max(chosen) <= count
    ]
    single = [(f"{_band(number, names)} in gray", str(number)) for number in range(1, count + 1)]
    return [(STATED_BANDS, STATED_BANDS), *several, *(single[:MAX_BANDS] if count > 1 else [])]


def _band(number: int, names: Sequence[str]) -> str:
    name = names[number - 1]
    return f"{number} {name}" if name else str(number)


def model_choices(task: str, settings: Settings) -> list[tuple[str, str]]:
    """Return title and name of the models for a task."""
    return [(model.title, model.name) for model in pipeline.models(settings) if model.task == task]


def default_threshold(model: str | None, settings: Settings) -> float:
    """Return the model's own threshold, or 0.5 if there is no such model."""
    known = {info.name: info.threshold for info in pipeline.models(settings)}
    return known.get(model or "") or 0.5
