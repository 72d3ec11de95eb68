"""``shipdet review``: the viewer of a run anywhere on disk, served to this machine."""

import os
import socket
import subprocess
import sys

import httpx
import pytest

from shipdet.cli import main
from tests.helpers import PROJECT
from tests.helpers.written_runs import write_run


@pytest.mark.parametrize("command", [["review"], ["runs", "open"]])
def test_the_address_of_the_viewer_is_printed_and_served(tmp_path, command):
    folder = write_run(tmp_path / "my scene").folder
    serving = subprocess.Popen(
        [sys.executable, "-m", "shipdet", *command, str(folder), "--no-browser"],
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        address = serving.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:") and address.endswith("/runs/my%20scene")
        with httpx.Client(trust_env=False, timeout=60) as http:
            assert "<title>" in http.get(address).text
            assert http.get(f"{address}/data.json").json()["total"] == 2
            other = {"Host": "rebound.example.org"}
            assert http.get(f"{address}/data.json", headers=other).status_code == 400
            home = http.get(address.removesuffix("/runs/my%20scene"), follow_redirects=True)
            assert "Runs" in home.text
    finally:
        serving.terminate()
        serving.wait(20)
        serving.stdout.close()


def test_a_run_that_is_not_there_is_one_sentence(capsys):
    assert main(["review", "nothing"]) == 2
    assert "no longer on disk" in capsys.readouterr().err


def test_a_port_in_use_is_one_sentence(tmp_path, capsys):
    folder = write_run(tmp_path / "scene").folder
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["review", str(folder), "--port", str(port), "--no-browser"]) == 2
    assert f"Port {port} is in use" in capsys.readouterr().err


def test_a_folder_that_is_no_address_is_one_sentence(tmp_path, capsys):
    folder = write_run(tmp_path / "a,b").folder
    assert main(["review", str(folder), "--no-browser"]) == 2
    assert "Rename the folder a,b" in capsys.readouterr().err
