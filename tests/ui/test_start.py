"""The app starts in surroundings that are not meant for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
        {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:1080"},
        {"HTTP_PROXY": "http://proxy:port", "NO_PROXY": "localhost,127.0.0.0/8,::1/128"},
        {"SSL_CERT_FILE": "/nonexistent.pem"},
    ],
)
def test_the_app_starts_in_any_surroundings(tmp_path, surroundings):
    environment = os.environ | surroundings | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
