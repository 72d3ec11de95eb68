"""Changes of a finished run: each begins with what the one before has left on disk."""

import os
import shutil
import threading

import pytest

from shipdet import pipeline
from shipdet.errors import BadOption
from shipdet.report import write_download
from shipdet.report.record import corners_of
from tests.helpers.written_runs import write_run

fcntl = pytest.importorskip("fcntl")
MOMENT = "2024-05-01T10:56:00Z"


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def match(run):
    lon, lat = corners_of(run.record).mean(axis=0)
    file = run.folder.with_suffix(".csv")
    rows = [f"219000001,2024-05-01T10:{minute}:00,{lat},{lon},0,0" for minute in (50, 58)]
    file.write_text("\n".join(["MMSI,BaseDateTime,LAT,LON,SOG,COG", *rows]))
    return pipeline.match_ais(run, file, MOMENT)


def refilter(run):
    return pipeline.refilter(run, 0.25)


@pytest.mark.parametrize("change", [match, refilter])
def test_a_run_opened_long_ago_keeps_the_review_on_disk(run, change):
    key = run.detections[0].key
    pipeline.save_review(pipeline.open_run(run.folder), run.review.reject(key))
    assert not run.review.actions
    after = change(run)
    assert [action.key for action in after.review.actions] == [key]
    assert key not in {ship.key for ship in after.detections}


def test_changes_of_a_run_opened_long_ago_add_up(run):
    match(run)
    pipeline.save_review(refilter(run), run.review.accept(1))
    after = pipeline.refilter(run, min_length_m=50)
    assert (after.threshold, after.min_length_m, len(after.review.actions)) == (0.25, 50, 1)
    assert after.record["ais"]["acquired"] == MOMENT


def test_a_review_does_not_replace_that_of_another_person(run):
    one, other = run, pipeline.open_run(run.folder)
    mine = one.review.reject(1)
    pipeline.save_review(one, mine)
    with pytest.raises(BadOption, match="Someone else has changed this review: open the run"):
        pipeline.save_review(other, other.review.accept(2))
    more = mine.accept(2)
    assert pipeline.save_review(one, more).review == more
    last = pipeline.open_run(run.folder)
    assert pipeline.save_review(last, last.review.undo()).review == mine


def test_changes_at_the_same_time_are_all_kept(run):
    changes = [
        *(lambda: pipeline.change_review(run, lambda review: review.accept(1)) for _ in range(3)),
        *(lambda: refilter(run) for _ in range(2)),
    ]
    threads = [threading.Thread(target=change) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = pipeline.open_run(run.folder)
    assert (len(after.review.actions), after.threshold) == (3, 0.25)


def test_a_change_waits_for_that_of_another_process(run):
    held = os.open(run.folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    change = threading.Thread(target=refilter, args=(run,))
    change.start()
    change.join(0.5)
    assert change.is_alive() and pipeline.open_run(run.folder).threshold == 0.5
    old = run.folder.rename(run.folder.with_name("old"))
    shutil.copytree(old, run.folder)  # the other process puts a new folder there
    os.close(held)
    change.join()
    assert pipeline.open_run(run.folder).threshold == 0.25
    assert pipeline.open_run(old).threshold == 0.5
    assert sorted(path.name for path in run.folder.parent.iterdir()) == ["old", "run"]


def test_a_run_without_a_search_has_no_ships_to_change(run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "download")
    write_download(folder, {key: run.record[key] for key in ("files", "raw", "source", "inputs")})
    downloaded, before = pipeline.open_run(folder), (folder / "run.json").read_bytes()
    review = pipeline.Review().add((10, 10), (60, 10))
    for change in (match, refilter, lambda run: pipeline.save_review(run, review)):
        with pytest.raises(BadOption, match="only downloaded imagery: search its area first"):
            change(downloaded)
    assert (folder / "run.json").read_bytes() == before


def test_a_run_that_is_gone_is_one_sentence(run):
    shutil.rmtree(run.folder)
    with pytest.raises(BadOption, match="no longer on disk"):
        refilter(run)
