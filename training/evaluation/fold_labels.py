"""Write the labels of the images that a fold holds out to one file, for export.int8.

python -m training.evaluation.fold_labels --fold 0 --every 4 --out runs/held_out.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shipdet.geometry import Floats
from training.data.folds import held_out, seen_by
from training.data.labeled import LabeledImage, everything
from training.evaluation.evaluate import SHIPS, chosen


def labels_of(images: Iterable[LabeledImage]) -> dict[str, Any]:
    """Return images with their ships in the format of a run's labels.json."""
    return {
        "images": [
            {
                "file": str(image.path.resolve()),
                "gsd_x_m": image.gsd_m[0],
                "gsd_y_m": image.gsd_m[1],
                "complete": image.complete,
                "smallest_m": image.smallest_m if image.smallest_m > 30 else 0,
                "ships": [{"corners": ship.corners.tolist()} for ship in image.ships],
                "unknown": [_bounds(region) for region in image.unknown],
            }
            for image in images
        ]
    }


def _bounds(region: Floats) -> list[float]:
    return [*region.min(axis=0).tolist(), *region.max(axis=0).tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--seen", action="store_true", help="training images instead of held-out")
    parser.add_argument("--every", type=int, default=1, help="every nth image of large sets")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    images = (seen_by if arguments.seen else held_out)(everything(), arguments.fold)
    found = [image for image in chosen(images, arguments.every) if image.source in SHIPS]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(labels_of(found)))
    print(f"{len(found)} images in {arguments.out}")


if __name__ == "__main__":
    main()
