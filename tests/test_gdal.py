"""GDAL's surroundings: data of other programs in the environment."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = """
import threading
{before}
from shipdet.gdal import gdal_env
from rasterio.crs import CRS
from rasterio.warp import transform

def place():
    with gdal_env():
        x, y = transform(CRS.from_epsg(4326), CRS.from_epsg(32610), [-122.0], [37.0])
        assert abs(x[0] - 588977) < 1 and abs(y[0] - 4095339) < 1
        places.append(x)

places = []
place()
thread = threading.Thread(target=place)
thread.start()
thread.join()
assert len(places) == 2
"""


def old_database(folder: Path) -> Path:
    """PROJ data of a version that rasterio's cannot read."""
    with sqlite3.connect(folder / "proj.db") as database:
        database.execute("create table metadata(key text, value text)")
        database.executemany(
            "insert into metadata values(?, ?)",
            [("DATABASE.LAYOUT.VERSION.MAJOR", "1"), ("DATABASE.LAYOUT.VERSION.MINOR", "0")],
        )
    return folder


@pytest.mark.parametrize("before", ["", "import rasterio"])
@pytest.mark.parametrize("variables", ["PROJ_LIB GDAL_DATA GDAL_DRIVER_PATH", "PROJ_DATA"])
@pytest.mark.parametrize("there", [True, False])
def test_data_of_other_programs_are_not_used(tmp_path, before, variables, there):
    folder = old_database(tmp_path) if there else tmp_path / "none"
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)], cwd=tmp_path,
        env=os.environ | dict.fromkeys(variables.split(), str(folder)) | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
