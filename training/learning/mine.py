"""Mine hard negatives: places that a model mistakes for ships, sampled more often in training.

    python -m training.learning.mine --model weights/shipdet-pico --out runs/train/hard.json
    python -m training.learning.train ... --hard runs/train/hard.json

Only places that are labeled as free of ships count. With ``--fold``, only the training images of
that fold are searched. With ``--evaluation``, no image is searched: the hard negatives are the
false alarms of the folds' models on their held-out places, so use them only to train on all
places.
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

from shipdet.models import load_classifier
from training.data.folds import seen_by
from training.data.labeled import LabeledImage, everything
from training.evaluation.surveys import Surveyed, load, match, surveyed

#: Lowest score of a hard negative.
FLOOR = 0.2
#: Most images without ships that are searched per set.
MOST = 400

Places = dict[str, list[tuple[float, float]]]


def hard_places(found: Iterable[Surveyed], floor: float) -> Places:
    """Return the false alarms with a score of at least ``floor``, by image, in file pixels."""
    places: Places = {}
    for one in found:
        state = match(one, one.scores).state
        false = one.boxes[(state == 0) & (one.scores >= floor), :2] / np.array(one.image.gsd_m)
        if len(false):
            places[one.image.name] = [(round(x, 1), round(y, 1)) for x, y in false.tolist()]
    return places


def chosen(images: Iterable[LabeledImage], most: int) -> list[LabeledImage]:
    """Return all images with ships, and a fixed sample of at most ``most`` others of each set."""
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
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", help="a model folder with a map head")
    source.add_argument("--evaluation", type=Path, help="output folder of evaluate")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, help="search only this fold's training images")
    parser.add_argument("--floor", type=float, default=FLOOR)
    parser.add_argument("--most", type=int, default=MOST, help="images without ships per set")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.evaluation:
        images = everything()
        kept = sorted(arguments.evaluation.glob("candidates_*.npz"))
        found: Iterable[Surveyed] = [one for path in kept for one in load(path, images)]
    else:
        images = chosen(seen_by(everything(), arguments.fold), arguments.most)
        model = load_classifier(arguments.model)
        found = (surveyed(image, model) for image in tqdm(images, mininterval=10))
    places = hard_places(found, arguments.floor)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(places) + "\n")
    print(f"{sum(map(len, places.values()))} places in {len(places)} images")


if __name__ == "__main__":
    main()
