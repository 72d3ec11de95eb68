"""Find the places where a model sees ships and there are none; training looks there more often.

    python -m training.mine --model weights/shipdet-pico --out runs/train/mined.json

With `--teacher` and its weights instead of `--model`, those of the teacher.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from shipdet.detect.merging import peaks
from shipdet.detect.scoring import WindowScorer, score
from shipdet.detect.view import NetworkView
from shipdet.models import load_classifier
from shipdet.progress import finish
from training.datasets import Scene, load_set
from training.models import load_teacher
from training.scenes import as_mosaic
from training.teacher import TeacherScorer
from training.windows import IGNORED, NET_GSD_M, WINDOW_M

SETS = ("planet-scenes", "planet-land", "harbours")
FLOOR = 0.2
MOST_PER_SCENE = 150


def false_alarms(scene: Scene, classifier: WindowScorer) -> list[tuple[float, float]]:
    """Centres (image pixels) of peaks away from every ship and outside unknown regions."""
    view = NetworkView(as_mosaic(scene), NET_GSD_M)
    centres, scores = peaks(finish(score(view, classifier, classifier.cell_px, "dense")), FLOOR)
    points = view.to_mosaic(centres)
    height, width = scene.read().shape[:2]
    unknown = scene.unknown_mask(height, width)
    gsd = scene.gsd_m or NET_GSD_M
    alarms = []
    for x, y in points[np.argsort(-scores)]:
        inside = unknown[int(min(y, height - 1)), int(min(x, width - 1))]
        gaps = [np.hypot(*(ship.centre - (x, y))) * gsd for ship in scene.ships]
        if not inside and min(gaps, default=np.inf) > IGNORED * WINDOW_M:
            alarms.append((round(float(x), 1), round(float(y), 1)))
    return alarms[:MOST_PER_SCENE]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--model", help="a model folder or the name of one")
    whose.add_argument("--teacher", type=Path, help="a teacher's weights")
    parser.add_argument("--sets", nargs="+", default=SETS, help="where to look")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    classifier: WindowScorer = (
        TeacherScorer(load_teacher(arguments.teacher))
        if arguments.teacher
        else load_classifier(arguments.model)
    )
    alarms = {
        scene.name: false_alarms(scene, classifier)
        for name in arguments.sets
        for scene in load_set(name)
        if scene.gsd_m is not None and scene.complete
    }
    arguments.out.write_text(json.dumps(alarms))
    for name, points in alarms.items():
        print(f"{name}: {len(points)}")


if __name__ == "__main__":
    main()
