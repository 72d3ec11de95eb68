"""A process that writes GeoTIFFs, and then forks, as multiprocessing does on Linux."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
import numpy as np
import rasterio
from shipdet.mosaic import Mosaic, Provenance
from shipdet.report.raster import write_geotiff
from tests.helpers.painted import sea, tile_grid

def write(name):
    covered = np.ones((700, 1100), np.bool_)
    mosaic = Mosaic(sea(1100, 700), tile_grid(1100, 700, 16), covered, Provenance("image", "sea"))
    write_geotiff(Path(sys.argv[1]) / name, mosaic)
    return rasterio.open(Path(sys.argv[1]) / name).checksum(1)

before = write("parent.tif")
child = os.fork()
if child == 0:
    os._exit(0 if write("child.tif") == before else 3)
assert os.waitpid(child, 0)[1] == 0
assert write("again.tif") == before
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_writes_geotiffs_too(tmp_path):
    here = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=here, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(here)}, check=False, timeout=100,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
