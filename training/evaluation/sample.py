"""Measure a model on the app's synthetic harbor, whose ships are known.

    python -m training.evaluation.sample --model weights/shipdet-pico

A ship is found if a detection at or above the threshold lies within 40 m of its center, or within
half its length. A detection that is not as near to any ship is a false alarm. The sample is part of
the training data, so this tests the pipeline, not the accuracy of a model.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import shipdet
from shipdet.detections import Detections
from shipdet.geometry import distance_m
from shipdet.imagery import sample
from shipdet.settings import Settings, read_settings

NEAR_M = 40.0
LARGE_M = 60.0
ZOOM = 17


@dataclass(frozen=True)
class Found:
    """Result of a search of the harbor.

    Attributes:
        large: Number of ships over 60 m.
        large_found: How many of them are found.
        missed: Descriptions of those that are not found.
        worst_m: Largest distance between a found ship over 60 m and its detection.
        false: Longitude, latitude and score of each false alarm.
    """

    large: int
    large_found: int
    missed: tuple[str, ...]
    worst_m: float
    false: tuple[tuple[float, float, float], ...]

    @property
    def false_per_10_km2(self) -> float:
        return 10 * len(self.false) / sample.bbox().area_km2


def judge(kept: Detections) -> Found:
    """Compare detections in the whole harbor with the ground truth."""
    places = np.array([(d.lon, d.lat) for d in kept]).reshape(-1, 2)
    truth = sample.truth()
    centers = np.array([(ship.lon, ship.lat) for ship in truth])
    away = distance_m(centers[:, None], places)  # (ships, detections)
    reach = np.array([max(NEAR_M, ship.length_m / 2) for ship in truth])
    nearest = away.min(axis=1, initial=np.inf)
    is_large = np.array([ship.length_m > LARGE_M for ship in truth])
    found = nearest <= reach
    false = ~(away <= reach[:, None]).any(axis=0)
    return Found(
        int(is_large.sum()),
        int((is_large & found).sum()),
        tuple(
            f"{ship.state} {ship.kind} of {ship.length_m:g} m"
            for ship, lost in zip(truth, (is_large & ~found).tolist(), strict=True)
            if lost
        ),
        float(nearest[is_large & found].max(initial=0.0)),
        tuple(
            (*place, one.score)
            for place, one, wrong in zip(places.tolist(), kept, false.tolist(), strict=True)
            if wrong
        ),
    )


def search(settings: Settings) -> Detections:
    """Search the whole harbor as the app does, at the model's threshold."""
    run = shipdet.detect_area(
        sample.bbox(),
        provider="sample",
        zoom=ZOOM,
        image_format="jpg",  # quick to write; nobody looks at it
        settings=settings,
    )
    return run.candidates.above(run.threshold)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings(classifier=str(arguments.model), runs_dir=Path(folder))
        found = judge(search(settings))
    print(
        f"{found.large_found} of {found.large} ships over {LARGE_M:g} m found, at most "
        f"{found.worst_m:.0f} m from their centers; {len(found.false)} false alarms on "
        f"{sample.bbox().area_km2:.1f} km2 ({found.false_per_10_km2:.2f} per 10 km2)"
    )
    for missed in found.missed:
        print("missed:", missed)
    for lon, lat, score in found.false:
        print(f"false alarm: {lon:.6f} {lat:.6f}, score {score:.3f}")


if __name__ == "__main__":
    main()
