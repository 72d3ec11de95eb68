"""The app starts in surroundings that are not meant for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shipdet.errors import StorageFull
from shipdet.ui.temporary_files import choose_temporary_folder

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os
from pathlib import Path
from shipdet.settings import read_settings
from shipdet.ui.server import launch
import httpx

NAMES = ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "no_proxy", "SSL_CERT_FILE")
before = [os.environ.get(name) for name in NAMES]
blocks = launch(read_settings(port=0, runs_dir=Path("runs")), block=False)
assert [os.environ.get(name) for name in NAMES] == before
with httpx.Client(trust_env=False) as http:
    assert http.get(blocks.local_url + "healthz").json() == {"status": "ok"}
blocks.close()
"""


@pytest.mark.parametrize(
    "surroundings",
    [
        # Each of these alone stops an app that does not expect it; two starts try them all.
        {
            "HTTP_PROXY": "http://127.0.0.1:9",
            "ALL_PROXY": "socks5://127.0.0.1:1080",
            "SSLKEYLOGFILE": "/nonexistent/keys.log",
            "GRADIO_TEMP_DIR": "/dev/null/gradio",
        },
        {
            "HTTP_PROXY": "http://proxy:port",
            "NO_PROXY": "localhost,127.0.0.0/8,::1/128",
            "SSL_CERT_FILE": "/nonexistent.pem",
        },
    ],
)
def test_the_app_starts_in_any_surroundings(tmp_path, surroundings):
    own = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment = os.environ | surroundings | own
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def test_no_folder_for_temporary_files_is_one_sentence(monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/dev/null/gradio")
    monkeypatch.setattr("shipdet.ui.temporary_files.user_folder", lambda _: Path("/dev/null"))
    with pytest.raises(StorageFull, match="Not a directory.*set GRADIO_TEMP_DIR"):
        choose_temporary_folder()


@pytest.mark.parametrize("own", [None, "chosen"])
def test_a_folder_that_can_be_written_is_left_alone(monkeypatch, tmp_path, own):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    if own:
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / own))
    choose_temporary_folder()
    assert os.environ.get("GRADIO_TEMP_DIR") == (str(tmp_path / own) if own else None)
    assert [path.name for path in tmp_path.iterdir()] == [own or "gradio"]
