"""The same image gives the same ships on the same machine, byte for byte, busy or idle."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from shipdet import pipeline
from shipdet.imagery import sample
from shipdet.progress import finish
from shipdet.requests import ImageRequest
from shipdet.settings import Settings

PROGRAM = """
import sys
import shipdet

run = shipdet.detect_image(sys.argv[1], gsd_m=1.2, out=sys.argv[2], backend="{backend}",
                           device="cpu", threshold=0.1)
assert len(run.detections) > 0
"""
FILES = ("detections.csv", "candidates.json", "overlay.png")


def search(image: Path, out: Path, backend: str, threads: int) -> list[bytes]:
    """The files of a search in a process of its own."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads), "SHIPDET_CACHE_DIR": str(image.parent / "cache"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }  # fmt: skip
    command = [sys.executable, "-c", PROGRAM.format(backend=backend), str(image), str(out)]
    ran = subprocess.run(
        command, env=environment, cwd=image.parent, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return [(out / name).read_bytes() for name in FILES]


def scene(folder: Path) -> Path:
    """An image of a part of the sample harbor."""
    with Image.open(io.BytesIO(sample.tile(17, 65_289, 65_507) or b"")) as tile:
        tile.convert("RGB").save(folder / "scene.png")
    return folder / "scene.png"


def classifier_of(run: Path) -> dict[str, str]:
    """What run.json says of how the classifier ran."""
    used: dict[str, str] = json.loads((run / "run.json").read_text())["models"]["classifier"]
    return used


@pytest.mark.parametrize(
    ("backend", "threads"),
    [("auto", 1), ("torch", 2)],  # PyTorch adds in another order with other numbers of threads
)
def test_a_search_again_gives_the_same_bytes(tmp_path, backend, threads):
    image = scene(tmp_path)
    first = search(image, tmp_path / "first", backend, 2)
    assert first == search(image, tmp_path / "second", backend, threads)
    used = classifier_of(tmp_path / "first")
    assert used["name"] in ("torch", "onnx", "openvino") and used["precision"]


def test_settings_fix_the_backend_and_the_precision(tmp_path):
    settings = Settings(backend="onnx", precision="fp32", cache_dir=tmp_path / "cache")
    request = ImageRequest(gsd_m=1.2)
    finish(pipeline.iter_image(scene(tmp_path), request, out=tmp_path / "run", settings=settings))
    used = classifier_of(tmp_path / "run")
    assert (used["name"], used["precision"]) == ("onnx", "fp32")
