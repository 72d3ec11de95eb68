"""Compare raw images with super-resolved ones, whole and selective, on places a fold held out.

    python -m training.evaluation.enlarged --fold 0=training/folds/shipdet-pico/0 \
        --out runs/enlarged.json

All three are scored by the model's own judge and threshold. A ship counts as lost by selective
super-resolution if it is found where the whole image is enlarged, but not otherwise.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from shipdet.models import Classifier, Upscaler, load_classifier, load_upscaler
from shipdet.pipeline.choosing import SearchPlan, plan_search
from shipdet.pipeline.enlarging import enlarge
from shipdet.progress import finish
from shipdet.report import Clock
from shipdet.requests import Search
from shipdet.settings import get_settings
from training.data.folds import held_out
from training.data.labeled import LabeledImage, everything
from training.evaluation.evaluate import chosen, of_source
from training.evaluation.figures import figures
from training.evaluation.surveys import Surveyed, as_mosaic, surveyed

#: Sets that super-resolution is offered for, coarse ones first.
SETS = ("sentinel2-ports", "s2-anchorages", "mosaics", "planet-ports", "planet-scenes")
WAYS = ("raw", "whole", "selective")


def enlarged(
    image: LabeledImage, classifier: Classifier, upscaler: Upscaler, how: SearchPlan
) -> Surveyed:
    """Enlarge a labeled image as a search would, and run the model over it."""
    result = finish(enlarge(as_mosaic(image), classifier, upscaler, how, Clock()))
    return surveyed(image, classifier, result.mosaic)


def compared(found: dict[str, list[Surveyed]], threshold: float) -> dict[str, Any]:
    """Figures by set and way, and the number of ships that selective super-resolution loses."""
    result: dict[str, Any] = {}
    for source in sorted({one.image.source for one in found["raw"]}):
        pools = {
            way: of_source(found[way], [one.scores for one in found[way]], source) for way in WAYS
        }
        result[source] = {way: figures(pools[way], threshold) for way in WAYS}
        hits = {way: pools[way].ship_scores >= threshold for way in WAYS}
        result[source]["lost"] = int((hits["whole"] & ~hits["selective"]).sum())
        result[source]["gained"] = int((hits["selective"] & ~hits["whole"]).sum())
    return result


def table(result: dict[str, Any]) -> str:
    """The comparison as a table of Markdown."""
    lines = [
        "| set | ships | F1 raw | whole | selective | AP raw | whole | selective | lost |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for source, row in result.items():
        cells = [f"{row[way][name]:.3f}" for name in ("f1", "ap") for way in WAYS]
        lines.append(f"| {source} | {row['raw']['ships']} | {' | '.join(cells)} | {row['lost']} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fold", required=True, help="N=FOLDER: the model of a fold")
    parser.add_argument("--upscaler", default="realesr-general-x4v3")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--every", type=int, default=1, help="every nth image of large sets")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    number, folder = arguments.fold.split("=", 1)
    images = chosen(held_out(everything(), int(number)), arguments.every)
    classifier, upscaler = load_classifier(folder), load_upscaler(arguments.upscaler)
    plans = {
        way: plan_search(
            Search(
                model=folder,
                upscale="x4",
                upscaler=arguments.upscaler,
                selective=way == "selective",
            ),
            get_settings(),
        )
        for way in WAYS[1:]
    }
    found: dict[str, list[Surveyed]] = {way: [] for way in WAYS}
    for image in tqdm([one for one in images if one.source in arguments.sets], mininterval=10):
        found["raw"].append(surveyed(image, classifier))
        for way in WAYS[1:]:
            found[way].append(enlarged(image, classifier, upscaler, plans[way]))
    result = compared(found, classifier.config.shipdet.threshold)
    print(table(result))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
