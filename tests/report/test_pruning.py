"""Old runs go, and what killed processes left; nothing else."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shipdet.report import new_folder, prune, pruning, replaced_folder
from shipdet.report.folder import ASIDE, PARTIAL
from shipdet.settings import GB, Settings
from tests.helpers import PROJECT

HOUR_S = 3600.0


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, runs_dir=tmp_path / "runs")


def finished(settings, name, age_days=0.0, size=1000):
    where = settings.runs_dir / name
    where.mkdir(parents=True)
    (where / "raw.png").write_bytes(bytes(size))
    (where / "run.json").write_text("{}")
    then = time.time() - age_days * 86_400
    os.utime(where / "run.json", (then, then))
    return where


def limits(settings, **changes):
    return settings.model_copy(update=changes)


def test_old_runs_are_removed_and_young_ones_kept(settings):
    old = finished(settings, "old", age_days=40)
    young = finished(settings, "young", age_days=10)
    newest = finished(settings, "newest")
    prune(limits(settings, runs_max_age_days=30), newest)
    assert not old.exists() and young.exists() and newest.exists()


def test_the_oldest_go_until_the_size_fits(settings):
    runs = [finished(settings, f"r{n}", age_days=5 - n, size=400_000) for n in range(4)]
    prune(limits(settings, runs_max_gb=900_000 / GB), runs[-1])
    assert [run.exists() for run in runs] == [False, False, True, True]


def test_the_run_just_made_is_kept_however_large(settings):
    run = finished(settings, "large", size=400_000)
    prune(limits(settings, runs_max_gb=1000 / GB, runs_max_age_days=0.0), run)
    assert run.exists()


def test_a_folder_of_another_user_costs_nothing(settings, monkeypatch):
    old = finished(settings, "old", age_days=40)
    finished(settings, "lost+found")
    stat = Path.stat

    def refused(path, **more):
        if path.parent.name == "lost+found":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **more)

    monkeypatch.setattr(Path, "stat", refused)
    prune(limits(settings, runs_max_age_days=30), settings.runs_dir / "none")
    monkeypatch.undo()
    assert not old.exists()
    assert (settings.runs_dir / "lost+found" / "run.json").exists()


def test_what_no_run_wrote_is_never_removed(settings):
    run = finished(settings, "run", age_days=1)
    (settings.runs_dir / "photos").mkdir()
    (settings.runs_dir / "photos" / "cat.jpg").write_bytes(bytes(400_000))
    (settings.runs_dir / "notes.txt").write_text("mine")
    elsewhere = finished(settings, "../elsewhere", age_days=400)
    (settings.runs_dir / "link").symlink_to(elsewhere)
    prune(limits(settings, runs_max_gb=0.0, runs_max_age_days=0.5), settings.runs_dir / "none")
    assert not run.exists()
    assert (settings.runs_dir / "photos" / "cat.jpg").exists()
    assert (settings.runs_dir / "notes.txt").exists()
    assert (elsewhere / "raw.png").exists()


def test_a_run_that_is_still_being_written_is_not_removed(settings):
    # Its run.json is there before it has its name.
    writing = finished(settings, "other.partial", size=400_000)
    newest = finished(settings, "newest")
    prune(limits(settings, runs_max_gb=1000 / GB), newest)
    assert (writing / "raw.png").exists()


def test_pruning_survives_another_process_that_prunes(settings, monkeypatch):
    newest = finished(settings, "newest")
    old = [finished(settings, f"old{n}", age_days=40) for n in range(3)]
    real, gone = pruning.folder_bytes, threading.Event()

    def size(where):
        if not gone.is_set():  # the other process is faster
            gone.set()
            for run in old:
                pruning.shutil.rmtree(run)
        return real(where)

    def vanishing(self, *args, **kwargs):
        if gone.is_set() and "old" in str(self):
            raise FileNotFoundError(errno.ENOENT, "gone")
        return stat(self, *args, **kwargs)

    stat = pruning.Path.stat
    monkeypatch.setattr(pruning, "folder_bytes", size)
    monkeypatch.setattr(pruning.Path, "stat", vanishing)
    prune(limits(settings, runs_max_age_days=30), newest)
    monkeypatch.undo()
    assert newest.exists()


def test_without_a_runs_folder_there_is_nothing_to_prune(settings):
    prune(settings, settings.runs_dir / "x")
    assert not settings.runs_dir.exists()


def aged(where, hours):
    """As if nothing had been written for so long."""
    then = time.time() - hours * HOUR_S
    for path in (*where.rglob("*"), where):
        os.utime(path, (then, then))
    return where


KILLED = """
import os, sys
from pathlib import Path
from shipdet.report import new_folder
from shipdet.settings import Settings
with new_folder(None, "", Settings(runs_dir=Path(sys.argv[1]))) as (partial, _):
    (partial / "raw.png").write_bytes(bytes(400_000))
    os._exit(9)
"""


@pytest.fixture
def left_behind(settings):
    """What a process leaves that is killed while it writes a run."""
    command = [sys.executable, "-c", KILLED, str(settings.runs_dir)]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == 9
    (left,) = settings.runs_dir.iterdir()
    assert left.name.endswith(PARTIAL)
    return left


def test_what_a_killed_run_left_is_removed_when_it_is_old(settings, left_behind):
    newest = finished(settings, "newest")
    prune(settings, newest)
    assert (left_behind / "raw.png").exists(), "its process may just have begun"
    aged(left_behind, pruning.ABANDONED_H + 1)
    prune(settings, newest)
    assert not left_behind.exists() and newest.exists()


def test_what_a_killed_run_left_counts_in_the_size(settings, left_behind):
    old = finished(settings, "old", age_days=1, size=400_000)
    newest = finished(settings, "newest", size=400_000)
    prune(limits(settings, runs_max_gb=1_000_000 / GB), newest)
    assert not old.exists() and newest.exists() and left_behind.exists()


def test_the_folder_of_a_living_run_is_never_removed(settings):
    newest = finished(settings, "newest")
    with new_folder(None, "", settings) as (searching, _), replaced_folder(newest) as filtering:
        for living in (searching, filtering):
            (living / "raw.png").touch()
            aged(living, 100)
        prune(limits(settings, runs_max_gb=0.0), newest)
        assert (searching / "raw.png").exists() and (filtering / "raw.png").exists()


def test_without_locks_nothing_is_taken_for_left_behind(settings, left_behind, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with new_folder(None, "", settings):  # a run needs none
        prune(settings, aged(left_behind, 100))
    assert left_behind.exists()


def test_a_folder_that_only_looks_unfinished_is_not_ours(settings):
    mine = settings.runs_dir / f"thesis{PARTIAL}"
    mine.mkdir(parents=True)
    (mine / "draft.txt").write_text("years")
    prune(settings, aged(mine, 100))
    assert (mine / "draft.txt").exists()


def test_a_run_that_was_left_aside_comes_back(settings):
    names = ("gone-abcdef", "there-abcdef", "there")
    lost, old, there = (
        finished(settings, name if name == "there" else f"{name}{ASIDE}") for name in names
    )
    prune(settings, there)
    assert not lost.exists() and not old.exists()
    assert sorted(folder.name for folder in settings.runs_dir.iterdir()) == ["gone", "there"]
    assert (settings.runs_dir / "gone" / "run.json").is_file()
