"""The wheel, unpacked outside the repository, and its command run from another folder."""

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers import PROJECT


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout; returns its file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = folder.glob("shipdet-*.whl")
    return wheel


def install_wheel(wheel: Path, folder: Path) -> None:
    """Install a wheel into a folder; its dependencies are those of the running Python."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(folder), str(wheel)], check=True, capture_output=True)


def run_installed(
    packages: Path, cwd: Path, *command: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command with the packages of a folder before all others, from another folder.

    The settings are the defaults, but for a cache in ``cwd``.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SHIPDET_")}
    environment |= {"PYTHONPATH": str(packages), "SHIPDET_CACHE_DIR": str(cwd / "cache")}
    return subprocess.run(
        command, cwd=cwd, env=environment, check=check, capture_output=True, text=True
    )
