"""Run folders appear when complete, never otherwise, and go when they are old."""

import errno
import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import rasterio.shutil

from shipdet.errors import BadOption, Busy, StorageFull
from shipdet.progress import finish
from shipdet.report import exchange, folder, new_folder, replaced_folder, run_folder
from shipdet.report.large import write_large
from shipdet.report.raster import write_geotiff
from shipdet.settings import Settings
from tests.helpers.painted import picture_mosaic, sea


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, runs_dir=tmp_path / "runs")


def everything(root):
    return sorted(p.name for p in root.rglob("*")) if root.exists() else []


def test_a_run_appears_only_when_it_is_complete(settings):
    with new_folder(None, "", settings) as (partial, final):
        (partial / "a.txt").write_text("a")
        assert partial.is_dir() and not final.exists()
        assert partial.parent == final.parent == settings.runs_dir
    assert (final / "a.txt").read_text() == "a" and not partial.exists()


def test_a_run_is_named_after_time_and_wish(settings):
    names = set()
    for _ in range(3):
        with new_folder(None, "rotterdam", settings) as (_, final):
            names.add(final.name)
    assert len(names) == 3
    assert all(name.startswith("rotterdam-20") for name in names)
    assert all(folder.RUN_ID.fullmatch(name) for name in names)


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), GeneratorExit()])
def test_a_failed_or_cancelled_run_leaves_nothing(settings, error):
    with pytest.raises(type(error)), new_folder(None, "", settings) as (partial, _):
        (partial / "chips").mkdir()
        (partial / "chips" / "a.png").write_bytes(b"a")
        raise error
    assert everything(settings.runs_dir) == []


def test_the_chosen_folder_is_used(settings, tmp_path):
    out = tmp_path / "deep" / "results"
    with new_folder(out, "ignored", settings) as (partial, final):
        (partial / "a.txt").touch()
    assert final == out and everything(tmp_path / "deep") == ["a.txt", "results"]


def test_an_empty_folder_may_be_filled(settings, tmp_path):
    out = tmp_path / "empty"
    out.mkdir()
    with new_folder(out, "", settings) as (partial, _):
        (partial / "a.txt").touch()
    assert everything(out) == ["a.txt"]


def test_a_folder_with_something_in_it_is_refused_and_kept(settings, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(BadOption, match="is not an empty folder: choose another one"):
        with new_folder(tmp_path / "mine", "", settings):
            pytest.fail("the block must not run")
    assert everything(tmp_path) == ["mine", "thesis.txt"]


def test_a_file_in_the_way_is_refused(settings, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadOption, match="is not an empty folder"):
        with new_folder(tmp_path / "file", "", settings):
            pytest.fail("the block must not run")
    with pytest.raises(StorageFull, match="cannot be written: choose another results folder"):
        with new_folder(tmp_path / "file" / "below", "", settings):
            pytest.fail("the block must not run")


def test_a_name_too_long_for_the_disk_is_one_sentence(settings, tmp_path):
    with pytest.raises(StorageFull, match="cannot be written"):
        with new_folder(tmp_path / ("x" * 300), "", settings):
            pytest.fail("the block must not run")


def test_the_current_folder_may_be_chosen_as_a_dot(settings, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with new_folder(folder.Path("."), "", settings) as (partial, final):
        (partial / "a.txt").touch()
    assert final == here and everything(here) == ["a.txt"]


def test_two_runs_into_one_folder_are_refused(settings, tmp_path):
    out = tmp_path / "out"
    with new_folder(out, "", settings) as (partial, _):
        (partial / "first").touch()
        with pytest.raises(Busy, match="Another run is writing to"):
            with new_folder(out, "", settings):
                pytest.fail("the block must not run")
        assert (partial / "first").exists(), "the other's folder is not removed"
    assert everything(out) == ["first"]


def test_what_a_killed_run_left_is_replaced(settings, tmp_path):
    left = tmp_path / "out.partial"
    left.mkdir()
    (left / "half").touch()
    os.utime(left, (0, 0))
    with new_folder(tmp_path / "out", "", settings) as (partial, _):
        (partial / "whole").touch()
    assert everything(tmp_path / "out") == ["whole"]
    assert not left.exists()


def test_a_folder_that_no_run_wrote_is_kept(settings, tmp_path):
    theirs = tmp_path / "out.partial"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years")
    os.utime(theirs, (0, 0))
    with new_folder(tmp_path / "out", "", settings) as (partial, _):
        (partial / "whole").touch()
        with pytest.raises(Busy), new_folder(tmp_path / "out", "", settings):
            pytest.fail("the block must not run")
    assert everything(tmp_path) == ["out", "out.partial", "thesis.txt", "whole"]


def test_what_a_killed_run_wrote_is_replaced(settings, tmp_path):
    with new_folder(tmp_path / "out", "", settings) as (partial, _):
        (partial / "half").write_text("half")
        shutil.copytree(partial, tmp_path / "killed.partial")
    os.utime(tmp_path / "killed.partial", (0, 0))
    with new_folder(tmp_path / "killed", "", settings) as (partial, _):
        (partial / "whole").touch()
    assert everything(tmp_path) == ["half", "killed", "out", "whole"]


def mount(monkeypatch, point, code):
    """Let the system refuse to replace a folder, as it does for a mount point."""
    replace = os.replace

    def refused(source, target):
        if Path(target) == point:
            raise OSError(code, os.strerror(code))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EXDEV])
def test_a_mount_point_is_filled(settings, tmp_path, monkeypatch, code):
    out = tmp_path / "out"
    out.mkdir()
    mount(monkeypatch, out, code)
    with new_folder(out, "", settings) as (partial, _):
        (partial / "chips").mkdir()
        (partial / "chips" / "a.png").write_bytes(b"a")
        (partial / "run.json").write_text("{}")
    assert everything(tmp_path) == ["a.png", "chips", "out", "run.json"]
    assert (out / "chips" / "a.png").read_bytes() == b"a"


def test_a_full_mount_point_is_empty_again(settings, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    mount(monkeypatch, out, errno.EBUSY)
    copyfile = shutil.copyfile

    def full(source, target):
        if source.name == "run.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StorageFull, match="is full"):
        with new_folder(out, "", settings) as (partial, _):
            (partial / "chips").mkdir()
            (partial / "chips" / "a.png").touch()
            (partial / "a.csv").touch()
            (partial / "run.json").touch()
    assert everything(tmp_path) == ["out"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place like /proc")
@pytest.mark.parametrize("out", ["/proc/x", "/proc/x/y/z"])
def test_where_no_folder_can_be_made_is_one_sentence(settings, out):
    with pytest.raises(StorageFull, match=f"{out} cannot be written: choose another"):
        with new_folder(Path(out), "", settings):
            pytest.fail("the block must not run")


def test_a_file_too_large_for_the_disk_is_one_sentence(settings):
    with pytest.raises(StorageFull, match="cannot be written: choose another results folder"):
        with new_folder(None, "", settings) as (partial, _), small_files_only():
            (partial / "raw.png").write_bytes(bytes(60_000))
    assert everything(settings.runs_dir) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(settings, code):
    with pytest.raises(StorageFull) as caught, new_folder(None, "", settings) as (partial, _):
        (partial / "a").touch()
        raise OSError(code, os.strerror(code))
    text = str(caught.value)
    assert "is full: free some space and run again" in text and text.endswith("tiles are kept.")
    assert everything(settings.runs_dir) == []


@contextmanager
def small_files_only(really=True):
    """Whoever writes a larger one in this block has a real error of the system."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]) if really else before)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_held(folder, mosaic):
    write_geotiff(folder / "mosaic.tif", mosaic)


def write_in_pieces(folder, mosaic):
    finish(write_large(mosaic, folder / "mosaic.tif", folder / "preview.jpg", 400))


@pytest.mark.parametrize(("free", "says"), [(0, "is full: free some"), (10**12, "choose another")])
@pytest.mark.parametrize(
    ("write", "failing"),
    [
        (write_held, "mosaic.tif"),
        (write_in_pieces, "mosaic.tmp"),
        (write_in_pieces, "mosaic.tif"),
    ],
)
def test_what_gdal_cannot_write_is_one_sentence(settings, monkeypatch, write, failing, free, says):
    copy = rasterio.shutil.copy

    def limited(source, target, **options):
        with small_files_only(target.name == failing):
            copy(source, target, **options)

    monkeypatch.setattr(rasterio.shutil, "copy", limited)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    mosaic = picture_mosaic(sea(700, 600, noise=30), 3.0)
    with pytest.raises(StorageFull, match=says), new_folder(None, "", settings) as (partial, _):
        with small_files_only(failing == "mosaic.tmp"):
            write(partial, mosaic)
    assert everything(settings.runs_dir) == []


def test_a_disk_that_fills_up_at_the_end_is_reported_too(settings, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageFull, match="is full"), new_folder(None, "", settings):
        pass
    assert everything(settings.runs_dir) == []


def test_a_forbidden_folder_is_one_sentence(settings, monkeypatch):
    def forbidden(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(folder.Path, "mkdir", forbidden)
    with pytest.raises(StorageFull, match="cannot be written: choose another results folder"):
        with new_folder(None, "", settings):
            pytest.fail("the block must not run")


def test_other_errors_of_the_disk_are_not_hidden(settings):
    with pytest.raises(OSError, match="odd") as caught, new_folder(None, "", settings):
        raise OSError(errno.EIO, "odd")
    assert not isinstance(caught.value, StorageFull)


def finished(settings, name):
    where = settings.runs_dir / name
    where.mkdir(parents=True)
    (where / "run.json").write_text("{}")
    return where


def test_a_finished_run_is_found_by_its_id(settings):
    where = finished(settings, "20260101-000000-abc")
    assert run_folder("20260101-000000-abc", settings) == where


@pytest.mark.parametrize("run_id", ["../x", "..", "", ".", "a/b", "/etc", "x\0y", "gone", "empty"])
def test_nothing_outside_the_runs_folder_is_found(settings, run_id):
    finished(settings, "kept")
    (settings.runs_dir / "empty").mkdir()
    outside = settings.runs_dir.parent / "x"
    outside.mkdir()
    (outside / "run.json").write_text("{}")
    with pytest.raises(BadOption, match="no longer on disk"):
        run_folder(run_id, settings)


@pytest.fixture(params=["in one step", "in three", "refused"])
def exchanging(request, monkeypatch):
    """Systems that can let folders change places, and others."""
    if request.param == "in three":
        monkeypatch.setattr(exchange.ctypes, "CDLL", lambda *_, **__: None)
    elif request.param == "refused":
        monkeypatch.setattr(exchange, "_RENAME_EXCHANGE", 1 << 20)  # EINVAL
    return request.param


def test_a_run_is_replaced_as_a_whole(settings, exchanging):
    run = finished(settings, "run")
    (run / "old.txt").touch()
    with replaced_folder(run) as new:
        (new / "run.json").write_text("[]")
        assert everything(run) == ["old.txt", "run.json"] and (run / "run.json").samefile(
            run_folder("run", settings) / "run.json"
        )
    assert everything(settings.runs_dir) == ["run", "run.json"]
    assert (run / "run.json").read_text() == "[]"


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_a_run_that_cannot_be_replaced_is_left_alone(settings, error):
    run = finished(settings, "run")
    with pytest.raises(type(error)), replaced_folder(run) as new:
        (new / "run.json").write_text("[]")
        raise error
    assert everything(settings.runs_dir) == ["run", "run.json"]
    assert (run / "run.json").read_text() == "{}"


def test_two_may_replace_a_run_and_the_last_one_wins(settings):
    run = finished(settings, "run")
    with replaced_folder(run) as one:
        (one / "run.json").write_text("1")
        with replaced_folder(run) as two:
            (two / "run.json").write_text("2")
        assert (run / "run.json").read_text() == "2"
    assert everything(settings.runs_dir) == ["run", "run.json"]
    assert (run / "run.json").read_text() == "1"


def test_a_run_that_was_removed_meanwhile_is_one_sentence(settings, exchanging):
    run = finished(settings, "run")
    with pytest.raises(BadOption, match="no longer on disk"), replaced_folder(run):
        folder.shutil.rmtree(run)
    assert everything(settings.runs_dir) == []


@pytest.mark.parametrize("exchanging", ["in three", "refused"], indirect=True)
def test_a_run_comes_back_when_its_successor_cannot_move(settings, exchanging, monkeypatch):
    run, replace = finished(settings, "run"), os.replace

    def failing(source, target):
        if target == run and (source / "new.txt").exists():
            raise PermissionError(errno.EACCES, "a file is open")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(StorageFull), replaced_folder(run) as new:
        (new / "new.txt").touch()
    assert everything(settings.runs_dir) == ["run", "run.json"]
