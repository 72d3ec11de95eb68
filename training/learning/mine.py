"""Hard negatives: places that a model takes for ships, to be shown more often.

    python -m training.learning.mine --model weights/shipdet-pico --out runs/train/hard.json
    python -m training.learning.train ... --hard runs/train/hard.json

Only places where the labels know that there is no ship count. With ``--fold`` only pictures that
the fold's model may be shown are searched.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from shipdet.detect.surveying import Surveyor
from shipdet.models import load_classifier
from training.data.folds import seen_by
from training.data.labeled import LabeledImage, everything
from training.evaluation.surveys import match, surveyed

#: Lowest score of a false alarm that is worth showing.
FLOOR = 0.2
#: Pictures searched of each set without ships, at most.
MOST = 400

Places = dict[str, list[tuple[float, float]]]


def hard_places(images: Iterable[LabeledImage], model: Surveyor, floor: float) -> Places:
    """False alarms by picture, in pixels of the file; best score first."""
    found: Places = {}
    for image in images:
        one = surveyed(image, model)
        state = match(one, one.scores).state
        false = one.boxes[(state == 0) & (one.scores >= floor), :2] / np.array(image.gsd_m)
        if len(false):
            found[image.name] = [(round(x, 1), round(y, 1)) for x, y in false.tolist()]
    return found


def chosen(images: Iterable[LabeledImage], most: int) -> list[LabeledImage]:
    """All pictures with ships, and a fixed choice of the others of each set."""
    pools: dict[str, list[LabeledImage]] = {}
    kept = []
    for image in images:
        if image.ships:
            kept.append(image)
        else:
            pools.setdefault(image.source, []).append(image)
    for pool in pools.values():
        kept += sorted(pool, key=lambda image: zlib.crc32(image.name.encode()))[:most]
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="a model folder with a map head")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, help="search only what this fold's model may see")
    parser.add_argument("--floor", type=float, default=FLOOR)
    parser.add_argument("--most", type=int, default=MOST, help="pictures of a set without ships")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    images = chosen(seen_by(everything(), arguments.fold), arguments.most)
    found = hard_places(
        tqdm(images, mininterval=10), load_classifier(arguments.model), arguments.floor
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found) + "\n")
    print(f"{sum(map(len, found.values()))} places in {len(found)} of {len(images)} pictures")


if __name__ == "__main__":
    main()
