"""Truncated and changed files of every format: a picture or one sentence, in bounded time."""

import io
import json
import subprocess
import sys
import textwrap
import zlib

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from tests.helpers.damage import damaged
from tests.helpers.painted import sea

PIXELS = sea(90, 70, seed=2)
FILES = 120  # of each kind
MEMORY_MB = 3000  # of address space beyond what the process has when it begins
SECONDS = 20.0  # for one file, of processor time

READ = textwrap.dedent(
    f"""
    import json, resource, sys, time
    from pathlib import Path
    import cv2, rasterio
    from shipdet.errors import ShipdetError
    from shipdet.imagery import geotiff, open_raster
    folders = sorted(Path(sys.argv[1]).iterdir())
    for folder in folders:
        open_raster(folder / "whole", 3.0)
    cv2.setNumThreads(1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + {MEMORY_MB} * 2**20,) * 2)
    every = {{}}
    for folder in folders:
        outcome = every[folder.name] = {{"read": 0, "refused": 0, "slowest": 0.0, "wrong": []}}
        for path in sorted(folder.iterdir()):
            began = time.process_time()
            try:
                picture = open_raster(path, 3.0)
                assert picture.pixels.shape[2] == 3 and picture.coverage.any()
                outcome["read"] += 1
            except ShipdetError as error:
                outcome["refused"] += 1
                if not str(error).endswith(".") or "\\n" in str(error):
                    outcome["wrong"].append(f"{{path.name}}: {{error}}")
            except BaseException as error:
                said = f"{{path.name}}: {{type(error).__name__}}: {{error}}"
                outcome["wrong"].append(said[:300])
            outcome["slowest"] = max(outcome["slowest"], time.process_time() - began)
    print(json.dumps(every))
    """
)


def geotiff(pixels, **options):
    with rasterio.MemoryFile() as memory:
        height, width, count = pixels.shape
        profile = {"width": width, "height": height, "count": count, "dtype": pixels.dtype}
        place = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_700_000, 3, 3)}
        with memory.open(driver="GTiff", **profile, **place, **options) as dataset:
            dataset.write(np.moveaxis(pixels, -1, 0))
        return memory.read()


def pillow(image, image_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def whole_file(kind):
    deep = PIXELS[..., 0].astype(np.uint16) * 200
    return {
        "png": lambda: pillow(Image.fromarray(PIXELS), "PNG"),
        "png of 16 bits": lambda: pillow(Image.fromarray(deep), "PNG"),
        "png with a palette": lambda: pillow(Image.fromarray(PIXELS).quantize(), "PNG"),
        "jpeg": lambda: pillow(Image.fromarray(PIXELS), "JPEG"),
        "progressive jpeg": lambda: pillow(Image.fromarray(PIXELS), "JPEG", progressive=True),
        "geotiff": lambda: geotiff(PIXELS),
        "tiled geotiff": lambda: geotiff(
            PIXELS, tiled=True, blockxsize=32, blockysize=32, compress="DEFLATE"
        ),
        "geotiff of floats": lambda: geotiff(
            PIXELS.astype(np.float32), compress="LZW", BIGTIFF="YES"
        ),
        "geotiff in jpeg": lambda: geotiff(PIXELS, compress="JPEG", photometric="YCBCR"),
    }[kind]()


def mended(data):
    """A PNG whose checksums are right, so that readers look at what is in its chunks."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        body = data[at + 4 : at + 8 + length]
        out += data[at : at + 8 + length] + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + length
    return bytes(out + data[at:])


KINDS = ["png", "png of 16 bits", "png with a palette", "jpeg", "progressive jpeg", "geotiff",
         "tiled geotiff", "geotiff of floats", "geotiff in jpeg"]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory):
    """What became of the files of each kind; one process reads them all."""
    place = tmp_path_factory.mktemp("files")
    for kind in KINDS:
        data = whole_file(kind)
        rng = np.random.default_rng(len(kind))
        folder = place / kind
        folder.mkdir()
        (folder / "whole").write_bytes(data)
        for number in range(FILES):
            changed = damaged(data, rng)
            if kind.startswith("png") and number % 2:
                changed = mended(changed)
            (folder / f"{number:03d}").write_bytes(changed)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(place)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_a_picture_or_one_sentence(outcomes, kind):
    outcome = outcomes[kind]
    assert outcome["wrong"] == []
    assert outcome["read"] + outcome["refused"] == FILES + 1
    assert outcome["refused"] > 5 and outcome["read"] > 0
    assert outcome["slowest"] < SECONDS
