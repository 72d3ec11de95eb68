"""A review changes what counts, and never what the model said."""

import json

import pytest

from shipdet import pipeline
from shipdet.errors import BadOption
from shipdet.report import Review
from tests.helpers.written_runs import write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def keys(run):
    return [ship.key for ship in run.detections]


def test_a_rejected_ship_leaves_every_result(run):
    first = run.detections[0].key
    after = pipeline.save_review(run, run.review.reject(first, by="Ada"))
    assert first not in keys(after) and len(after.detections) == len(after.chips) == 1
    assert len(json.loads(after.files["geojson"].read_text())["features"]) == 1
    assert len(after.files["csv"].read_text().splitlines()) == 2
    assert after.record["ships"] == 1 and after.record["model"]["ships"] == 2
    [action] = after.record["review"]["actions"]
    assert (action["kind"], action["key"], action["by"]) == ("reject", first, "Ada")
    assert action["at"].endswith("Z")
    assert len(after.candidates) == len(run.candidates)


def test_an_accepted_candidate_counts_at_any_score(run):
    weak = run.candidates[3]
    assert weak.score < run.threshold
    after = pipeline.save_review(run, run.review.accept(weak.id))
    assert weak.id in keys(after)
    assert {ship.key: ship.review for ship in after.detections}[weak.id] == "accepted"
    again = pipeline.refilter(after, 0.9)
    assert weak.id in keys(again), "another threshold keeps the review"


def test_a_ship_is_added_from_bow_to_stern(run):
    gsd_m = run.record["raw"]["gsd_m"]
    after = pipeline.save_review(run, run.review.add((200, 50), (200, 100)))
    [added] = [ship for ship in after.detections if ship.review == "added"]
    assert added.length_m == pytest.approx(50 * gsd_m, rel=1e-6)
    assert (added.x, added.y) == (200, 75) and added.axis_deg == pytest.approx(0, abs=0.1)
    assert added.lon is not None and added.corners_lonlat.shape == (4, 2)
    assert after.record["ships"] == 3


def test_a_ship_is_moved_and_redrawn(run):
    one, other = run.detections
    review = run.review.move(one.key, (70, 65)).redraw(other.key, (150, 90), (190, 90), 20.0)
    after = {ship.key: ship for ship in pipeline.save_review(run, review).detections}
    assert (after[one.key].x, after[one.key].y) == (70, 65)
    assert after[one.key].length_m == one.length_m and after[one.key].lon != one.lon
    assert after[other.key].axis_deg == pytest.approx(90, abs=0.1)
    assert after[other.key].width_m == 20.0


def test_undo_takes_the_last_action_back(run):
    review = run.review.reject(1).add((0, 0), (50, 0))
    assert review.undo().undo() == Review()
    assert len(review.undo().actions) == 1 and Review().undo() == Review()
    changed = pipeline.save_review(run, review)
    back = pipeline.save_review(changed, changed.review.undo().undo())
    assert keys(back) == keys(run) and "review" not in back.record
    assert not (back.folder / "reviews.json").exists()


def test_a_rejected_ship_can_be_accepted_again(run):
    key = run.detections[0].key
    after = pipeline.save_review(run, run.review.reject(key).accept(key))
    assert key in keys(after)


def test_a_review_is_read_back_as_it_was(run):
    review = run.review.reject(1, by="Zoë").add((1, 2), (30, 40), 9.5).move(2, (3, 4))
    assert Review.from_json(review.to_json()) == review
    assert pipeline.open_run(pipeline.save_review(run, review).folder).review == review


@pytest.mark.parametrize("text", ["", "{}", '{"actions": [{"kind": "sink", "key": 1}]}', "[1]"])
def test_a_broken_review_is_one_sentence(text):
    with pytest.raises(BadOption, match="cannot be read"):
        Review.from_json(text)


def test_what_cannot_be_is_refused(run):
    with pytest.raises(BadOption, match="ship 99, which is not in the run"):
        pipeline.save_review(run, run.review.reject(99))
    with pytest.raises(BadOption, match="different points"):
        pipeline.save_review(run, run.review.add((5, 5), (5, 5)))
    with pytest.raises(BadOption, match="finite"):
        run.review.move(1, (float("nan"), 2))
    with pytest.raises(BadOption, match="more than 0"):
        run.review.add((0, 0), (9, 9), 0.0)
    assert keys(pipeline.open_run(run.folder)) == keys(run)
