"""Which places are held out together, so that every place is judged by a model that never saw it.

``training/folds/places.json`` lists the places of the labeled sets; pictures of sets that have
thousands of places (land, shores, single screenshots) fall into a fold by a hash of their name.
"""

from __future__ import annotations

import json
import zlib
from functools import lru_cache

from training.data.labeled import LabeledImage
from training.paths import FOLDS

COUNT = 3
#: Sets whose every picture is a place of its own.
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
    """Place to fold, as written in places.json."""
    found: dict[str, int] = json.loads((FOLDS / "places.json").read_text())
    return found


def fold_of(image: LabeledImage) -> int:
    """The fold that holds a picture out.

    Raises:
        KeyError: the place of a labeled set is not in places.json.
    """
    if image.source in SINGLE or image.place.startswith("ge-ports/bck"):
        return zlib.crc32(image.place.encode()) % COUNT
    return listed()[image.place]


def seen_by(images: list[LabeledImage], fold: int | None) -> list[LabeledImage]:
    """What the model of a fold may see; everything when None."""
    return [image for image in images if fold is None or fold_of(image) != fold]


def held_out(images: list[LabeledImage], fold: int) -> list[LabeledImage]:
    """What the model of a fold never sees."""
    return [image for image in images if fold_of(image) == fold]
