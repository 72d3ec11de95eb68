"""Super-resolution only where the raw image could show a ship, from request to run."""

import pytest
from PIL import Image

from shipdet import pace, pipeline
from shipdet.pipeline import searching
from shipdet.pipeline.choosing import plan_search
from shipdet.progress import finish
from shipdet.requests import AreaRequest, ImageRequest, Search
from shipdet.settings import Settings
from tests.helpers.painted import paint_fleet, paint_ship, sea
from tests.upscale.test_focus import Bicubic

GSD_M = 3.0
SIZE = (480, 336)  # three by two blocks of at most 192 px that share 48
FLEET = [(60, 70, 150, 26, 30), (70, 280, 180, 30, 100)]  # x px, y px, length m, width m, axis


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache")


@pytest.fixture
def upscaler(monkeypatch):
    fake = Bicubic(3)  # so that what went through it can be recognized
    monkeypatch.setattr(searching, "load_upscaler", lambda *_, **__: fake)
    return fake


def harbor():
    return paint_fleet(sea(*SIZE), GSD_M, FLEET, GSD_M)


def searched(pixels, settings, tmp_path, watch=None, **options):
    path = tmp_path / "scene.png"
    Image.fromarray(pixels).save(path)
    search = Search(**{"upscale": "x4", "threshold": 0.25, **options})
    request = ImageRequest(gsd_m=GSD_M, search=search)
    return finish(pipeline.iter_image(path, request, settings=settings), watch)


def test_upscaling_only_the_blocks_around_ships_finds_the_same(
    settings, classifier, upscaler, tmp_path
):
    whole = searched(harbor(), settings, tmp_path, selective=False)
    all_blocks = len(upscaler.calls)
    upscaler.calls.clear()
    some = searched(harbor(), settings, tmp_path, selective=True)
    assert (all_blocks, len(upscaler.calls)) == (6, 2)
    assert some.record["super_resolution"] == {"blocks": 6, "enlarged": 2}
    assert whole.record["super_resolution"] == {"blocks": 6, "enlarged": 6}
    assert len(some.detections) == len(whole.detections) == len(FLEET)
    for one, other in zip(some.detections, whole.detections, strict=True):
        assert (one.x, one.y) == pytest.approx((other.x, other.y), abs=0.5)
        assert one.length_m == pytest.approx(other.length_m, rel=0.02)
        assert one.score == pytest.approx(other.score, abs=0.02)
        assert one.raw_score == pytest.approx(other.raw_score, abs=0.1)
        assert one.raw_support is other.raw_support is True
    assert any("Super-resolution was applied to 2 of 6 blocks" in note for note in some.notes)
    assert not any("Super-resolution was applied" in note for note in whole.notes)


def test_featureless_sea_needs_no_network(settings, classifier, upscaler, tmp_path):
    run = searched(sea(*SIZE), settings, tmp_path, selective=True)
    assert upscaler.calls == [] and len(run.detections) == 0
    assert run.record["super_resolution"] == {"blocks": 6, "enlarged": 0}
    assert Image.open(run.files["upscaled"]).size == (4 * SIZE[0], 4 * SIZE[1])


def test_the_raw_picture_is_searched_once_for_blocks_and_support(
    settings, classifier, upscaler, tmp_path
):
    events = []
    run = searched(harbor(), settings, tmp_path, events.append, selective=True)
    stages = [e.stage for e in events]
    order = [s for s, before in zip(stages, ["", *stages], strict=False) if s != before]
    assert order == ["read", "load", "detect", "upscale", "detect", "compare", "report"]
    raw, sharp = (e.total for e in events if e.unit == "canvases" and e.done == 0)
    assert len(classifier.canvases_seen) == raw + sharp, "none for a ship"
    assert {"survey", "upscale", "detect"} <= set(run.record["timings"])


def test_weak_candidates_of_the_raw_image_are_upscaled_too(
    settings, classifier, upscaler, tmp_path
):
    pixels = sea(*SIZE)
    paint_ship(pixels, GSD_M, (180, 210), 150, 12, 30, color=(160, 155, 150))
    run = searched(pixels, settings, tmp_path, selective=True, threshold=0.95)
    assert len(run.detections) == 0, "it is under the threshold"
    assert 0 < len(upscaler.calls) < 6


def test_cancelling_the_search_of_the_raw_image_leaves_nothing(
    settings, classifier, upscaler, tmp_path
):
    path = tmp_path / "scene.png"
    Image.fromarray(harbor()).save(path)
    search = Search(upscale="x4", selective=True)
    steps = pipeline.iter_image(path, ImageRequest(gsd_m=3.0, search=search), settings=settings)
    next(event for event in steps if event.stage == "detect")
    steps.close()
    assert upscaler.calls == [] and list(settings.runs_dir.iterdir()) == []


def test_all_of_an_image_too_coarse_to_search_is_enlarged(settings, classifier, upscaler, tmp_path):
    coarse = classifier.config.shipdet.gsd_max_m + 1
    request = ImageRequest(gsd_m=coarse, search=Search(upscale="x4"))
    Image.fromarray(sea(*SIZE)).save(tmp_path / "coarse.png")
    run = finish(pipeline.iter_image(tmp_path / "coarse.png", request, settings=settings))
    assert run.record["super_resolution"] == {"blocks": 6, "enlarged": 6}
    assert not any("Super-resolution was applied" in note for note in run.notes)


def test_an_estimate_says_that_it_is_the_most(settings, classifier):
    area = {"bbox": (-0.70, 0.06, -0.67, 0.08), "provider": "sample", "zoom": 15}
    answer = {
        some: pipeline.estimate(
            AreaRequest(**area, search=Search(upscale="x4", selective=some)), settings
        )
        for some in (False, True)
    }
    assert any(note.startswith("These are upper limits") for note in answer[True].notes)
    assert answer[True].seconds == answer[False].seconds


@pytest.mark.parametrize(("options", "searches"), [
    ({"selective": False}, 2), ({"selective": True}, 1), ({"upscale": "none"}, 1),
])  # fmt: skip
def test_a_search_of_the_raw_image_counts_for_the_pace(
    settings, classifier, upscaler, tmp_path, monkeypatch, options, searches
):
    learned = {}
    monkeypatch.setattr(pace, "learn", lambda kind, amount, _: learned.update({kind: amount}))
    searched(harbor(), settings, tmp_path, **options)
    how = plan_search(Search(), settings)
    assert learned["detect"] == searches * how.work(SIZE[0] * SIZE[1], GSD_M)[1]
