"""What counts as found, the figures that come of it, the judge, plots and the card."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shipdet.detect.judging import score_of
from shipdet.models.config import FEATURES
from shipdet.mosaic import Mosaic
from tests.helpers import PROJECT
from tests.helpers.painted import BrightnessClassifier, paint_ship, sea
from training.data.labeled import LabeledImage, LabeledShip, upright
from training.evaluation import plots
from training.evaluation.card import card, sources, summary, with_summary
from training.evaluation.enlarged import WAYS, compared
from training.evaluation.enlarged import table as comparison
from training.evaluation.evaluate import (
    LAND,
    SHIPS,
    SHORE,
    chosen,
    craft,
    cut,
    evaluated,
    report,
    table,
)
from training.evaluation.figures import (
    Pool,
    average_precision,
    best_threshold,
    curve,
    figures,
    iou,
    pool,
)
from training.evaluation.judge import examples, fit
from training.evaluation.surveys import Surveyed, as_mosaic, load, match, save, surveyed
from training.learning.mine import hard_places

GSD_M = 2.0


def ship(x_m: float, y_m: float, length: float = 100.0, width: float = 20.0) -> LabeledShip:
    """Along +x; pixels of 2 m."""
    corners = np.array(
        [
            (x_m - length / 2, y_m - width / 2), (x_m + length / 2, y_m - width / 2),
            (x_m + length / 2, y_m + width / 2), (x_m - length / 2, y_m + width / 2),
        ]
    ) / GSD_M  # fmt: skip
    return LabeledShip(corners, True, corners)


def image(*ships: LabeledShip, **given: Any) -> LabeledImage:
    return LabeledImage(
        **{
            "name": "planet-ports/a.png", "path": Path("a.png"), "gsd_m": (GSD_M, GSD_M),
            "place": "a", "ships": ships, **given,
        }
    )  # fmt: skip


def candidates(
    of: LabeledImage, *places: tuple[float, ...], unknown: tuple[bool, ...] = ()
) -> Surveyed:
    """Each place is x, y, length in meters and the score; boxes lie along +x, 20 m wide."""
    rows = np.array(places, np.float64).reshape(-1, 4)
    boxes = np.column_stack([rows[:, :3], np.full(len(rows), 20.0), np.zeros(len(rows))])
    features = np.zeros((len(rows), len(FEATURES)))
    features[:, 0] = rows[:, 3]
    known = np.array(unknown or (False,) * len(rows), np.bool_)
    return Surveyed(of, boxes, features, rows[:, 3], known, 4.0)


def state(found: Surveyed) -> list[int]:
    return match(found, found.scores).state.tolist()


def test_a_center_on_the_hull_or_just_beside_it_counts() -> None:
    one = image(ship(500, 500))
    for x, y, expected in (
        (500, 500, 1),
        (550, 510, 1),
        (500, 524, 1),
        (500, 527, 0),
        (567, 500, 0),
    ):
        assert state(candidates(one, (x, y, 90, 0.9))) == [expected], (x, y)


def test_one_ship_has_one_detection_and_the_best_takes_it() -> None:
    found = candidates(image(ship(500, 500)), (505, 500, 90, 0.4), (495, 500, 90, 0.9))
    result = match(found, found.scores)
    assert result.state.tolist() == [0, 1] and result.ship.tolist() == [-1, 0]


def test_ships_side_by_side_each_take_their_own() -> None:
    one = image(ship(500, 500), ship(500, 521))
    assert state(candidates(one, (500, 512, 90, 0.9), (500, 509, 90, 0.8))) == [1, 1]


def test_where_nobody_looked_nothing_is_false() -> None:
    one = image(ship(500, 500))
    places = ((500, 500, 90, 0.9), (800, 800, 90, 0.8), (502, 500, 90, 0.7))
    assert state(candidates(one, *places, unknown=(True, True, True))) == [1, -1, -1]


def test_small_craft_are_not_required_and_are_no_ships() -> None:
    boat, between = ship(500, 500, 15, 5), ship(800, 500, 22, 6)
    found = match(candidates(image(boat, between)), np.empty(0))
    assert found.required.tolist() == [False, False]
    assert state(candidates(image(boat), (500, 500, 40, 0.9))) == [0], "15 m measured as 40"
    assert state(candidates(image(boat), (500, 500, 18, 0.9))) == [-1]
    assert state(candidates(image(between), (800, 500, 30, 0.9))) == [-1]
    assert state(candidates(image(), (800, 500, 18, 0.9))) == [-1], "too short to be a ship"


def test_a_coarse_set_asks_for_what_it_labels() -> None:
    coarse = image(ship(500, 500, 50), ship(900, 500, 80), smallest_m=60.0)
    found = candidates(coarse, (500, 500, 50, 0.9), (900, 500, 80, 0.8), (1300, 500, 45, 0.7))
    result = match(found, found.scores)
    assert result.required.tolist() == [False, True]
    assert result.state.tolist() == [-1, 1, -1]


def test_overlap_of_rotated_boxes() -> None:
    corners = ship(100, 100, 80, 20).corners * GSD_M
    for x, y, angle, expected in (
        (100, 100, 0, 1),
        (100, 110, 0, 1 / 3),
        (100, 100, np.pi / 2, 400 / 2800),
        (600, 100, 0, 0),
    ):
        box = np.array([x, y, 80.0, 20.0, angle])
        assert iou(box, corners) == pytest.approx(expected, abs=0.01)


@pytest.fixture
def found() -> list[Surveyed]:
    """Four ships of which three are found, one of them faintly, and two false alarms."""
    first = image(ship(500, 500, 120), ship(900, 500, 80), ship(500, 900, 40))
    second = image(ship(300, 300, 200), name="ge-ports/b.png")
    return [
        candidates(first, (500, 500, 110, 0.9), (900, 500, 80, 0.3), (100, 100, 60, 0.7)),
        candidates(second, (300, 300, 200, 0.8), (700, 100, 60, 0.2), (700, 400, 12, 0.95)),
    ]


def pooled(found: list[Surveyed]) -> Pool:
    return pool(found, [one.scores for one in found])


def test_figures_of_made_up_detections(found: list[Surveyed]) -> None:
    at = figures(pooled(found), 0.5)
    assert (at["ships"], at["false"]) == (4, 1)
    assert at["precision"] == pytest.approx(2 / 3) and at["recall"] == pytest.approx(1 / 2)
    assert at["f1"] == pytest.approx(4 / 7)
    assert at["recall_100m"] == 1.0
    assert at["length_error"] == pytest.approx((120 / 110 - 1) / 2, abs=0.01)
    assert at["iou_50"] == 1.0
    assert (at["area_km2"], at["false_per_100km2"]) == (8.0, pytest.approx(12.5))
    low = figures(pooled(found), 0.1)
    assert low["recall"] == pytest.approx(3 / 4) and low["false"] == 2


def test_what_is_measured_too_short_is_no_detection(found: list[Surveyed]) -> None:
    assert 0.95 not in pooled(found).scores
    assert len(pool(found, [one.scores for one in found], min_length_m=10.0).scores) == 6


def test_average_precision_is_the_area_under_the_envelope(found: list[Surveyed]) -> None:
    scores, precision, recall = curve(pooled(found))
    assert scores.tolist() == [0.9, 0.8, 0.7, 0.3, 0.2]
    assert precision == pytest.approx([1, 1, 2 / 3, 3 / 4, 3 / 5])
    assert recall == pytest.approx([0.25, 0.5, 0.5, 0.75, 0.75])
    assert average_precision(pooled(found)) == pytest.approx(0.5 + 0.25 * 0.75)
    assert best_threshold(pooled(found)) == 0.3
    precise = best_threshold(pooled(found), 0.9)
    assert precise > 0.3 and figures(pooled(found), precise)["precision"] >= 0.9


def test_a_place_without_ships_has_no_recall() -> None:
    empty = pooled([candidates(image(), (100, 100, 60, 0.9))])
    at = figures(empty, 0.5)
    assert (at["ships"], at["false"], at["recall_100m"], at["iou_50"]) == (0, 1, None, None)
    assert average_precision(pool([], [])) == 0.0


def test_craft_are_separated_from_ships_by_their_length() -> None:
    one = image(ship(500, 500, 15, 5), ship(800, 500, 20, 6), ship(900, 900, 100))
    seen = candidates(one, (500, 500, 16, 0.9), (800, 500, 30, 0.9), (900, 900, 100, 0.9))
    assert craft([seen], [seen.scores], 0.5) == (2, 1)


def test_the_judge_recovers_the_weights_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    spread = [3.0, 1.0, 2.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    features = rng.normal(size=(20_000, 9)) * spread + [1, 0, -2, 0, 3, 0, 0, 0, 0]
    known = np.array([0.8, 0.5, -0.4, 1.2, 0.0, 0.3, -0.3, 0.0, 0.6])
    chance = 1 / (1 + np.exp(-(features @ known - 1.5)))
    labels = (rng.random(len(chance)) < chance).astype(np.int64)
    judge = fit(features, labels, np.ones(len(labels)))
    assert judge.weights == pytest.approx(known, abs=0.12)
    assert judge.bias == pytest.approx(-1.5, abs=0.25)
    scores = score_of(judge, features)
    high = (scores > 0.6) & (scores < 0.8)
    assert labels[high].mean() == pytest.approx(scores[high].mean(), abs=0.03), "calibrated"


def test_examples_leave_out_what_is_not_known() -> None:
    one = image(ship(500, 500))
    seen = candidates(
        one, (500, 500, 90, 0.9), (800, 800, 90, 0.8), (100, 900, 90, 0.7), (900, 100, 90, 0.01),
        unknown=(False, True, False, False),
    )  # fmt: skip
    features, labels, weights = examples([seen])
    assert features[:, 0].tolist() == [0.9, 0.7] and labels.tolist() == [1, 0]
    assert (weights == weights[0]).all()


@pytest.fixture
def painted(tmp_path: Path) -> LabeledImage:
    """Two painted ships, of which one is labeled, in a picture on disk."""
    pixels = sea(400, 300)
    paint_ship(pixels, GSD_M, (200, 150), 100, 20, 90)
    paint_ship(pixels, GSD_M, (600, 450), 80, 16, 90)
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])
    return image(ship(200, 150), path=tmp_path / "a.png")


def test_the_judge_is_fitted_on_training_places_only(found: list[Surveyed], tmp_path: Path) -> None:
    training = [
        candidates(image(ship(500, 500), name=f"ge-ports/{n}.png"), (500, 500, 90, 0.9),
                   (900, 900, 90, 0.4)) for n in range(3)
    ]  # fmt: skip
    save(found, tmp_path / "candidates_0.npz")
    save(training, tmp_path / "seen_0.npz")
    images = [one.image for one in (*found, *training)]
    held, scores = evaluated(tmp_path, images)
    assert [one.image.name for one in held] == [one.image.name for one in found]
    judge = fit(*examples(training))
    assert [given.tolist() for given in scores] == [
        score_of(judge, one.features).tolist() for one in found
    ]
    assert min(scores[0]) > 0.0 and scores[0][0] > scores[0][1], "the order of the features"


def test_a_model_is_run_and_what_it_saw_can_be_kept(painted: LabeledImage, tmp_path: Path) -> None:
    seen = surveyed(painted, BrightnessClassifier())
    assert sorted(state(seen)) == [0, 1]
    best = seen.boxes[match(seen, seen.scores).state == 1][0]
    assert best[:3] == pytest.approx([200, 150, 100], abs=6)
    assert seen.area_km2 == pytest.approx(0.48)
    save([seen], tmp_path / "kept.npz")
    (again,) = load(tmp_path / "kept.npz", [painted])
    np.testing.assert_allclose(again.boxes, seen.boxes)
    assert state(again) == state(seen)
    whole = np.array([(0, 0), (1e4, 0), (1e4, 1e4), (0, 1e4)])
    (relabeled,) = load(tmp_path / "kept.npz", [replace(painted, unknown=(whole,))])
    assert sorted(state(relabeled)) == [-1, 1], "the current labels decide what is unknown"


def test_an_enlarged_image_covers_the_same_area(painted: LabeledImage) -> None:
    raw = as_mosaic(painted)
    width, height = 4 * raw.grid.width, 4 * raw.grid.height
    pixels = cv2.resize(raw.pixels, (width, height), interpolation=cv2.INTER_CUBIC)
    coverage = np.ones((height, width), np.bool_)
    enlarged = Mosaic(pixels, raw.grid.scaled(width, height), coverage, raw.provenance)
    seen = surveyed(painted, BrightnessClassifier(), enlarged)
    assert seen.area_km2 == pytest.approx(0.48)
    best = seen.boxes[match(seen, seen.scores).state == 1][0]
    assert best[:3] == pytest.approx([200, 150, 100], abs=6)


def test_false_alarms_are_mined_in_pixels_of_the_picture(painted: LabeledImage) -> None:
    seen = surveyed(painted, BrightnessClassifier())
    (place,) = hard_places([seen], 0.3)[painted.name]
    assert place == pytest.approx((300, 225), abs=3)
    assert hard_places([seen], 0.999) == {}


def test_contact_sheets_show_the_worst_first(painted: LabeledImage) -> None:
    seen = surveyed(painted, BrightnessClassifier())
    false = plots.false_alarms([seen], [seen.scores], 0.3)
    missed = plots.misses([seen], [np.zeros(len(seen.scores))], 0.3)
    assert [place.box[0] for place in false] == [pytest.approx(600, abs=6)]
    assert [place.badness for place in missed] == [pytest.approx(100)]
    sheet = plots.contact_sheet(false * 70, plots.YELLOW)
    assert sheet.shape == (6 * plots.TILE_PX, plots.TILES_ACROSS * plots.TILE_PX, 3)
    middle = plots.TILE_PX // 2
    assert sheet[middle, middle].mean() > 150, "the place is in the middle of its tile"
    assert plots.contact_sheet([], plots.RED).shape[0] == plots.TILE_PX


def test_plots_are_written(found: list[Surveyed], tmp_path: Path) -> None:
    one = pooled(found)
    rows = plots.reliability(one, bins=2)
    assert rows[:, 2].tolist() == [2, 3] and rows[1, 1] == pytest.approx(2 / 3)
    plots.plot_precision_recall({"all": one, "none": pool([], [])}, 0.5, tmp_path / "pr.png")
    plots.plot_reliability(one, tmp_path / "reliability.png")
    for name in ("pr", "reliability"):
        assert cv2.imread(str(tmp_path / f"{name}.png")).std() > 1


def test_every_sensor_is_of_sets_with_ships() -> None:
    named = [name for sets in plots.SENSORS.values() for name in sets]
    assert sorted(named) == sorted(SHIPS)


def test_all_pictures_with_ships_and_some_others_are_judged() -> None:
    many = [image(name=f"aid/{n}.png") for n in range(400)]
    some = chosen([image(ship(1, 1)), image(upright([0, 0, 9, 9]), scaled=False), *many])
    assert len(some) == 151
    again = chosen([image(ship(1, 1)), *reversed(many)])
    assert [i.name for i in some] == [i.name for i in again], "the same whatever their order"


def test_figures_are_cut_off_and_never_rounded_up() -> None:
    assert [cut(v) for v in (0.8999, 0.9, 1.0, 0.0, 0.29)] == [
        "0.899", "0.900", "1.000", "0.000", "0.290",
    ]  # fmt: skip
    assert cut(12.99, 1) == "12.9" and cut(None) == "–"


def test_card_and_readme_have_the_figures_of_the_shipped_model() -> None:
    folder, readme = PROJECT / "weights/shipdet-pico", (PROJECT / "README.md").read_text()
    metrics = json.loads((folder / "metrics.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    notes = (PROJECT / "training/configs/shipdet_pico.md").read_text()
    assert (folder / "README.md").read_text() == card(folder.name, config, metrics, notes)
    text = summary(metrics, config["shipdet"]["threshold"])
    assert with_summary(readme, text) == readme
    assert with_summary(readme, "other\n") != readme
    with pytest.raises(ValueError, match="no markers"):
        with_summary("# A README without a table", text)


def test_the_card_holds_figures_sources_and_terms(found: list[Surveyed]) -> None:
    result = json.loads(json.dumps(report(found, [one.scores for one in found], 0.5)))
    config = {
        "architecture": "convnext_atto",
        "shipdet": {
            "window_m": 240.0, "window_px": 128, "gsd_max_m": 10.0, "threshold": 0.5,
            "map": {"judge": {"weights": [1.0, 0.5, 0.2] + 6 * [0.0], "bias": -1.0},
                    "gsd_min_m": 1.2},
        },
    }  # fmt: skip
    text = card("shipdet-test", config, result, "Notes.")
    assert text.startswith("---\nlicense:")
    assert "limited to 1.2 to 1.9 m per pixel" in text
    assert 'dataset: {name: "PlanetScope ports, 3 m", type: planet-ports}' in text
    assert "| PlanetScope ports, 3 m | 3 | 0.500 | 0.333 | 0.400 |" in text
    assert "| all | 4 | 0.666 | 0.500 | 0.571 |" in text
    assert "Craft of 10–25 m: 0 found, 0 under 25 m." in text
    assert "| planet-scenes | PlanetScope, 3 m | – |" in text and "CC BY-SA 4.0" in text
    assert table(result) in text


def test_every_judged_set_has_its_source() -> None:
    assert {*SHIPS, *LAND, *SHORE} <= set(sources())
    assert all(set(entry) == {"imagery", "source", "terms"} for entry in sources().values())


def test_a_ship_that_selective_super_resolution_misses_is_lost() -> None:
    one = image(ship(500, 500), ship(900, 500))
    both, first, second = (500, 500, 90, 0.9), (900, 500, 90, 0.8), (900, 500, 90, 0.2)
    found = {
        "raw": [candidates(one, second)],
        "whole": [candidates(one, both, first)],
        "selective": [candidates(one, both, second)],
    }
    result = compared(found, threshold=0.3)["planet-ports"]
    assert (result["lost"], result["gained"]) == (1, 0)
    assert [result[way]["recall"] for way in WAYS] == [0.0, 1.0, 0.5]
    assert comparison({"planet-ports": result}).endswith("| 1 |")
