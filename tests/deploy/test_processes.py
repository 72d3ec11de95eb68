"""Processes of a folder: started, found again by another program, and only those stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.local import Cluster
from deploy.processes import NotStarted, Processes, free_port

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable, "-c",
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print('up', flush=True); time.sleep(60)",
]  # fmt: skip


@pytest.fixture
def processes(tmp_path: Path):
    for name in ("logs", "pids"):
        (tmp_path / name).mkdir()
    made = Processes(tmp_path)
    yield made
    made.stop_all()


def wait_for_log(processes: Processes, name: str) -> None:
    end = time.monotonic() + 20
    while "up" not in (processes.logs / f"{name}.log").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_process_is_found_again_and_stopped(processes, tmp_path):
    processes.start("one", SLEEP, os.environ, tmp_path)
    wait_for_log(processes, "one")
    other = Processes(tmp_path)
    assert other.running() == ["one"]
    with pytest.raises(NotStarted, match="already"):
        other.start("one", SLEEP, os.environ, tmp_path)
    other.stop_all()
    assert processes.pid("one") is None and not list((tmp_path / "pids").iterdir())


def test_one_that_does_not_listen_is_killed_with_its_children(processes, tmp_path, monkeypatch):
    monkeypatch.setattr("deploy.processes.STOP_S", 0.5)
    processes.start("stubborn", STUBBORN, os.environ, tmp_path)
    wait_for_log(processes, "stubborn")
    group = processes.pid("stubborn")
    processes.stop("stubborn")
    end = time.monotonic() + 5  # a killed process is gone a moment later
    while members(group) and time.monotonic() < end:
        time.sleep(0.05)
    assert members(group) == []


def members(group: int) -> list[str]:
    """What still runs of a process group; zombies do not."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = file.read_text().rpartition(")")
        except OSError:
            continue
        state, _, pgrp = fields.split()[:3]
        if int(pgrp) == group and state != "Z":
            found.append(name)
    return found


def test_a_process_that_has_got_the_same_id_since_is_left_alone(processes, tmp_path):
    with subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL) as stranger:
        (processes.pids / "old").write_text(f"{stranger.pid} 12345")
        processes.stop("old")
        assert stranger.poll() is None
        stranger.send_signal(signal.SIGKILL)


def test_the_log_of_what_ends_at_once_is_shown(processes, tmp_path):
    call = [sys.executable, "-c", "raise SystemExit('no such option')"]
    processes.start("bad", call, os.environ, tmp_path)
    with pytest.raises(NotStarted, match="no such option"):
        processes.wait_for_port("bad", free_port(), 20)


def test_chosen_ports_are_not_those_that_a_system_gives_away():
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(limits.read_text().split()[0]) if limits.exists() else 32_768
    chosen = [free_port() for _ in range(8)]
    assert len(set(chosen)) == 8 and all(1024 < port < first for port in chosen)


def test_settings_are_kept_between_programs(tmp_path):
    cluster = Cluster(tmp_path, usual_ports=False)
    cluster.settle()
    again = Cluster(tmp_path)
    assert again.env == cluster.env and again.ports == cluster.ports
    assert (tmp_path / "env").stat().st_mode & 0o077 == 0, "it holds secrets"
    assert len(set(again.ports.values())) == len(again.ports)
