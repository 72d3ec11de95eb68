"""The load of many clients: a run that belongs to another request is found."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from benchmarks.clients import NAMES, SIDE_PX, Asked, memory_mb, mixed_up, requests_of
from tests.helpers.tile_server import TileServer


@pytest.fixture
def server():
    with TileServer() as running:
        yield running


def answered(asked, server, runs, of=None):
    """The record of a run in a folder; its picture may be that of another request."""
    box = [asked.options(server)[name] for name in NAMES]
    shown = of or asked
    left, top = shown.x - 1, shown.y - 2  # a picture may reach a pixel further
    pixels = server.picture[top : top + SIDE_PX + 3, left : left + SIDE_PX + 2]
    spans = [(low + SIDE_PX - 1) // 256 - low // 256 + 1 for low in (asked.x, asked.y)]
    source = {"tiles": spans[0] * spans[1], "missing": 0}
    record = {"run": f"{asked.name}-20260101-000000-aa", "inputs": {"bbox": box}, "source": source}
    folder = runs / record["run"]
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(record))
    Image.fromarray(pixels).save(folder / "raw.png")
    return record


def test_a_run_of_its_own_is_right(server, tmp_path):
    asked = Asked("client1-0", 40, 50)
    assert mixed_up(asked, server, answered(asked, server, tmp_path), tmp_path) == ""


def test_a_run_of_another_request_is_found(server, tmp_path):
    asked, other = Asked("client1-0", 40, 50), Asked("client2-0", 300, 90)
    record = answered(other, server, tmp_path)
    assert "has the area" in mixed_up(asked, server, record, tmp_path)
    same_place = Asked("client3-0", other.x, other.y)
    assert "has the run client2-0" in mixed_up(same_place, server, record, tmp_path)


def test_the_picture_of_another_request_is_found(server, tmp_path):
    asked, other = Asked("client1-0", 40, 50), Asked("client2-0", 300, 90)
    record = answered(asked, server, tmp_path, of=other)
    assert "image of another area" in mixed_up(asked, server, record, tmp_path)


def test_every_client_asks_for_areas_of_its_own(server):
    firsts = [next(requests_of(number, server)) for number in range(50)]
    assert len({(one.x, one.y) for one in firsts}) == 50
    assert firsts == [next(requests_of(number, server)) for number in range(50)]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's /proc")
def test_an_ended_process_has_no_memory():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert memory_mb(process) > 0
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert memory_mb(process) is None, "ended, and not waited for yet"
        process.wait()
        assert memory_mb(process) is None
