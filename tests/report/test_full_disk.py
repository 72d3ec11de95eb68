"""A disk that fills up at any step of writing: one sentence, nothing half done, tiles kept."""

import builtins
import io
import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import rasterio.shutil

import shipdet
from shipdet import pipeline
from shipdet.errors import StorageFull
from shipdet.progress import finish
from shipdet.report import exports
from shipdet.report.large import write_large
from shipdet.report.raster import write_geotiff, write_picture
from shipdet.report.tiff import is_complete
from shipdet.requests import AreaRequest, Search
from shipdet.settings import get_settings
from tests.helpers.painted import picture_mosaic, sea
from tests.helpers.tile_server import TileServer
from tests.helpers.written_runs import write_run

PICTURES = ["raw.png", "preview.jpg", "map.png", "map.tif", "overlay.png", "ship_0001.png"]
TABLES = ["detections.geojson", "detections.csv", "candidates.json", "run.json"]
RUN_FILES = [*PICTURES, *TABLES, "mosaic.tif"]


@contextmanager
def full_at(monkeypatch, matches):
    """Writing to a file whose path matches fails as the system has it: the bytes go to /dev/full.

    GDAL's own writing is made to fail where it would.
    """
    hit = []

    def opening(real):
        def opened(file, mode="r", *args, **kwargs):
            if isinstance(file, str | os.PathLike) and set(mode) & set("wax+"):
                path = Path(os.fspath(file))
                if matches(path):
                    hit.append(path.name)
                    real(file, mode, *args, **kwargs).close()  # the name is there
                    return real("/dev/full", mode, *args, **kwargs)
            return real(file, mode, *args, **kwargs)

        return opened

    def copied(real):
        def copy(source, target, **options):
            if matches(Path(target)):
                hit.append(Path(target).name)
                raise rasterio.errors.RasterioIOError("no space")
            return real(source, target, **options)

        return copy

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", opening(builtins.open))
        patch.setattr(io, "open", opening(io.open))
        patch.setattr(rasterio.shutil, "copy", copied(rasterio.shutil.copy))
        patch.setattr(shutil, "disk_usage", lambda _: os_usage(0))
        yield hit


def os_usage(free):
    return type("Usage", (), {"free": free, "total": 1, "used": 1})()


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")


@pytest.fixture
def server(monkeypatch):
    with TileServer() as running:
        monkeypatch.setenv("SHIPDET_XYZ_URL", running.url_template)
        get_settings.cache_clear()
        yield running


def search(server):
    box = server.bbox_of(156, 156, 356, 356).as_tuple()  # of four tiles
    what = Search.check(map=True, threshold=0.15)
    request = AreaRequest.check(bbox=box, provider="xyz", zoom=server.zoom, search=what)
    return finish(pipeline.iter_area(request))


def one_sentence(error):
    text = str(error.value)
    return text.endswith(".") and text.count(". ") == 0 and "\n" not in text


@needs_full
@pytest.mark.parametrize("name", RUN_FILES)
def test_every_file_of_a_run_may_meet_a_full_disk(server, classifier, monkeypatch, name):
    runs = get_settings().runs_dir
    with full_at(monkeypatch, lambda path: path.name == name and runs in path.parents) as hit:
        with pytest.raises(StorageFull, match="is full: free some space and run again") as caught:
            search(server)
    assert name in hit and one_sentence(caught)
    assert list(runs.iterdir()) == [], "no half run"
    asked = server.count
    run = search(server)
    assert server.count == asked, "the tiles were kept"
    assert {path.name for path in run.folder.rglob("*")} >= {*RUN_FILES}


def test_these_are_all_files_of_a_run(server, classifier):
    run = search(server)
    files = {path.name for path in run.folder.rglob("*") if path.is_file()}
    crops = {path.name for path in run.chips}
    assert files - crops == {*RUN_FILES} - {"ship_0001.png"}


@needs_full
def test_a_cache_without_room_costs_the_run_nothing(server, classifier, monkeypatch):
    real = os.fdopen

    def full(handle, *args, **kwargs):
        os.close(handle)
        return real(os.open("/dev/full", os.O_WRONLY), *args, **kwargs)

    monkeypatch.setattr(os, "fdopen", full)
    run = search(server)
    assert any("Tiles are not cached" in note and "No space left" in note for note in run.notes)
    assert not [path for path in get_settings().cache_dir.rglob("*") if path.suffix == ".part"]


@needs_full
@pytest.mark.parametrize("name", ["overlay.png", "ship_0001.png", "reviews.json", "run.json"])
def test_a_review_on_a_full_disk_leaves_the_run_as_it_was(tmp_path, monkeypatch, name):
    run = write_run(tmp_path / "run")
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    with full_at(monkeypatch, lambda path: path.name == name) as hit:
        with pytest.raises(StorageFull, match="is full") as caught:
            shipdet.save_review(run, run.review.accept(run.detections[0].key))
    assert name in hit and one_sentence(caught)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@needs_full
@pytest.mark.parametrize("suffix", [*exports.SUFFIXES, ".html", ".bundle.zip"])
def test_a_file_on_a_full_disk_keeps_its_old_content(tmp_path, monkeypatch, suffix):
    run = write_run(tmp_path / "run")
    target = tmp_path / "saved" / f"ships{suffix}"
    target.parent.mkdir()
    target.write_text("old")
    write = {
        ".html": run.report,
        ".bundle.zip": lambda path: shipdet.report.write_bundle(run, path),
    }
    with full_at(monkeypatch, lambda path: path.parent == target.parent) as hit:
        with pytest.raises(StorageFull, match="is full") as caught:
            write.get(suffix, run.save)(target)
    assert one_sentence(caught) and hit
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_text() == "old"


@contextmanager
def files_up_to(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("missing", [1, 100, 3000])
def test_a_picture_without_its_end_is_an_error(tmp_path, suffix, missing):
    pixels = sea(700, 600, noise=30)
    write_picture(tmp_path / f"whole{suffix}", pixels)
    size = (tmp_path / f"whole{suffix}").stat().st_size
    with files_up_to(size - missing), pytest.raises(OSError, match="too large"):
        write_picture(tmp_path / f"short{suffix}", pixels)


@pytest.mark.parametrize("missing", [1, 100, 3000])
def test_a_large_image_without_its_end_is_an_error(tmp_path, monkeypatch, missing):
    def write():
        mosaic = picture_mosaic(sea(700, 600), 3.0)
        finish(write_large(mosaic, tmp_path / "mosaic.tif", tmp_path / "preview.jpg", 400))

    sizes, copy = [], rasterio.shutil.copy

    def copied(source, target, **options):
        sizes.append(source.stat().st_size)
        copy(source, target, **options)

    monkeypatch.setattr(rasterio.shutil, "copy", copied)
    write()
    with files_up_to(sizes[0] - missing), pytest.raises(StorageFull, match="cannot be written"):
        write()


@pytest.mark.parametrize("missing", [1, 100, 3000, 60_000])
def test_a_geotiff_without_its_end_is_never_taken_for_whole(tmp_path, monkeypatch, missing):
    mosaic = picture_mosaic(sea(700, 600, noise=30), 3.0)
    write_geotiff(tmp_path / "whole.tif", mosaic)
    size = (tmp_path / "whole.tif").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - missing, before[1]))
    try:
        with pytest.raises(StorageFull, match="cannot be written"):
            write_geotiff(tmp_path / "short.tif", mosaic)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("big", ["YES", "NO"])
@pytest.mark.parametrize("tiled", [True, False])
def test_tables_of_every_kind_of_tiff_are_followed(tmp_path, big, tiled):
    file = tmp_path / "a.tif"
    mosaic = sample_pixels()
    profile = {"driver": "GTiff", "width": 300, "height": 200, "count": 1, "dtype": "uint8"}
    with rasterio.open(file, "w", **profile, tiled=tiled, bigtiff=big) as dataset:
        dataset.write(mosaic, 1)
    assert is_complete(file)
    whole = file.read_bytes()
    for length in (0, 3, 9, 40, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert not is_complete(file), length


def sample_pixels():
    return sea(300, 200)[..., 0]
