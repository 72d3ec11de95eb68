"""Where the time of a search goes: scoring, measuring, and looking at what was found once more.

    python -m benchmarks.second_look [--model NAME] [--times 3]

Shares of one search of the synthetic harbour, the picture already at hand; the median of several.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from shipdet.detect import detect, with_views
from shipdet.imagery import download, get_provider, sample
from shipdet.models import load_classifier
from shipdet.mosaic import Picture
from shipdet.progress import Progress, finish
from shipdet.settings import Settings, read_settings

PHASES = ("score", "measure", "look once more")


def phase(event: Progress) -> str:
    """What a search was doing until an event."""
    if event.stage == "detect":
        return PHASES[0]
    return PHASES[2] if event.note else PHASES[1]


def shares(picture: Picture, settings: Settings) -> dict[str, float]:
    """Share of the time of a search that each phase takes."""
    classifier = load_classifier(settings.classifier, device="cpu", settings=settings)
    block = classifier.config.shipdet
    spent = dict.fromkeys(PHASES, 0.0)
    last = time.perf_counter()

    def note(event: Progress) -> None:
        nonlocal last
        now = time.perf_counter()
        spent[phase(event)] += now - last
        last = now

    scorer = with_views(classifier, block.views)
    finish(detect(picture, scorer, window_m=block.window_m, scoring=block.scoring), note)
    return {name: seconds / sum(spent.values()) for name, seconds in spent.items()}


def main(arguments: list[str] | None = None) -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.second_look", description=__doc__)
    parser.add_argument("--model", help="a model folder or the name of one; default: the app's")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        known = {"classifier": options.model} if options.model else {}
        settings = read_settings(cache_dir=Path(folder), **known)
        provider = get_provider("sample", settings)
        picture = finish(download(sample.bbox(), 17, provider, None, settings))
        shares(picture, settings)  # the first search loads the model
        told = [shares(picture, settings) for _ in range(options.times)]
    for name in PHASES:
        print(f"{name}: {100 * np.median([one[name] for one in told]):.0f} %")


if __name__ == "__main__":
    main()
