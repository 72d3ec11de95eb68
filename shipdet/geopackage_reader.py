"""Read polygons from an untrusted GeoPackage, with SQLite and without GDAL.

Layout of OGC 12-128r19: tables ``gpkg_geometry_columns`` and ``gpkg_spatial_ref_sys``; a geometry
is a header of flags and an envelope, followed by WKB. Follows SQLite's advice for untrusted
databases (https://www.sqlite.org/security.html): no code in the file runs, only tables are read,
and the number of steps is limited.
"""

import json
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import shapely

from shipdet.errors import BadArea

REFUSAL = "The GeoPackage cannot be read: save its polygons as GeoJSON."
MAX_GEOMETRY_BYTES = 4 * 1024**2
#: Virtual machine steps after which reading is aborted: a few seconds.
MAX_STEPS = 50_000_000
_STEPS_AT_ONCE = 100_000
#: Size of the envelope in bytes, by its code in the flags.
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
#: Geometry types of WKB: the type word's lower 16 bits without ISO's thousands for Z and M.
_POLYGON, _MULTIPOLYGON = 3, 6
#: Exceptions raised by damaged files.
_DAMAGED = (
    sqlite3.Error,
    shapely.errors.ShapelyError,
    struct.error,
    OverflowError,
    ValueError,
    TypeError,
)
_LAYERS = (
    "SELECT g.table_name, g.column_name, s.organization, s.organization_coordsys_id "
    "FROM gpkg_geometry_columns g JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id "
    "WHERE upper(g.geometry_type_name) IN ('POLYGON', 'MULTIPOLYGON', 'GEOMETRY')"
)


def polygons_of(path: Path, most: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the polygons of all layers.

    Args:
        path: The file.
        most: Largest number per layer; one more is read, so that the caller notices an excess.

    Yields:
        The value of the column ``name`` ("" without one), and a GeoJSON geometry in degrees.

    Raises:
        BadArea: The file is not a GeoPackage, is damaged, or its coordinate system has no EPSG
            code.
    """
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise BadArea(REFUSAL)
    try:
        with closing(_opened(path)) as database:
            tables = {
                name.lower()
                for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
            if not {"gpkg_geometry_columns", "gpkg_spatial_ref_sys"} <= tables:
                raise BadArea(REFUSAL)
            for table, column, organization, code in database.execute(_LAYERS).fetchall():
                if str(table).lower() not in tables:
                    continue
                found = list(_layer(database, str(table), str(column), most))
                if found:
                    crs = _crs(str(organization), code)
                    yield from ((name, in_degrees(shape, crs)) for name, shape in found)
    except _DAMAGED:
        raise BadArea(REFUSAL) from None


def _opened(path: Path) -> sqlite3.Connection:
    # A program that has the file open keeps recent changes in a second file. SQLite reads them
    # only without "immutable".
    file = path.resolve()
    beside = any(Path(f"{file}{suffix}").exists() for suffix in ("-wal", "-journal"))
    address = f"file:{quote(str(file))}?mode=ro{'' if beside else '&immutable=1'}"
    database = sqlite3.connect(address, uri=True)
    steps = iter(range(MAX_STEPS // _STEPS_AT_ONCE))
    database.set_progress_handler(lambda: next(steps, None) is None, _STEPS_AT_ONCE)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_GEOMETRY_BYTES)
    database.execute("PRAGMA trusted_schema=OFF")
    database.execute("PRAGMA cell_size_check=ON")
    return database


def _layer(
    database: sqlite3.Connection, table: str, column: str, most: int
) -> Iterator[tuple[str, shapely.Geometry]]:
    described = database.execute(f"PRAGMA table_info({_quoted(table)})")
    columns = {str(row[1]).lower() for row in described}
    name = _quoted("name") if "name" in columns else "''"
    query = f"SELECT {name}, {_quoted(column)} FROM {_quoted(table)} LIMIT {most + 1}"
    for title, blob in database.execute(query):
        shape = _geometry(blob)
        if shape is not None and not shape.is_empty:
            yield str(title or ""), shape


def _quoted(name: str) -> str:
    """Quote the name of a table or column for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _geometry(blob: object) -> shapely.Polygon | shapely.MultiPolygon | None:
    """Return the polygons of a blob; None for other geometry types."""
    if not isinstance(blob, bytes):
        return None
    if blob[:2] != b"GP" or len(blob) < 8:
        raise ValueError("not a GeoPackage geometry")
    envelope = _ENVELOPES.get((blob[3] >> 1) & 0b111)
    if envelope is None:
        raise ValueError("unknown envelope of a GeoPackage geometry")
    wkb = blob[8 + envelope :]
    # GEOS reads a geometry within a geometry by recursion, so only single polygons reach it.
    kind, _, _, count, at = _header(wkb, 0)
    if kind == _POLYGON:
        return shapely.force_2d(shapely.from_wkb(wkb))
    if kind != _MULTIPOLYGON:
        return None
    parts = []
    for _ in range(count):
        end = _polygon_end(wkb, at)
        parts.append(wkb[at:end])
        at = end
    return shapely.MultiPolygon(shapely.force_2d(shapely.from_wkb(parts)).tolist())


def _header(wkb: bytes, at: int) -> tuple[int, str, int, int, int]:
    """Read the header of the geometry at an offset, in ISO's or PostGIS's form.

    Returns:
        Type, byte order for ``struct``, values per point, number of parts, offset of the parts.
    """
    order = {0: ">", 1: "<"}.get(wkb[at]) if at < len(wkb) else None
    if order is None:
        raise ValueError("unknown byte order of WKB")
    (word,) = struct.unpack_from(f"{order}I", wkb, at + 1)
    thousands, kind = divmod(word & 0xFFFF, 1000)
    has_z = bool(word & 0x80000000) or thousands in (1, 3)
    has_m = bool(word & 0x40000000) or thousands in (2, 3)
    at += 9 if word & 0x20000000 else 5  # with or without a coordinate system's number
    (count,) = struct.unpack_from(f"{order}I", wkb, at)
    return kind, order, 2 + has_z + has_m, count, at + 4


def _polygon_end(wkb: bytes, at: int) -> int:
    """Return where the polygon at an offset ends; raise ValueError for another type."""
    kind, order, values, rings, at = _header(wkb, at)
    if kind != _POLYGON:
        raise ValueError("not a polygon in a multipolygon")
    for _ in range(rings):
        (points,) = struct.unpack_from(f"{order}I", wkb, at)
        at += 4 + 8 * values * points
    return at


def _crs(organization: str, code: object) -> str | None:
    """Return the coordinate system for rasterio; None for WGS 84 and for an undefined one."""
    if organization.upper() == "NONE" or code == 4326:
        return None
    if organization.upper() != "EPSG" or not isinstance(code, int):
        raise BadArea(
            "The GeoPackage's coordinate system has no EPSG code: save its polygons in WGS 84."
        )
    return f"EPSG:{code}"


def in_degrees(shape: shapely.Geometry, crs: str | None) -> dict[str, Any]:
    """Return polygons as a GeoJSON geometry in degrees.

    Args:
        shape: The polygons.
        crs: Their coordinate system, for rasterio; None for WGS 84.

    Raises:
        BadArea: They cannot be converted.
    """
    area: dict[str, Any] = shapely.geometry.mapping(shape)
    if crs is not None:
        from rasterio.warp import transform_geom

        from shipdet.gdal import gdal_env, gdal_errors

        try:
            with gdal_env():
                area = transform_geom(crs, "EPSG:4326", area)
        except gdal_errors(ValueError):
            raise BadArea(
                f"The polygons cannot be converted from {crs}: save them in WGS 84."
            ) from None
    coordinates = json.loads(json.dumps(area["coordinates"]))  # tuples to lists, as in GeoJSON
    return {"type": area["type"], "coordinates": coordinates}
