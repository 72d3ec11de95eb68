"""Many areas in one file: GeoJSON, CSV or KML."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from shipdet.errors import BadJob

MAX_FILE_BYTES = 20 * 1024**2
MAX_AREAS = 10_000
BOX = ("west", "south", "east", "north")

Entry = tuple[str, Any]  # name, which may be empty, and area as a message takes it


def read_area_file(path: Path) -> list[Entry]:
    """Names and areas of a file, as :func:`read_areas`; BadJob as well where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)  # whatever its size is
    except OSError as error:
        raise BadJob(f"{path} cannot be read ({error.strerror}).") from None
    return read_areas(data, path.name)


def read_areas(data: bytes, file_name: str) -> list[Entry]:
    """Names and areas of a file's content; its suffix says what it is. Raises BadJob.

    GeoJSON: a (multi)polygon, a Feature, or a FeatureCollection; a feature's property ``name``
    or its id is the name. CSV: columns ``west, south, east, north`` or ``wkt``, and ``name``.
    KML: every Placemark with a polygon.
    """
    if len(data) > MAX_FILE_BYTES:
        raise BadJob(f"The file is larger than {MAX_FILE_BYTES // 1024**2} MiB: split it.")
    suffix = file_name.lower().rpartition(".")[2]
    reader = {"geojson": _geojson, "json": _geojson, "csv": _csv, "kml": _kml}.get(suffix)
    if reader is None:
        raise BadJob(f"'{file_name[-60:]}' is no .geojson, .csv or .kml file.")
    try:
        areas = list(reader(data.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise BadJob("The file is not text in UTF-8.") from None
    if not areas:
        raise BadJob("The file has no area in it.")
    if len(areas) > MAX_AREAS:
        raise BadJob(f"The file has {len(areas):,} areas, more than {MAX_AREAS:,}: split it.")
    return areas


def name_areas(areas: list[Entry], prefix: str) -> list[Entry]:
    """Give every area a submit name of its own: its own one, else the prefix and its number."""
    taken: set[str] = set()
    named = []
    for number, (own, area) in enumerate(areas, start=1):
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", own).strip("-.")[:48]
        name = "-".join(filter(None, (prefix, stem or f"{number:04d}")))
        if name in taken or len(name) < 3:
            name = f"{name}-{number:04d}"
        taken.add(name)
        named.append((name, area))
    return named


def _geojson(text: str) -> Iterator[Entry]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise BadJob("The file is not GeoJSON.") from None
    if not isinstance(value, dict):
        raise BadJob("The file is not GeoJSON.")
    features = value.get("features") if value.get("type") == "FeatureCollection" else [value]
    for feature in features if isinstance(features, list) else []:
        if not isinstance(feature, dict):
            raise BadJob("The GeoJSON has a feature that is none.")
        told = feature.get("properties")
        own = told.get("name") if isinstance(told, dict) else None
        yield str(own or feature.get("id") or ""), feature.get("geometry", feature)


def _csv(text: str) -> Iterator[Entry]:
    csv.field_size_limit(MAX_FILE_BYTES)  # a polygon may be longer than the usual limit
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        columns = {(name or "").strip().lower() for name in rows.fieldnames or ()}
        if not ("wkt" in columns or set(BOX) <= columns):
            raise BadJob("The CSV needs the columns west, south, east, north, or a column wkt.")
        for number, row in enumerate(rows, start=1):
            values = {(k or "").strip().lower(): (v or "") for k, v in row.items() if k}
            name = values.get("name", "").strip()
            if values.get("wkt"):
                yield name, values["wkt"]
                continue
            try:
                yield name, [float(values[side]) for side in BOX]
            except (KeyError, ValueError):
                raise BadJob(f"Row {number} of the CSV is not four numbers in degrees.") from None
    except csv.Error:
        raise BadJob("The file is not CSV.") from None


def _kml(text: str) -> Iterator[Entry]:
    # Entities are how a small file becomes an endless one; KML has no use for them.
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise BadJob("The KML declares a document type, which is not read.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        raise BadJob("The file is not KML.") from None
    for mark in root.iterfind(".//{*}Placemark"):
        polygons = [_kml_polygon(polygon) for polygon in mark.iterfind(".//{*}Polygon")]
        if polygons:
            name = (mark.findtext("{*}name") or "").strip()
            yield name, {"type": "MultiPolygon", "coordinates": polygons}


def _kml_polygon(polygon: ElementTree.Element) -> list[list[list[float]]]:
    rings = []
    for line in polygon.iterfind(".//{*}LinearRing/{*}coordinates"):
        try:
            points = [point.split(",") for point in (line.text or "").split()]
            rings.append([[float(point[0]), float(point[1])] for point in points])
        except (ValueError, IndexError):
            raise BadJob("The KML has a polygon without proper coordinates.") from None
    return rings
