"""Files of many areas, in every format."""

import contextlib
import io
import json
import sqlite3
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import shapely

from shipdet.area_files import name_areas, read_area_file, read_areas
from shipdet.areas import parse_area
from shipdet.cluster.jobs.message import JobMessage
from shipdet.errors import BadArea
from shipdet.geometry import BBox
from tests.helpers import PROJECT

TWO = "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1)), ((5 5, 6 5, 6 6, 5 6)))"


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


KML = """<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Placemark><name>Port A</name><Polygon><outerBoundaryIs><LinearRing><coordinates>
4,51,0 5,51,0 5,52,0 4,51,0</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>
<Placemark><name>only a point</name><Point><coordinates>1,2</coordinates></Point></Placemark>
</Document></kml>"""


def test_areas_are_read_from_every_kind_of_file():
    features = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"name": "Port A"},
             "geometry": {"type": "Polygon", "coordinates": [[[4, 51], [5, 51], [5, 52], [4, 51]]]}}
        ],
    }  # fmt: skip
    table = 'name,wkt\nPort A,"POLYGON((4 51, 5 51, 5 52, 4 51))"\n'
    boxes = "name;x\n".replace(";x", ",west,south,east,north") + "Port A,4,51,5,52\n"
    read = [
        read_areas(json.dumps(features).encode(), "a.geojson"),
        read_areas(KML.encode(), "a.kml"),
        read_areas(table.encode(), "A.CSV"),
        read_areas(boxes.encode(), "a.csv"),
    ]
    for areas in read:
        [(name, area)] = areas
        assert name == "Port A"
        assert parse_area(area).box == BBox(4, 51, 5, 52)


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"{}", "a.shp", "geojson"),
        (b"{}", "a.kmz", "KMZ"),
        (b"SQLite", "a.gpkg", "geojson"),
        (b"{", "a.geojson", "not GeoJSON"),
        (b"[1]", "a.geojson", "not GeoJSON"),
        (b'{"type": "FeatureCollection", "features": []}', "a.geojson", "no area"),
        (b"a,b\n1,2\n", "a.csv", "columns"),
        (b"west,south,east,north\n1,2,x,4\n", "a.csv", "Row 1"),
        (b"\xff\xff", "a.csv", "UTF-8"),
        (b"<kml>", "a.kml", "not KML"),
        (b'<!DOCTYPE x [<!ENTITY a "aa">]><kml>&a;</kml>', "a.kml", "document type"),
        (b"a" * 200_000 + b"\n1\n", "a.csv", "columns"),
        (b"a\rb\n1,2\n", "a.csv", "not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(data, name, says):
    with pytest.raises(BadArea, match=says):
        read_areas(data, name)


def test_of_a_file_no_more_is_read_than_is_allowed(tmp_path, monkeypatch):
    path = tmp_path / "areas.csv"
    path.write_text(f'name,wkt\nharbor,"{TWO}"\n')
    assert [name for name, _ in read_area_file(path)] == ["harbor"]
    monkeypatch.setattr("shipdet.area_files.MAX_FILE_BYTES", 20)
    with pytest.raises(BadArea, match="larger"):
        read_area_file(path)
    with pytest.raises(BadArea, match="cannot be read"):
        read_area_file(tmp_path / "none.csv")


def test_a_long_polygon_in_a_csv_is_read_a_longer_one_refused():
    ring = ", ".join(f"{i / 1e9:.16f} {i % 7 / 10:.16f}" for i in range(4_000))
    [(_, area)] = read_areas(f'wkt\n"POLYGON (({ring}))"\n'.encode(), "a.csv")
    assert len(area) > 131_072, "the csv module's own limit"
    assert len(shapely.get_coordinates(parse_area(area).polygon)) == 4_001
    with pytest.raises(BadArea, match="simplify"):
        parse_area(f"POLYGON (({ring}, {ring}))")


def test_a_kmz_is_a_zipped_kml():
    [(name, area)] = read_areas(zipped("doc.kml", KML.encode()), "ports.KMZ")
    assert name == "Port A" and parse_area(area).box == BBox(4, 51, 5, 52)


def test_every_kml_of_a_kmz_is_read():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("doc.kml", KML)
        archive.writestr("files/more.kml", KML.replace("Port A", "Port B"))
        archive.writestr("__MACOSX/._doc.kml", b"\0\5\x16\7")
    areas = read_areas(buffer.getvalue(), "ports.kmz")
    assert [name for name, _ in areas] == ["Port A", "Port B"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_csv_may_have_semicolons_or_tabs(separator):
    boxes = "name,west,south,east,north\r\nPort A,4,51,5,52\r\n".replace(",", separator)
    shapes = f"name{separator}wkt\nPort A{separator}POLYGON((4 51, 5 51, 5 52, 4 51))\n"
    for text in (boxes, shapes):
        [(name, area)] = read_areas(text.encode("utf-8-sig"), "a.csv")
        assert name == "Port A" and parse_area(area).box == BBox(4, 51, 5, 52)


def test_a_csv_of_excel_may_have_decimal_commas():
    text = "sep=;\r\nname;west;south;east;north\r\nPort A;4,5;51;5,25;52\r\n"
    [(name, area)] = read_areas(text.encode(), "a.csv")
    assert name == "Port A" and parse_area(area).box == BBox(4.5, 51, 5.25, 52)


SQUARE = {"type": "Polygon", "coordinates": [[[4, 51], [5, 51], [5, 52], [4, 51]]]}


def collection(*geometries, **members):
    features = [{"type": "Feature", "properties": {}, "geometry": each} for each in geometries]
    return json.dumps({"type": "FeatureCollection", "features": features, **members}).encode()


def test_a_feature_without_a_geometry_is_left_out():
    assert read_areas(collection(None, SQUARE, None), "a.geojson") == [("", SQUARE)]
    with pytest.raises(BadArea, match="no area"):
        read_areas(collection(None), "a.geojson")


def test_geojson_in_another_coordinate_system_is_converted():
    def stated(name):
        return {"type": "name", "properties": {"name": name}}

    meters = shapely.geometry.mapping(shapely.box(445_278, 6_621_294, 556_597, 6_800_125))
    for name in ("urn:ogc:def:crs:EPSG::3857", "EPSG:3857"):
        [(_, area)] = read_areas(collection(meters, crs=stated(name)), "a.geojson")
        assert parse_area(area).box.as_tuple() == pytest.approx((4, 51, 5, 52), abs=0.001)
    for name in ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"):
        assert read_areas(collection(SQUARE, crs=stated(name)), "a.json") == [("", SQUARE)]
    for crs, says in [(7, "no EPSG code"), (stated("x"), "no EPSG code"),
                      (stated("EPSG:999999"), "cannot be converted from EPSG:999999")]:  # fmt: skip
        with pytest.raises(BadArea, match=says):
            read_areas(collection(meters, crs=crs), "a.geojson")


def test_no_more_of_a_kmz_is_unpacked_than_a_file_may_have(monkeypatch):
    monkeypatch.setattr("shipdet.area_files.MAX_FILE_BYTES", 10_000)
    with pytest.raises(BadArea, match="larger"):
        read_areas(zipped("doc.kml", b" " * 1_000_000), "a.kmz")


def test_a_hole_in_a_kml_is_a_hole():
    text = KML.replace("<outerBoundaryIs>", "<innerBoundaryIs><LinearRing><coordinates>"
                       "4.5,51.3 4.8,51.3 4.8,51.5</coordinates></LinearRing></innerBoundaryIs>"
                       "<outerBoundaryIs>")  # fmt: skip
    [(_, area)] = read_areas(text.encode(), "a.kml")
    inside = parse_area(area).contains([(4.7, 51.4), (4.9, 51.6)])
    assert inside.tolist() == [False, True]


def test_wkt_is_read_over_many_lines():
    text = f"SRID=4326;POLYGON ((\n0 0,\n1 0, 1 1))\n\n{TWO}\n"
    boxes = [parse_area(area).box for _, area in read_areas(text.encode(), "a.wkt")]
    assert boxes == [BBox(0, 0, 1, 1), BBox(0, 0, 6, 6)]


def geopackage(path: Path, crs: str, shape: shapely.Geometry, layer: str | None = None) -> Path:
    pyogrio = pytest.importorskip("pyogrio")
    import numpy as np

    shapes = np.array([shapely.to_wkb(shape)], object)
    names = [np.array(["Port A"], object)]
    kind = shape.geom_type
    pyogrio.raw.write(path, shapes, names, ["name"], geometry_type=kind, crs=crs, layer=layer)
    return path


def test_a_geopackage_is_read_in_degrees(tmp_path):
    square = shapely.box(4, 51, 5, 52)
    [(name, area)] = read_area_file(geopackage(tmp_path / "a.gpkg", "EPSG:4326", square))
    assert name == "Port A" and parse_area(area).box == BBox(4, 51, 5, 52)
    mercator = shapely.box(445_278, 6_621_294, 556_597, 6_800_125)
    [(_, area)] = read_area_file(geopackage(tmp_path / "b.gpkg", "EPSG:3857", mercator))
    assert parse_area(area).box.as_tuple() == pytest.approx((4, 51, 5, 52), abs=0.001)
    assert json.loads(json.dumps(area)) == area, "a job message holds it"


def test_every_layer_of_a_geopackage_is_read(tmp_path):
    path = geopackage(tmp_path / "a.gpkg", "EPSG:4326", shapely.box(4, 51, 5, 52), "one")
    geopackage(path, "EPSG:4326", shapely.Point(0, 0), "none")
    geopackage(path, "EPSG:3857", shapely.box(445_278, 6_621_294, 556_597, 6_800_125), "two")
    boxes = [parse_area(area).box.as_tuple() for _, area in read_area_file(path)]
    assert boxes == [(4, 51, 5, 52), pytest.approx((4, 51, 5, 52), abs=0.001)]


def test_what_a_program_still_holds_of_a_geopackage_is_read(tmp_path):
    path = geopackage(tmp_path / "a.gpkg", "EPSG:4326", shapely.box(4, 51, 5, 52))
    with contextlib.closing(sqlite3.connect(changed(path))) as program:
        program.execute("PRAGMA journal_mode=WAL")
        program.execute("UPDATE a SET name = 'Port B'")
        program.commit()
        assert path.with_name("a.gpkg-wal").stat().st_size
        assert [name for name, _ in read_area_file(path)] == ["Port B"]
    assert [name for name, _ in read_area_file(path)] == ["Port B"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.gpkg"]


def changed(path: Path, *statements: str) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')  # they call functions that SQLite has not
        for statement in statements:
            database.execute(statement)
        database.commit()
    return path


def test_a_geopackage_that_is_damaged_or_a_trick_is_refused(tmp_path):
    square = shapely.box(4, 51, 5, 52)
    path = geopackage(tmp_path / "a.gpkg", "EPSG:4326", square)
    changed(path, "UPDATE a SET geom = x'4750000100'")
    with pytest.raises(BadArea, match="cannot be read"):
        read_area_file(path)
    path = geopackage(tmp_path / "b.gpkg", "EPSG:4326", square)
    changed(path, "ALTER TABLE b RENAME TO c", "CREATE VIEW b AS SELECT * FROM c, c AS d, c AS e",
            "UPDATE gpkg_geometry_columns SET table_name = 'b'")  # fmt: skip
    with pytest.raises(BadArea, match="no area"):
        read_area_file(path)
    path = geopackage(tmp_path / "d.gpkg", "EPSG:3857", square)
    changed(path, "UPDATE gpkg_spatial_ref_sys SET organization = 'ME' WHERE srs_id = 3857")
    with pytest.raises(BadArea, match="no EPSG code: save its polygons in WGS 84"):
        read_area_file(path)


def test_a_geopackage_without_polygons_is_refused(tmp_path):
    path = geopackage(tmp_path / "a.gpkg", "EPSG:4326", shapely.Point(4, 51))
    with pytest.raises(BadArea, match="no area"):
        read_area_file(path)
    path.write_bytes(b"SQLite format 3\0 and nothing else")
    with pytest.raises(BadArea, match="cannot be read"):
        read_area_file(path)


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("flavor", ["iso", "extended"])
@pytest.mark.parametrize("wkt", ["POLYGON {}", "MULTIPOLYGON ({}, {})"])
def test_every_form_of_polygons_in_wkb_is_read(tmp_path, endian, flavor, wkt):
    path = geopackage(tmp_path / "a.gpkg", "EPSG:4326", shapely.box(0, 0, 1, 1))
    for kind, ring in (
        ("", "((4 51, 5 51, 5 52, 4 51), (4.5 51.1, 4.6 51.1, 4.6 51.2, 4.5 51.1))"),
        (" Z", "((4 51 9, 5 51 9, 5 52 9, 4 51 9))"),
        (" M", "((4 51 9, 5 51 9, 5 52 9, 4 51 9))"),
        (" ZM", "((4 51 9 8, 5 51 9 8, 5 52 9 8, 4 51 9 8))"),
    ):
        shape = shapely.from_wkt(wkt.format(ring, ring).replace(" (", f"{kind} (", 1))
        shape = shapely.set_srid(shape, 4326)
        given = shapely.to_wkb(
            shape, byte_order="><".index(endian), flavor=flavor, output_dimension=4,
            include_srid=flavor == "extended",
        )  # fmt: skip
        changed(path, f"UPDATE a SET geom = x'{(b'GP' + bytes(6) + given).hex()}'")
        [(_, area)] = read_area_file(path)
        assert shapely.equals(shapely.geometry.shape(area), shapely.force_2d(shape))


@pytest.mark.parametrize(("kind", "refusal"), [(7, "no area"), (6, "cannot be read")])
def test_geometries_nested_without_end_are_refused(tmp_path, kind, refusal):
    path = geopackage(tmp_path / "a.gpkg", "EPSG:4326", shapely.box(4, 51, 5, 52))
    nested = struct.pack("<BII", 1, kind, 1) * 30_000
    changed(path, f"UPDATE a SET geom = x'{(b'GP' + bytes(6) + nested).hex()}'")
    reading = "import sys; from pathlib import Path; from shipdet.area_files import read_area_file"
    command = [sys.executable, "-c", f"{reading}; read_area_file(Path(sys.argv[1]))", str(path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 1 and refusal in done.stderr, "GEOS's stack would end the process"


def test_names_of_areas_keep_the_letters_of_every_language():
    named = name_areas([("Ålesund havn", 1), ("A\u030alesund", 2), ("上海港", 3)], "")
    assert [name for name, _ in named] == ["Ålesund-havn", "Ålesund", "上海港"]
    for name, _ in named:
        assert JobMessage.of({"version": 2, "name": name, "area": [4.0, 51.0, 4.1, 51.1]}).name


def test_every_area_of_a_file_gets_a_name_of_its_own():
    named = name_areas([("Port A", 1), ("Port A", 2), ("", 3), ("../x", 4)], "watch")
    names = [name for name, _ in named]
    assert names == ["watch-Port-A", "watch-Port-A-0002", "watch-0003", "watch-x"]


@pytest.mark.parametrize(
    "names",
    [
        ["a-0003", "a", "a"], ["a", "a-0002", "a", "a"], ["0002", ""], ["x" * 70] * 3,
        ["ab-0002", "ab", "ab"], ["a", "a"],
    ],
)  # fmt: skip
def test_names_of_areas_are_unique_whatever_they_were(names):
    named = [name for name, _ in name_areas([(name, 0) for name in names], "")]
    assert len(set(named)) == len(names) and all(3 <= len(name) <= 64 for name in named)
    long = [name for name, _ in name_areas([(name, 0) for name in names], "p" * 60)]
    assert len(set(long)) == len(names) and all(len(name) <= 64 for name in long)
