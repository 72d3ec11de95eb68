"""Large pictures are searched piece by piece: the same ships, in bounded memory, whole files."""

import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image
from rasterio.transform import from_origin

from shipdet import pipeline
from shipdet.errors import AreaTooLarge, BadImage
from shipdet.gdal import CACHE_MB
from shipdet.imagery import arriving, download, get_provider, open_raster, plan
from shipdet.imagery.mosaic_builder import FilePicture
from shipdet.imagery.rendering import LargeRaster
from shipdet.mosaic import Mosaic
from shipdet.progress import finish
from shipdet.requests import AreaRequest, ImageRequest, Search
from shipdet.settings import Settings
from tests.helpers.own_process import GIVEN_BACK, last_said
from tests.helpers.painted import paint_fleet, sea
from tests.helpers.tile_server import NOT_FOUND, TileServer

GSD_M = 0.8  # finer than the classifier's scale, so that the picture is shrunk
FLEET = [(300, 250, 180, 28, 30), (1100, 420, 150, 26, 100), (600, 1000, 210, 34, 0)]
HELD = {"max_held_pixels": 100_000}


@pytest.fixture(scope="module")
def picture():
    return paint_fleet(sea(2048, 1536), GSD_M, FLEET)


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache")


def geotiff(path, pixels, gsd_m=GSD_M, **profile):
    """A tiled file in UTM zone 31; the band order is (h, w, n)."""
    height, width, count = pixels.shape
    options = {
        "driver": "GTiff", "width": width, "height": height, "count": count,
        "dtype": pixels.dtype, "crs": "EPSG:32631", "tiled": True, "compress": "DEFLATE",
        "zlevel": 1, "transform": from_origin(500_000, 5_700_000, gsd_m, gsd_m), **profile,
    }  # fmt: skip
    with rasterio.open(path, "w", **options) as dataset:
        dataset.write(np.moveaxis(pixels, -1, 0))
    return path


def searched(path, settings, **options):
    request = ImageRequest(search=Search(threshold=0.25, **options))
    return finish(pipeline.iter_image(path, request, settings=settings))


def same_ships(a, b):
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        assert one.score == other.score
        np.testing.assert_array_equal(one.corners, other.corners)
        assert (one.lon, one.lat, one.near_gap, one.cut) == (
            other.lon, other.lat, other.near_gap, other.cut,
        )  # fmt: skip


@pytest.mark.parametrize("gsd_m", [GSD_M, 2.5])
def test_a_large_geotiff_has_the_same_ships(settings, classifier, picture, tmp_path, gsd_m):
    holed = picture.copy()
    holed[900:1300, :260] = 0
    path = geotiff(tmp_path / "scene.tif", holed, gsd_m, nodata=0)
    whole = searched(path, settings)
    pieces = searched(path, settings.model_copy(update=HELD))
    assert not whole.record["raw"]["large"] and pieces.record["raw"]["large"]
    assert len(whole.candidates) >= 2
    same_ships(whole.candidates, pieces.candidates)
    assert pieces.record["raw"]["covered"] == pytest.approx(whole.record["raw"]["covered"])


def test_deep_values_are_stretched_as_if_the_picture_were_held(settings, picture, tmp_path):
    deep = picture.astype(np.uint16) * 37 + 200
    path = geotiff(tmp_path / "deep.tif", deep)
    whole = open_raster(path, None, settings)
    pieces = open_raster(path, None, settings.model_copy(update=HELD))
    assert isinstance(whole, Mosaic) and isinstance(pieces, LargeRaster)
    assert whole.provenance == pieces.provenance
    pixels, covered = pieces.read(100, 200, 900, 1500)
    np.testing.assert_array_equal(pixels, whole.pixels[200:1500, 100:900])
    assert covered.all()


def test_a_large_run_leaves_whole_files(settings, classifier, picture, tmp_path):
    path = geotiff(tmp_path / "scene.tif", picture)
    run = searched(path, settings.model_copy(update=HELD))
    assert len(run.detections) == len(FLEET) == len(run.chips)
    assert "raw" not in run.files, "mosaic.tif is that image"
    with rasterio.open(run.files["mosaic"]) as cog:
        np.testing.assert_array_equal(np.moveaxis(cog.read(), 0, -1), picture)
        assert cog.crs.to_epsg() == 32631 and cog.transform.a == pytest.approx(GSD_M)
        assert cog.overviews(1) and (cog.dataset_mask() > 0).all()
    crop = np.asarray(Image.open(run.chips[0]).convert("L"), np.float32)
    assert crop[118:138, 118:138].mean() > 1.5 * np.median(crop)
    assert len(json.loads(run.files["geojson"].read_text())["features"]) == len(FLEET)
    left = {p.name for p in run.folder.iterdir()}
    assert not [name for name in left if name.endswith((".tmp", ".xml", ".msk", ".ovr"))]
    fewer = pipeline.refilter(run, max(d.score for d in run.candidates))
    assert len(fewer.chips) == len(fewer.detections) == 1


@pytest.mark.parametrize("name", ["mosaic.tif"])
def test_cancelling_stops_a_copy_of_a_large_picture(
    settings, classifier, picture, tmp_path, monkeypatch, name
):
    copy, stopped = rasterio.shutil.copy, []

    def slow(draft, target, **options):
        while target.name == name and draft.stat().st_size:
            time.sleep(0.001)  # until it is cancelled
        try:
            copy(draft, target, **options)
        except Exception:  # rasterio's public errors do not include GDAL's own
            stopped.append(target.name)
            raise

    monkeypatch.setattr(rasterio.shutil, "copy", slow)
    path = geotiff(tmp_path / "scene.tif", picture)
    large = settings.model_copy(update=HELD)
    steps = pipeline.iter_image(path, ImageRequest(search=Search(threshold=0.25)), settings=large)
    next(event for event in steps if event.note == f"writing {name}")
    steps.close()
    assert stopped == [name] and list(settings.runs_dir.iterdir()) == []


@pytest.mark.parametrize(
    "note", ["copying the image", "writing preview.jpg", "writing overlay.png"]
)
def test_a_large_run_cancelled_while_written_leaves_nothing(
    settings, classifier, picture, tmp_path, note
):
    path = geotiff(tmp_path / "scene.tif", picture)
    large = settings.model_copy(update=HELD)
    request = ImageRequest(search=Search(image_format="jpg"))
    steps = pipeline.iter_image(path, request, settings=large)
    next(event for event in steps if event.note == note)
    assert list(settings.runs_dir.iterdir())
    steps.close()
    assert list(settings.runs_dir.iterdir()) == []


def test_a_large_picture_is_not_enlarged(settings, classifier, picture, tmp_path):
    path = geotiff(tmp_path / "scene.tif", picture)
    request, large = ImageRequest(search=Search(upscale="x4")), settings.model_copy(update=HELD)
    assert "cannot be enlarged" in str(pipeline.inspect_image(path, request, large).refusal)
    stages = []
    with pytest.raises(AreaTooLarge, match="cannot be enlarged"):
        finish(pipeline.iter_image(path, request, settings=large), lambda e: stages.append(e.stage))
    assert stages == ["read"], "no model is loaded"


@pytest.mark.parametrize("kind", ["marked", "not a number", "transparent"])
def test_a_picture_without_data_is_refused_large_or_small(settings, tmp_path, kind):
    values = np.zeros((700, 900, 4 if kind == "transparent" else 1), np.float32)
    profile = {"nodata": 0}
    if kind == "not a number":
        values[:] = np.nan
        profile = {"nodata": None}
    elif kind == "transparent":
        values, profile = values.astype(np.uint8), {"photometric": "RGB", "alpha": "YES"}
    path = geotiff(tmp_path / "empty.tif", values, **profile)
    answer = []
    for chosen in (settings, settings.model_copy(update=HELD)):
        with pytest.raises(BadImage, match="is empty: every pixel") as caught:
            open_raster(path, None, chosen)
        answer.append(str(caught.value))
    assert answer[0] == answer[1]


def test_data_in_the_last_strip_alone_is_enough(settings, tmp_path):
    values = np.zeros((1100, 900, 1), np.uint8)
    values[-1, -1] = 9
    path = geotiff(tmp_path / "corner.tif", values, nodata=0)
    picture = open_raster(path, None, settings.model_copy(update=HELD))
    _, covered = picture.read(0, 0, 900, 1100)
    assert isinstance(picture, LargeRaster) and covered.sum() == 1


def test_other_formats_are_not_read_in_pieces(settings, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "scene.png")
    with pytest.raises(BadImage, match="more than the limit"):
        open_raster(tmp_path / "scene.png", 1.0, settings.model_copy(update=HELD))


@pytest.fixture
def server(picture):
    with TileServer(picture, zoom=17, faults={}) as opened:
        yield opened


def test_a_large_area_has_the_same_ships_and_gaps(settings, classifier, picture):
    with TileServer(picture, zoom=17) as server:
        gap = (server.x0 + 3, server.y0 + 4)
        server.faults[gap] = NOT_FOUND
        area = AreaRequest(
            bbox=server.bbox_of(30, 40, 2000, 1500).as_tuple(),
            provider="xyz",
            zoom=17,
            search=Search(threshold=0.25),
        )
        settings = settings.model_copy(update={"xyz_url": server.url_template})
        whole = finish(pipeline.iter_area(area, settings=settings))
        pieces = finish(pipeline.iter_area(area, settings=settings.model_copy(update=HELD)))
    assert len(whole.candidates) >= len(FLEET)
    same_ships(whole.candidates, pieces.candidates)
    assert pieces.record["raw"]["large"]
    assert pieces.record["raw"]["covered"] == whole.record["raw"]["covered"] < 1
    assert pieces.record["source"]["missing"] == 1
    with rasterio.open(whole.files["mosaic"]) as a, rasterio.open(pieces.files["mosaic"]) as b:
        np.testing.assert_array_equal(a.read(), b.read())
        np.testing.assert_array_equal(a.dataset_mask(), b.dataset_mask())
        assert a.transform == b.transform


def test_a_stored_picture_reads_like_a_held_one(settings, server, tmp_path):
    settings = settings.model_copy(update={"xyz_url": server.url_template})
    provider = get_provider("xyz", settings)
    box = server.bbox_of(100, 60, 1900, 1400)
    held = finish(download(box, 17, provider, None, settings))
    small = settings.model_copy(update=HELD)
    with arriving(plan(box, 17, provider, 0, small), None, small, folder=tmp_path) as arrival:
        stored = finish(arrival.finish())
        assert isinstance(stored, FilePicture)
        assert stored.grid == held.grid
        for box_px in ((0, 0, 1800, 1340), (5, 7, 6, 8), (400, 300, 1300, 1340)):
            x0, y0, x1, y1 = box_px
            pixels, covered = stored.read(*box_px)
            np.testing.assert_array_equal(pixels, held.pixels[y0:y1, x0:x1])
            np.testing.assert_array_equal(covered, held.coverage[y0:y1, x0:x1])
    assert not list(tmp_path.glob("*.tmp"))


def test_the_search_begins_before_the_last_tile_is_there(settings, classifier, picture):
    searching = threading.Event()
    with TileServer(picture, zoom=17) as server:
        last = (server.x0 + server.columns - 1, server.y0 + server.rows - 1)
        server.held[last] = searching
        settings = settings.model_copy(update={"xyz_url": server.url_template})
        area = AreaRequest(bbox=server.bbox.as_tuple(), provider="xyz", zoom=17)
        tiles_done = []

        def watch(event):
            if event.stage == "fetch":
                tiles_done.append(event.done)
            elif event.stage == "detect" and event.done and not searching.is_set():
                assert tiles_done[-1] < 48  # had the search waited, HELD_S would have passed
                searching.set()

        run = finish(pipeline.iter_area(area, settings=settings), watch)
        assert searching.is_set()
    assert run.record["source"]["fetched"] == 48


def peak_mb(code, *arguments, **environment):
    """What a process of its own says last: its peak of memory above what it had when it began."""
    return last_said(code, *arguments, **environment)["peak_mb"]


SEARCH = """
import sys
from pytest import MonkeyPatch
from benchmarks import streaming
from tests.helpers.painted import use_painted
with MonkeyPatch.context() as patch:
    use_painted(patch)
    patch.setattr("benchmarks.streaming.load_classifier", lambda *_, **__: None)
    streaming.child(int(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.timeout(3600)
def test_memory_grows_with_the_width_of_an_image_not_its_height():
    """Both are so high that the preview and GDAL's cache, a small one here, are full."""
    width, low, high = 1024, 8192, 24_576

    def searched_mb(height):
        # Without a network: what a backend takes for itself is not in question here.
        return peak_mb(("-c", SEARCH), width, height, GDAL_CACHEMAX="16", **GIVEN_BACK)

    held_mb = width * (high - low) * 4 / 1024**2  # pixels and coverage of what one has more
    # Other work on the machine can only make more things wait at a time: the least of two counts.
    most = min(searched_mb(low), searched_mb(low)) + held_mb / 4
    assert searched_mb(high) < most or searched_mb(high) < most


READ = """
import json, sys
from pathlib import Path
from benchmarks.memory import resident_mb, start_counting
from shipdet.imagery import open_raster
from shipdet.settings import Settings
before = start_counting()  # opening an image reads a sample of it
picture = open_raster(Path(sys.argv[1]), None, Settings(max_held_pixels=1000))
for top in range(0, picture.grid.height, 512):
    picture.read(0, top, picture.grid.width, top + 512)
print(json.dumps({"peak_mb": resident_mb("VmHWM") - before}))
"""


def test_what_gdal_keeps_of_a_file_is_limited(tmp_path):
    """By its own rule, 5 % of this machine's memory, it would keep all of these if it could."""
    taken = []
    for height in (8_960, 12_800):
        path = tmp_path / f"{height}.tif"  # tiles that are not there are read as black
        profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "tiled": True}
        place = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_700_000, 1, 1)}
        with rasterio.open(
            path, "w", width=10_240, height=height, sparse_ok=True, **profile, **place
        ):
            pass
        taken.append(peak_mb(("-c", READ), path))
    assert taken[0] > CACHE_MB / 2, "the smaller one fills the cache already"
    assert taken[1] - taken[0] < CACHE_MB / 4


def test_a_grid_without_place_is_written_too(settings, classifier, picture, tmp_path):
    path = geotiff(tmp_path / "scene.tif", picture, crs=None)
    request = ImageRequest(gsd_m=GSD_M, search=Search(threshold=0.25))
    large = settings.model_copy(update=HELD)
    run = finish(pipeline.iter_image(path, request, settings=large))
    assert len(run.detections) == len(FLEET)
    assert "geojson" not in run.files and run.files["mosaic"].is_file()
    assert replace(run.detections[0], lon=None).lon is None
