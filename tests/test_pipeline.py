"""The whole way with a painted classifier: what is refused, fetched, written and cleaned up."""

import json
import math
import threading

import numpy as np
import pytest
import rasterio
from PIL import Image

from shipdet import pipeline
from shipdet.errors import (
    AreaTooLarge,
    BadOption,
    BadZoom,
    Busy,
    MissingScale,
    NoImagery,
    ScaleTooCoarse,
    StorageFull,
    UnknownModel,
    UnknownProvider,
)
from shipdet.geometry import distance_m, gsd_at
from shipdet.imagery import arriving, get_provider, plan, sample
from shipdet.pipeline import device, searching
from shipdet.progress import finish
from shipdet.report import writing as run_module
from shipdet.requests import AreaRequest, ImageRequest, Search
from shipdet.settings import Settings
from tests.helpers import tile_server as faults
from tests.helpers.painted import paint_fleet, sea
from tests.helpers.tile_server import TileServer

GSD_M = gsd_at(36.145, 15)
# (x px, y px, length m, width m, axis) in a picture of 4 x 3 tiles
FLEET = [(200, 150, 240, 36, 30), (700, 300, 200, 32, 100), (450, 600, 280, 44, 0)]


def harbor():
    return paint_fleet(sea(1024, 768), GSD_M, FLEET, GSD_M)


@pytest.fixture(scope="module")
def picture():
    return harbor()


@pytest.fixture
def server(picture):
    with TileServer(picture) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path, server):
    return Settings(
        _env_file=None,
        runs_dir=tmp_path / "runs",
        cache_dir=tmp_path / "cache",
        xyz_url=server.url_template,
        xyz_title="Test tiles",
        xyz_attribution="Test data",
        timeout_s=5.0,
    )


def area(server, box=None, **options):
    search = Search(**{"threshold": 0.25, **options.pop("search", {})})
    bbox = server.bbox_of(*box) if box else server.bbox
    values = {"provider": "xyz", "zoom": server.zoom, **options}
    return AreaRequest(bbox=bbox.as_tuple(), search=search, **values)


def whole_run(server, settings, watch=None, **options):
    return finish(pipeline.iter_area(area(server, **options), settings=settings), watch)


def left_behind(settings):
    return sorted(p.name for p in settings.runs_dir.iterdir()) if settings.runs_dir.exists() else []


def test_an_area_becomes_a_folder_with_every_promised_file(server, settings, classifier):
    events = []
    run = whole_run(server, settings, events.append, search={"name": "bay"})
    assert run.folder.parent == settings.runs_dir and run.id.startswith("bay-")
    names = {str(p.relative_to(run.folder)) for p in run.folder.rglob("*") if p.is_file()}
    promised = {
        "raw.png", "overlay.png", "mosaic.tif", "detections.geojson", "detections.csv",
        "run.json", "chips/ship_0001.png", "chips/ship_0002.png", "chips/ship_0003.png",
    }  # fmt: skip
    assert names == promised | {"candidates.json", "preview.jpg"}
    assert left_behind(settings) == [run.id]
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == ["fetch", "load", "detect", "report"]


def test_the_ships_of_the_area_are_found_where_they_are(server, settings, classifier):
    run = whole_run(server, settings)
    assert len(run.detections) == len(FLEET) == run.record["ships"]
    places = np.array([(d.lon, d.lat) for d in run.detections])
    for x, y, length, width, axis in FLEET:
        here = server.bbox_of(x, y, x + 1, y + 1)
        gaps = distance_m(places, (here.west, here.north))
        ship = run.detections[int(gaps.argmin())]
        assert gaps.min() < 15
        assert ship.length_m == pytest.approx(length, rel=0.1)
        assert ship.width_m == pytest.approx(width, rel=0.15)
        assert abs((ship.axis_deg - axis + 90) % 180 - 90) < 5
    geojson = json.loads(run.files["geojson"].read_text())
    assert len(geojson["features"]) == len(FLEET)


def test_ships_are_shown_while_the_search_goes_on(server, settings, classifier):
    events = []
    search = {"threshold": 0.25, "min_length_m": 220}
    run = whole_run(server, settings, events.append, search=search)
    reports = [event for event in events if event.sighted is not None]
    first = next(event for event in reports if event.sighted.ships)
    assert first.done <= first.total / 2, "long before the last canvas"
    assert {event.stage for event in reports} == {"detect"}
    last = reports[-1].sighted
    assert (last.width, last.height) == (1024, 768)
    places = sorted((round(ship.x), round(ship.y)) for ship in last.ships)
    assert places == sorted((round(ship.x), round(ship.y)) for ship in run.detections)
    assert len(places) == 2, "what is too short to count is left out"


def test_the_record_tells_how_the_run_was_made(server, settings, classifier):
    run = whole_run(server, settings, box=(0, 0, 512, 512))
    record = json.loads(run.files["record"].read_text())
    assert record["inputs"]["provider"] == "xyz" and record["inputs"]["zoom"] == 15
    assert record["inputs"]["bbox"] == list(server.bbox_of(0, 0, 512, 512).as_tuple())
    source = record["source"]
    assert (source["source"], source["title"], source["attribution"], source["zoom"]) == (
        "xyz", "Test tiles", "Test data", 15,
    )  # fmt: skip
    assert (source["tiles"], source["fetched"], source["cached"], source["missing"]) == (4, 4, 0, 0)
    assert (record["raw"]["width"], record["raw"]["height"]) == (512, 512)
    assert record["raw"]["gsd_m"] == pytest.approx(GSD_M, rel=0.001)
    assert record["raw"]["crs"] == "EPSG:3857" and record["raw"]["covered"] == 1.0
    assert record["models"]["classifier"]["sha256"] == "ab" * 32
    assert record["models"]["classifier"]["name"] == "torch"
    assert record["models"]["names"] == {"classifier": settings.classifier, "upscaler": None}
    assert record["threshold"] == 0.25
    assert (
        {"fetch", "load", "detect", "report", "all"} >= set(record["timings"]) >= {"fetch", "all"}
    )
    assert {"shipdet", "python", "torch", "numpy"} <= set(record["versions"])


def test_tiles_of_an_earlier_run_come_from_the_cache(server, settings, classifier):
    whole_run(server, settings, box=(0, 0, 512, 512))
    again = whole_run(server, settings, box=(0, 0, 512, 512))
    assert server.count == 4
    assert (again.record["source"]["fetched"], again.record["source"]["cached"]) == (0, 4)
    assert len(left_behind(settings)) == 2


def test_another_threshold_rewrites_the_files_without_computing(
    server, settings, classifier, monkeypatch
):
    run = whole_run(server, settings, search={"threshold": 0.15})
    scores = sorted(d.score for d in run.candidates)
    assert len(run.detections) == 3
    seen = (classifier.windows_seen, len(classifier.canvases_seen))
    kinds = ("overlay", "csv", "geojson", "record")
    before = {kind: run.files[kind].read_bytes() for kind in kinds}

    def never(*_, **__):
        raise AssertionError("nothing may be loaded or computed again")

    monkeypatch.setattr(searching, "load_classifier", never)
    monkeypatch.setattr(searching, "detect", never)
    fewer = pipeline.refilter(run, (scores[-2] + scores[-1]) / 2)
    assert (classifier.windows_seen, len(classifier.canvases_seen)) == seen
    assert len(fewer.detections) == len(fewer.chips) == 1
    assert all(fewer.files[kind].read_bytes() != before[kind] for kind in kinds)
    assert len(fewer.files["csv"].read_text().splitlines()) == 2
    back = pipeline.refilter(pipeline.open_run(run.folder), 0.15)
    assert len(back.detections) == 3
    assert back.files["overlay"].read_bytes() == before["overlay"]
    assert back.files["csv"].read_bytes() == before["csv"]


def test_a_threshold_that_is_no_number_leaves_the_run_alone(server, settings, classifier):
    run = whole_run(server, settings, box=(0, 0, 512, 512))
    before = run.files["record"].read_bytes()
    for wrong in (math.nan, 0.0, 1.5):
        with pytest.raises(BadOption, match="between 0 and 1"):
            pipeline.refilter(run, wrong)
    assert run.files["record"].read_bytes() == before


def test_a_disk_full_while_filtering_is_one_sentence(server, settings, classifier, monkeypatch):
    run = whole_run(server, settings, box=(0, 0, 512, 512))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module, "write_picture", full)
    with pytest.raises(StorageFull, match="is full"):
        pipeline.refilter(run, 0.5)


def test_nobody_sees_a_run_between_two_thresholds(server, settings, classifier, monkeypatch):
    run = whole_run(server, settings, search={"threshold": 0.15})

    def seen():
        return {p.name: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}

    before, pictures = seen(), []
    write = run_module.write_picture

    def watched(*args):
        write(*args)
        pictures.append(seen() == before)

    monkeypatch.setattr(run_module, "write_picture", watched)
    after = pipeline.refilter(run, max(d.score for d in run.candidates))
    assert len(pictures) > 1 and all(pictures)
    changed = {name for name, data in seen().items() if before.get(name) != data}
    assert after.folder == run.folder and {"run.json", "overlay.png"} <= changed

    def broken(*_):
        raise KeyboardInterrupt

    before = seen()
    monkeypatch.setattr(run_module, "draw_overlay", broken)
    with pytest.raises(KeyboardInterrupt):
        pipeline.refilter(after, 0.15)
    assert seen() == before and left_behind(settings) == [run.folder.name]


def test_a_disk_full_while_writing_leaves_no_folder(server, settings, classifier, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module, "write_picture", full)
    with pytest.raises(StorageFull, match="is full: free some space and run again"):
        whole_run(server, settings, box=(0, 0, 512, 512))
    assert left_behind(settings) == []


@pytest.mark.parametrize(("asked", "used"), [("", "mostRecent"), ("leastRecent", "leastRecent")])
def test_the_record_tells_the_priority_that_was_used(server, settings, tmp_path, asked, used):
    hub = {"sentinelhub_instance_id": "ours", "sentinelhub_priority": "mostRecent"}
    settings = settings.model_copy(update=hub)
    url = f"{server.url_template}?of={{instance}}&PRIORITY={{priority}}"
    provider = get_provider("xyz", settings).model_copy(update={"url": url})
    request = area(server, box=(0, 0, 10, 10), priority=asked)
    planned = plan(request.box, server.zoom, provider, 0, settings)
    with arriving(planned, request, settings, folder=tmp_path) as arrival:
        picture = finish(arrival.finish())
    assert picture.provenance.details["priority"] == used
    assert server.requests[-1].path.endswith(f"?of=ours&PRIORITY={used}")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"zoom": 13}, ScaleTooCoarse),  # 15 m per pixel
        ({"zoom": 14}, ScaleTooCoarse),  # 7.7 m: the classifier needs 6
        ({"zoom": 25}, BadZoom),
        ({"provider": "nobody"}, UnknownProvider),
    ],
)
def test_what_cannot_work_is_refused_before_any_request(
    server, settings, classifier, options, error
):
    request = area(server, **options)
    steps = pipeline.iter_area(request, settings=settings)
    with pytest.raises(error) as caught:
        finish(steps)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    assert server.count == 0 and left_behind(settings) == []
    with pytest.raises(error):
        pipeline.estimate(request, settings)


def test_super_resolution_makes_a_coarse_picture_usable(server, settings, classifier):
    request = area(server, zoom=14, search={"upscale": "x4"})
    assert pipeline.estimate(request, settings).searched_gsd_m == pytest.approx(GSD_M / 2, rel=0.01)
    with pytest.raises(ScaleTooCoarse, match="or enlarge it x4"):
        pipeline.estimate(area(server, zoom=14), settings)
    with pytest.raises(ScaleTooCoarse, match="ships cannot be recognized"):
        pipeline.estimate(area(server, zoom=13, search={"upscale": "x16"}), settings)


@pytest.mark.parametrize(
    "limit", [{"max_tiles": 11}, {"max_raw_pixels": 700_000}, {"max_searched_pixels": 780_000}]
)
def test_an_area_over_a_limit_is_refused_before_any_request(server, settings, classifier, limit):
    settings = settings.model_copy(update=limit)
    with pytest.raises(AreaTooLarge, match=r"needs .* are allowed"):
        whole_run(server, settings, search={"upscale": "x4"})
    with pytest.raises(AreaTooLarge):
        pipeline.estimate(area(server, search={"upscale": "x4"}), settings)
    assert server.count == 0 and left_behind(settings) == []


def test_an_unknown_model_is_refused_before_any_request(server, settings):
    with pytest.raises(UnknownModel):
        whole_run(server, settings, search={"model": "nothing here"})
    assert server.count == 0 and left_behind(settings) == []


def test_an_estimate_tells_the_size_and_fetches_nothing(server, settings, classifier):
    answer = pipeline.estimate(area(server), settings)
    assert (answer.zoom, answer.tiles, answer.width_px, answer.height_px) == (15, 12, 1024, 768)
    assert answer.gsd_m == answer.searched_gsd_m == pytest.approx(GSD_M, rel=0.001)
    assert answer.searched_px == 1024 * 768 and answer.seconds > 0
    assert server.count == 0 and not classifier.canvases_seen


def test_cancelling_a_download_leaves_no_run_and_keeps_its_tiles(picture, settings, classifier):
    with TileServer(picture, delay_s=0.2) as slow:
        one_by_one = {"xyz_url": slow.url_template, "connections_per_host": 1}
        settings = settings.model_copy(update=one_by_one)
        steps = pipeline.iter_area(area(slow), settings=settings)
        for event in steps:
            if event.stage == "fetch" and event.done >= 4:
                break
        steps.close()
        assert left_behind(settings) == []
        asked = slow.count
        assert asked < 12
        run = whole_run(slow, settings)
    assert run.record["source"]["cached"] >= 4
    assert run.record["source"]["fetched"] + run.record["source"]["cached"] == 12


@pytest.mark.parametrize("stage", ["load", "detect", "report"])
def test_cancelling_later_leaves_no_run_and_frees_the_device(server, settings, classifier, stage):
    steps = pipeline.iter_area(area(server), settings=settings)
    for event in steps:
        if event.stage == stage:
            break
    steps.close()
    assert left_behind(settings) == []
    assert not device.lock.locked()
    if stage == "report":  # before, none need have arrived
        assert any(settings.cache_dir.rglob("*")), "the tiles are kept"


def test_a_failing_classifier_leaves_no_run_and_frees_the_device(server, settings, classifier):
    def broken(*_):
        raise RuntimeError("broken")

    classifier.dense = broken
    with pytest.raises(RuntimeError, match="broken"):
        whole_run(server, settings, box=(0, 0, 512, 512))
    assert left_behind(settings) == [] and not device.lock.locked()


def test_missing_tiles_are_reported_and_not_searched(server, settings, classifier):
    x, y, *_ = FLEET[0]  # in the first tile
    server.faults[server.x0, server.y0] = faults.NOT_FOUND
    run = whole_run(server, settings)
    assert len(run.detections) == len(FLEET) - 1
    assert np.hypot(*(run.detections.centers - [x, y]).T).min() > 100
    assert run.record["source"]["missing"] == 1
    assert run.record["raw"]["covered"] == pytest.approx(11 / 12)
    assert any("1 of 12 tiles are missing" in note for note in run.record["notes"])


def test_an_area_without_any_tile_is_one_sentence(picture, settings, classifier):
    with TileServer(picture, always=faults.NOT_FOUND) as empty:
        settings = settings.model_copy(update={"xyz_url": empty.url_template})
        with pytest.raises(NoImagery, match="no image of this area"):
            whole_run(empty, settings)
    assert left_behind(settings) == []


def test_two_runs_at_once_wait_for_each_other(server, settings, classifier):
    running, most = [], []
    dense, free = classifier.dense, threading.Event()

    def watched(canvases):
        running.append(1)
        most.append(len(running))
        free.wait(10)
        result = dense(canvases)
        running.pop()
        return result

    classifier.dense = watched
    waited, runs = [], []

    def one():
        def watch(event):
            if event.stage == "wait":
                waited.append(event)
                free.set()

        runs.append(whole_run(server, settings, watch, box=(0, 0, 512, 512)))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(runs) == 2 and len({run.id for run in runs}) == 2
    assert waited and max(most) == 1
    assert [len(run.detections) for run in runs] == [1, 1]


def test_a_run_that_waits_can_be_cancelled(server, settings, classifier):
    with device.lock:
        steps = pipeline.iter_area(area(server, (0, 0, 256, 256)), settings=settings)
        for event in steps:
            if event.stage == "wait":
                break
        steps.close()  # would never return if it waited for the device
        assert left_behind(settings) == []
        assert device.lock.locked(), "it is still the other's"


def test_two_runs_into_one_folder_are_refused(server, settings, classifier, tmp_path):
    out = tmp_path / "out"
    steps = pipeline.iter_area(area(server), out=out, settings=settings)
    next(steps)
    with pytest.raises(Busy, match="Another run is writing to"):
        finish(pipeline.iter_area(area(server), out=out, settings=settings))
    run = finish(steps)
    assert run.folder == out and len(run.detections) == len(FLEET)
    with pytest.raises(BadOption, match="not an empty folder"):
        finish(pipeline.iter_area(area(server), out=out, settings=settings))


def test_the_map_of_water_and_hulls_is_written_on_request(server, settings, classifier):
    run = whole_run(server, settings, search={"map": True})
    with rasterio.open(run.folder / "map.tif") as file:
        assert file.descriptions == ("water", "land", "hull") and file.crs.to_epsg() == 3857
        hull = file.read(3)
    assert (run.folder / "map.png").is_file()
    assert hull.max() > 200 and hull.mean() < 50


def test_without_a_threshold_the_models_own_is_used(server, settings, classifier):
    run = whole_run(server, settings, box=(0, 0, 512, 512), search={"threshold": None})
    assert run.threshold == classifier.config.shipdet.threshold == 0.4


def test_imagery_can_be_had_without_a_search(server, settings, picture):
    request = area(server, (10, 20, 300, 220))
    run = finish(pipeline.iter_download(request, settings=settings))
    assert set(run.files) == {"raw", "mosaic", "record"}
    pixels = np.asarray(Image.open(run.files["raw"]))
    np.testing.assert_array_equal(pixels, picture[20:220, 10:300])
    assert "models" not in run.record and len(run.detections) == 0
    assert left_behind(settings) == [run.id]


def test_a_picture_of_ones_own_is_searched_at_its_scale(settings, classifier, picture, tmp_path):
    path = tmp_path / "scene.png"
    Image.fromarray(picture).save(path)
    request = ImageRequest(gsd_m=GSD_M, search=Search(threshold=0.25, image_format="jpg"))
    events = []
    run = finish(pipeline.iter_image(path, request, settings=settings), events.append)
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == ["read", "load", "detect", "report"], "nothing is downloaded"
    assert len(run.detections) == len(FLEET)
    for x, y, length, *_ in FLEET:
        gaps = np.hypot(*(run.detections.centers - [x, y]).T)
        assert gaps.min() < 4
        ship = run.detections[int(gaps.argmin())]
        assert ship.length_m == pytest.approx(length, rel=0.1) and ship.lon is None
    assert set(run.files) == {"raw", "overlay", "csv", "record"}
    assert run.files["raw"].name == "raw.jpg"
    assert run.record["inputs"]["image"] == "scene.png"
    assert run.record["source"]["source"] == "image" and not run.record["raw"]["georeferenced"]


@pytest.mark.parametrize(
    ("gsd", "error"), [(None, MissingScale), (7.0, ScaleTooCoarse), (math.nan, BadOption)]
)
def test_a_picture_of_no_use_is_refused_in_one_sentence(settings, classifier, tmp_path, gsd, error):
    path = tmp_path / "scene.png"
    Image.fromarray(sea(300, 200)).save(path)
    with pytest.raises(error):
        finish(pipeline.iter_image(path, ImageRequest(gsd_m=gsd), settings=settings))
    assert left_behind(settings) == []


def test_a_picture_too_large_after_super_resolution_is_refused(settings, classifier, tmp_path):
    path = tmp_path / "scene.png"
    Image.fromarray(sea(300, 200)).save(path)
    small = settings.model_copy(update={"max_searched_pixels": 900_000})
    request = ImageRequest(gsd_m=3.0, search=Search(upscale="x4"))
    with pytest.raises(AreaTooLarge, match="million pixels after super-resolution"):
        finish(pipeline.iter_image(path, request, settings=small))


def test_old_runs_go_when_a_new_one_is_written(server, settings, classifier):
    small = settings.model_copy(update={"runs_max_gb": 1e-6})
    first = whole_run(server, small, box=(0, 0, 256, 256))
    second = whole_run(server, small, box=(0, 0, 256, 256))
    assert not first.folder.exists() and left_behind(small) == [second.id]


def test_the_built_in_sample_needs_no_network(settings, classifier):
    ship = next(s for s in sample.truth() if s.state == "anchored")
    bbox = (ship.lon - 0.004, ship.lat - 0.004, ship.lon + 0.004, ship.lat + 0.004)
    request = AreaRequest(bbox=bbox, provider="sample", search=Search(threshold=0.12))
    run = finish(pipeline.iter_area(request, settings=settings))
    gaps = [float(distance_m((d.lon, d.lat), (ship.lon, ship.lat))) for d in run.detections]
    assert gaps and min(gaps) < 30
    found = run.detections[int(np.argmin(gaps))]
    assert found.length_m == pytest.approx(ship.length_m, rel=0.25)
    assert abs((found.axis_deg - ship.heading_deg + 90) % 180 - 90) < 5
    assert "synthetic" in run.record["source"]["title"].lower()
    assert run.record["source"]["zoom"] == 17


def test_local_models_are_listed_with_the_configured_ones_first(settings):
    names = [model.name for model in pipeline.models(settings)]
    if not names:
        pytest.skip("no model is bundled in this checkout")
    assert len(names) == len(set(names))
    preferred = {settings.classifier, settings.upscaler} & set(names)
    assert set(names[: len(preferred)]) == preferred
    for model in pipeline.models(settings):
        assert model.parameters > 0 and model.title.startswith(model.name)
        assert (model.threshold is not None) == (model.task == "ship-classification")


def test_all_backends_find_the_same_ships(settings, tmp_path):
    # Half precision on PyTorch, where a processor is faster in it, is not what is compared here.
    settings = settings.model_copy(update={"precision": "fp32"})
    tile = tmp_path / "scene.png"
    tile.write_bytes(sample.tile(16, 32645, 32756) or b"")
    runs = {}
    for backend in ("torch", "onnx", "openvino"):
        search = Search(backend=backend, device="cpu")
        request = ImageRequest(gsd_m=gsd_at(0.065, 16), search=search)
        runs[backend] = finish(pipeline.iter_image(tile, request, settings=settings))
        ran = runs[backend].record["models"]["classifier"]
        assert (ran["name"], ran["precision"]) == (backend, "fp32")
    expected = runs["torch"].detections
    assert len(expected) > 0
    for backend in ("onnx", "openvino"):
        found = runs[backend].detections
        assert len(expected) == len(found)
        apart = np.linalg.norm(expected.centers[:, None] - found.centers[None], axis=2)
        assert apart.min(axis=1).max() < 1
        scores = np.array([ship.score for ship in found])[apart.argmin(axis=1)]
        assert np.abs(scores - [ship.score for ship in expected]).max() < 0.02
