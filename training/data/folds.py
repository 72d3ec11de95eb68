"""Folds of places, so that each place is evaluated with a model that was not trained on it.

``training/folds/places.json`` assigns the places of the labeled sets to folds. In sets with
thousands of places (land, shores, single screenshots), a hash of the name assigns the fold.
"""

from __future__ import annotations

import json
import zlib
from functools import lru_cache

from training.data.labeled import LabeledImage
from training.paths import FOLDS

COUNT = 3
#: Sets in which every image is a separate place.
SINGLE = (
    "aid",
    "resisc",
    "eurosat",
    "water-bodies",
    "planet-clouds",
    "ships-aerial",
)


@lru_cache(maxsize=1)
def listed() -> dict[str, int]:
    """Read places.json, a mapping from place to fold."""
    found: dict[str, int] = json.loads((FOLDS / "places.json").read_text())
    return found


def fold_of(image: LabeledImage) -> int:
    """Return the fold that holds an image out.

    Raises:
        KeyError: The place is not in places.json.
    """
    if image.source in SINGLE or image.place.startswith("ge-ports/bck"):
        return zlib.crc32(image.place.encode()) % COUNT
    return listed()[image.place]


def seen_by(images: list[LabeledImage], fold: int | None) -> list[LabeledImage]:
    """Return the training images of a fold; all images if ``fold`` is None."""
    return [image for image in images if fold is None or fold_of(image) != fold]


def held_out(images: list[LabeledImage], fold: int) -> list[LabeledImage]:
    """Return the held-out images of a fold."""
    return [image for image in images if fold_of(image) == fold]
