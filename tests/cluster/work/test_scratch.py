"""A killed worker's folders are removed by the next one, and no other's."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shipdet.cluster.work.scratch import remove_abandoned, scratch_folder

HOLD = """
import sys
from shipdet.cluster.work.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "run").mkdir()
    (folder / "run" / "mosaic.tif").write_bytes(b"pixels")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, for this process and its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_is_there_while_it_is_used_and_gone_afterwards(own_folder):
    with pytest.raises(RuntimeError), scratch_folder() as folder:
        (folder / "file").write_bytes(b"x")
        assert remove_abandoned() == 0 and (folder / "file").exists()
        raise RuntimeError
    assert list(own_folder.iterdir()) == []


def test_only_the_folders_of_killed_processes_are_removed(own_folder):
    workers = [
        subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]  # fmt: skip
    try:
        dead, alive = (Path(w.stdout.readline().strip()) for w in workers)
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait()
        assert (dead / "run" / "mosaic.tif").exists(), "a killed process leaves its files"
        assert remove_abandoned() == 1
        assert list(own_folder.iterdir()) == [alive] and (alive / "run").exists()
    finally:
        for worker in workers:
            worker.communicate()
    assert list(own_folder.iterdir()) == []


def test_what_is_no_folder_of_ours_is_left_alone(own_folder):
    (own_folder / "shipdet-other").mkdir()
    target = own_folder / "target"
    target.mkdir()
    (own_folder / "shipdet-block-link").symlink_to(target)
    assert remove_abandoned() == 0
    assert target.exists() and (own_folder / "shipdet-other").exists()
