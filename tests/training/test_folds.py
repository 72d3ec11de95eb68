"""Folds are of places: what a model was held out from, nothing of that place was shown to it."""

import json
from pathlib import Path

from training.data.folds import COUNT, SINGLE, fold_of, held_out, listed, seen_by
from training.data.labeled import RULES, LabeledImage
from training.paths import FOLDS


def image(place: str, number: int = 0) -> LabeledImage:
    source = place.split("/")[0]
    return LabeledImage(f"{source}/{number}.png", Path(f"{number}.png"), (3.0, 3.0), place)


def many() -> list[LabeledImage]:
    """Two pictures of every listed place, and of a hundred single places of each other set."""
    places = [*listed(), *(f"{name}/{n}" for name in SINGLE for n in range(100))]
    places += [f"ge-ports/bck_{n:03d}" for n in range(100)]
    return [image(place, number) for place in places for number in (0, 1)]


def test_no_place_is_both_shown_and_held_out() -> None:
    for fold in range(COUNT):
        shown = {one.place for one in seen_by(many(), fold)}
        kept = {one.place for one in held_out(many(), fold)}
        assert shown.isdisjoint(kept)
        assert len(shown) > len(kept) > 0


def test_every_place_is_held_out_once() -> None:
    kept = [one for fold in range(COUNT) for one in held_out(many(), fold)]
    assert sorted(one.name + one.place for one in kept) == sorted(
        one.name + one.place for one in many()
    )
    assert len(seen_by(many(), None)) == len(many())


def test_the_file_names_each_place_once_and_every_labeled_set() -> None:
    pairs = json.loads(
        (FOLDS / "places.json").read_text(), object_pairs_hook=lambda found: [*found]
    )
    assert len(pairs) == len(set(pairs)), "a place that stands twice would lose a fold"
    assert {*listed().values()} == {*range(COUNT)}
    assert {place.split("/")[0] for place in listed()} >= {*RULES} - {*SINGLE}


def test_single_places_spread_over_the_folds_and_stay_there() -> None:
    folds = [fold_of(image(f"aid/Port/{n}")) for n in range(300)]
    assert min(folds.count(fold) for fold in range(COUNT)) > 70
    assert fold_of(image("aid/Port/7")) == fold_of(image("aid/Port/7", 1))
