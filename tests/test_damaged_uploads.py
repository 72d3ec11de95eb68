"""Damaged files of areas and of AIS: what they hold or one sentence, in bounded time and memory."""

import gzip
import importlib.util
import io
import json
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.damage import damaged

FILES = 80  # of each kind
MEMORY_MB = 2000  # of address space beyond what the process has when it begins
SECONDS = 20.0  # for one file, of processor time

READ = textwrap.dedent(
    f"""
    import json, resource, sys, time
    from datetime import UTC, datetime
    from pathlib import Path
    from shipdet import pipeline
    from shipdet.ais import read_reports
    from shipdet.errors import ShipdetError
    from shipdet.geometry import BBox

    def read(path):
        if path.name.startswith("ais"):
            when = datetime(2024, 5, 1, 10, 56, tzinfo=UTC)
            return len(read_reports(path, BBox(4.0, 51.0, 5.0, 52.0), when))
        return len(pipeline.areas_of(path))

    folders = sorted(Path(sys.argv[1]).iterdir())
    for folder in folders:  # what reading needs is imported before memory is limited
        read(next(folder.glob("*whole*")))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + {MEMORY_MB} * 2**20,) * 2)
    every = {{}}
    for folder in folders:
        outcome = every[folder.name] = {{"read": 0, "refused": 0, "slowest": 0.0, "wrong": []}}
        for path in sorted(folder.iterdir()):
            began = time.process_time()
            try:
                assert read(path) > 0
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

RING = [[4, 51], [5, 51], [5, 52], [4, 52], [4, 51]]
WKT = "POLYGON ((4 51, 5 51, 5 52, 4 52, 4 51))"
POLYGON = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "properties": {"name": "Port A"}, "geometry": POLYGON}
KML = """<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark>
<name>Port A</name><Polygon><outerBoundaryIs><LinearRing><coordinates>4,51,0 5,51,0 5,52,0 4,51,0
</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Document></kml>"""
AIS = "MMSI,BaseDateTime,LAT,LON,SOG,COG,VesselName,Length,Width\n" + "".join(
    f"2190000{n:02d},2024-05-01T10:{50 + n % 10}:00,51.{n},4.{n},1.5,90,ANNA {n},120,20\n"
    for n in range(10, 40)
)


def zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def parquet() -> bytes:
    import pyarrow as pa
    from pyarrow import csv
    from pyarrow import parquet as pq

    buffer = io.BytesIO()
    pq.write_table(csv.read_csv(pa.BufferReader(AIS.encode())), buffer)
    return buffer.getvalue()


def geopackage(folder: Path) -> bytes:
    import pyogrio
    import shapely

    shapes = np.array([shapely.to_wkb(shapely.from_wkt(WKT))], object)
    names = [np.array(["Port A"], object)]
    pyogrio.raw.write(
        folder / "a.gpkg", shapes, names, ["name"], geometry_type="Polygon", crs="EPSG:4326"
    )
    return (folder / "a.gpkg").read_bytes()


def whole_file(kind: str, folder: Path) -> bytes:
    return {
        "area.geojson": lambda: json.dumps(
            {"type": "FeatureCollection", "features": [FEATURE] * 3}
        ).encode(),
        "area.csv": lambda: f'name,wkt\nPort A,"{WKT}"\nPort B,"{WKT}"\n'.encode(),
        "area.wkt": lambda: f"{WKT}\n{WKT}\n".encode(),
        "area.kml": lambda: KML.encode(),
        "area.kmz": lambda: zipped("doc.kml", KML),
        "area.gpkg": lambda: geopackage(folder),
        "ais.csv": lambda: AIS.encode(),
        "ais.csv.gz": lambda: gzip.compress(AIS.encode()),
        "ais.zip": lambda: zipped("ais.csv", AIS),
        "ais.parquet": parquet,
    }[kind]()


NEEDS = {"area.gpkg": ("pyogrio", "shapely"), "ais.parquet": ("pyarrow",)}
KINDS = ["area.geojson", "area.csv", "area.wkt", "area.kml", "area.kmz", "area.gpkg",
         "ais.csv", "ais.csv.gz", "ais.zip", "ais.parquet"]  # fmt: skip


def can_be_written(kind: str) -> bool:
    return all(importlib.util.find_spec(name) for name in NEEDS.get(kind, ()))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of the files of each kind; one process reads them all."""
    place = tmp_path_factory.mktemp("files")
    for kind in filter(can_be_written, KINDS):
        data = whole_file(kind, tmp_path_factory.mktemp("whole"))
        folder = place / kind
        folder.mkdir()
        what, _, suffix = kind.partition(".")
        (folder / f"{what}-whole.{suffix}").write_bytes(data)
        rng = np.random.default_rng(len(kind))
        for number in range(FILES):
            (folder / f"{what}-{number:03d}.{suffix}").write_bytes(damaged(data, rng))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(place)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_upload_is_read_or_one_sentence(kind: str, outcomes: dict[str, dict[str, Any]]):
    if not can_be_written(kind):
        pytest.skip(f"needs {' and '.join(NEEDS[kind])}")
    outcome = outcomes[kind]
    assert outcome["wrong"] == []
    assert outcome["read"] + outcome["refused"] == FILES + 1 and outcome["read"] > 0
    assert outcome["slowest"] < SECONDS
