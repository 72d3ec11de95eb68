"""Runs whose process is stopped: nothing half-done is shown, and what was fetched is kept."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.helpers.tile_server import TileServer
from tests.helpers.waiting import wait_until, waits_for_the_rest

ROOT = Path(__file__).parent.parent


def heed_interrupts() -> None:
    """Undo in a new process what a shell does to those in its background: SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def download(server: TileServer, folder: Path, out: Path) -> "subprocess.Popen[str]":
    west, south, east, north = server.bbox.as_tuple()
    area = [str(value) for value in (west, south, east, north)]
    command = ["download", "--bbox", *area, "--provider", "xyz", "--zoom", str(server.zoom)]
    environment = os.environ | server.environ() | {
        "PYTHONPATH": str(ROOT), "SHIPDET_CACHE_DIR": str(folder / "cache"),
        "SHIPDET_RUNS_DIR": str(folder / "runs"),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "shipdet", *command, "--out", str(out)], env=environment,
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_interrupts,
    )  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="has no SIGKILL")
def test_a_killed_run_leaves_its_tiles_and_no_half_run(tmp_path):
    answer = threading.Event()
    out = tmp_path / "out"
    with TileServer() as server:
        held = {(server.x0 + x, server.y0 + 2): answer for x in range(4)}
        server.held = held
        first = download(server, tmp_path, out)
        wait_until(lambda: first.poll() is not None or waits_for_the_rest(server, tmp_path))
        assert first.poll() is None, first.communicate()[1]
        first.send_signal(signal.SIGKILL)
        first.communicate()
        assert not out.exists()
        assert out.with_name("out.partial").is_dir(), "nothing could tidy up"
        answer.set()
        time.sleep(2.1)  # a folder of less than two seconds may be about to be locked
        second = download(server, tmp_path, out)
        output, errors = second.communicate(timeout=200)
        assert second.returncode == 0, errors
        assert "8 from the cache, 0 missing" in output
    assert (out / "run.json").is_file()
    assert not out.with_name("out.partial").exists()


@pytest.mark.skipif(os.name == "nt", reason="has other signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_so_and_leaves_no_folder(tmp_path, sent, code):
    answer = threading.Event()
    out = tmp_path / "out"
    with TileServer() as server:
        server.held = {(server.x0 + x, server.y0 + 2): answer for x in range(4)}
        run = download(server, tmp_path, out)
        wait_until(lambda: run.poll() is not None or waits_for_the_rest(server, tmp_path))
        run.send_signal(sent)
        errors = run.communicate(timeout=200)[1]
        answer.set()
    assert run.returncode == code, errors
    assert errors.endswith("Stopped; downloaded tiles are kept.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]


@pytest.mark.skipif(os.name == "nt", reason="has other signals")
def test_an_interrupt_during_the_imports_is_one_line(tmp_path):
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    program = "import sys; from shipdet.cli import main; sys.exit(main([]))"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    assert ran.returncode == 130
    assert ran.stderr == "Stopped; downloaded tiles are kept.\n"


def test_a_reader_that_has_left_is_no_traceback(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "shipdet", "providers"], cwd=tmp_path, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1
