"""Many areas in one file: GeoJSON, CSV, WKT, KML, KMZ or GeoPackage."""

import csv
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from shipdet.archives import ZIP_DAMAGE
from shipdet.areas import MAX_NAME, geojson_polygons
from shipdet.errors import BadArea
from shipdet.geopackage_reader import in_degrees, polygons_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_FILE_BYTES = 20 * 1024**2
MAX_AREAS = 10_000
BOX = ("west", "south", "east", "north")
#: Formats of :func:`read_areas`. Only :func:`read_area_file` also reads GeoPackages.
SUFFIXES = (".geojson", ".json", ".csv", ".wkt", ".kml", ".kmz")
GEOPACKAGE = ".gpkg"

Entry = tuple[str, Any]  # name (may be empty) and a value for `parse_area`


def read_area_file(path: Path) -> list[Entry]:
    """Read the areas of a file. The suffix determines the format, as in :func:`read_areas`.

    Args:
        path: The file, of at most ``MAX_FILE_BYTES``.

    Returns:
        Pairs of a name, which may be empty, and a value for
        :func:`~shipdet.areas.parse_area`.

    Raises:
        BadArea: The file cannot be read or has no area.

    Example:
        >>> for name, area in read_area_file(Path("ports.geojson")):  # doctest: +SKIP
        ...     print(name, parse_area(area).box)
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)  # a pipe has no size to check first
    except OSError as error:
        raise BadArea(f"{path} cannot be read ({error.strerror}).") from None
    if path.suffix.lower() == GEOPACKAGE:
        _check_size(len(data))
        return _checked(polygons_of(path, MAX_AREAS))
    return read_areas(data, path.name)


def read_areas(data: bytes, file_name: str) -> list[Entry]:
    """Read the areas of a file's content.

    GeoJSON: a (multi)polygon, a Feature, or a FeatureCollection; the name is a feature's property
    ``name`` or its id; a feature without a geometry is left out. CSV: columns ``west, south, east,
    north`` or ``wkt``, and ``name``, separated by commas, semicolons or tabs. WKT: one or more
    polygons. KML and KMZ: every Placemark with a polygon.

    Args:
        data: The content of the file.
        file_name: Its suffix determines the format.

    Returns:
        Pairs as from :func:`read_area_file`.

    Raises:
        BadArea: The content cannot be read or has no area.
    """
    _check_size(len(data))
    suffix = Path(file_name.lower()).suffix
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise BadArea(f"'{file_name[-60:]}' is not an area file: use one of {known}.")
    if suffix in (".kml", ".kmz"):
        texts = _unzipped(data) if suffix == ".kmz" else [data]
        return _checked(entry for text in texts for entry in _kml(text))
    reader = {".csv": _csv, ".wkt": _wkt}.get(suffix, _geojson)
    try:
        return _checked(reader(data.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise BadArea("The file is not UTF-8 text: save it as UTF-8.") from None


def name_areas(areas: list[Entry], prefix: str, longest: int = MAX_NAME) -> list[Entry]:
    """Give every area a name that is unique in the list and valid as a job name.

    Args:
        areas: Pairs of name and area. Names may be empty or repeated.
        prefix: The start of each name; may be empty.
        longest: Largest number of characters; longer names are cut.

    Returns:
        The same areas with their new names.
    """
    taken: set[str] = set()
    named = []
    for number, (own, area) in enumerate(areas, start=1):
        composed = unicodedata.normalize("NFC", own)  # a combining accent is not a word character
        stem = re.sub(r"[^\w.-]+", "-", composed).strip("-.")
        whole = "-".join(filter(None, (prefix, stem or f"{number:04d}")))
        name, count = whole[:longest], number
        while name in taken or len(name) < 3:
            suffix = f"-{count:04d}"
            name, count = whole[: longest - len(suffix)] + suffix, count + 1
        taken.add(name)
        named.append((name, area))
    return named


def _check_size(count: int) -> None:
    if count > MAX_FILE_BYTES:
        raise BadArea(f"The file is larger than {MAX_FILE_BYTES // 1024**2} MiB: split it.")


def _checked(entries: Iterator[Entry]) -> list[Entry]:
    areas = list(entries)
    if not areas:
        raise BadArea("The file contains no area: it needs a box or a polygon.")
    if len(areas) > MAX_AREAS:
        raise BadArea(f"The file has {len(areas):,} areas, more than {MAX_AREAS:,}: split it.")
    return areas


def _geojson(text: str) -> Iterator[Entry]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise BadArea("The file is not GeoJSON.") from None
    if not isinstance(value, dict):
        raise BadArea("The file is not GeoJSON.")
    crs = _stated_crs(value.get("crs"))
    features = value.get("features") if value.get("type") == "FeatureCollection" else [value]
    for feature in features if isinstance(features, list) else []:
        if not isinstance(feature, dict):
            raise BadArea("The GeoJSON has a feature that is not an object.")
        geometry = feature.get("geometry", feature)
        if geometry is None:
            continue
        if crs is not None:
            geometry = in_degrees(geojson_polygons(feature), crs)
        properties = feature.get("properties")
        name = properties.get("name") if isinstance(properties, dict) else None
        yield str(name or feature.get("id") or ""), geometry


def _stated_crs(member: object) -> str | None:
    """Return the coordinate system of GeoJSON's obsolete member ``crs``; None for WGS 84."""
    properties = member.get("properties") if isinstance(member, dict) else None
    name = str(properties.get("name")) if isinstance(properties, dict) else ""
    if member is None or name.endswith((":CRS84", ":4326")):
        return None
    code = re.fullmatch(r"(?:urn:ogc:def:crs:)?EPSG:(?:[\d.]*:)?(\d{1,6})", name, re.IGNORECASE)
    if code is None:
        raise BadArea(
            "The GeoJSON's coordinate system has no EPSG code: save its polygons in WGS 84."
        )
    return f"EPSG:{code[1]}"


def _csv(text: str) -> Iterator[Entry]:
    csv.field_size_limit(MAX_FILE_BYTES)  # a polygon may exceed csv's default limit
    first, _, rest = text.partition("\n")
    if stated := re.fullmatch(r"sep=([,;\t])\s*", first):  # written by Excel
        text, delimiter = rest, stated[1]
    else:
        delimiter = max(",;\t", key=first.count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        columns = {(name or "").strip().lower() for name in rows.fieldnames or ()}
        if not ("wkt" in columns or set(BOX) <= columns):
            raise BadArea("The CSV needs the columns west, south, east, north, or a column wkt.")
        for number, row in enumerate(rows, start=1):
            values = {(k or "").strip().lower(): (v or "") for k, v in row.items() if k}
            name = values.get("name", "").strip()
            if values.get("wkt"):
                yield name, values["wkt"]
                continue
            try:
                # Where the comma is the decimal point, columns are separated otherwise.
                yield name, [float(values[side].replace(",", ".")) for side in BOX]
            except (KeyError, ValueError):
                raise BadArea(f"Row {number} of the CSV is not four numbers in degrees.") from None
    except csv.Error:
        raise BadArea("The file is not CSV.") from None


def _wkt(text: str) -> Iterator[Entry]:
    begins = r"(?=(?:SRID=\d{1,6};\s{0,9})?\b(?:MULTI)?POLYGON\b)"
    # A polygon may span many lines, so split only where a new polygon begins.
    for shape in re.split(rf"\n\s*{begins}", text.strip(), flags=re.IGNORECASE):
        if shape:
            yield "", shape.strip()


def _unzipped(data: bytes) -> list[bytes]:
    """Return every KML of a KMZ; unpacks at most ``MAX_FILE_BYTES``."""
    texts: list[bytes] = []
    size = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                if name.lower().endswith(".kml") and not name.startswith("__MACOSX/"):
                    with archive.open(name) as file:
                        texts.append(file.read(MAX_FILE_BYTES + 1 - size))
                    size += len(texts[-1])
    except ZIP_DAMAGE:
        texts = []
    if not texts:
        raise BadArea("The KMZ contains no readable KML.")
    _check_size(size)
    return texts


def _kml(data: bytes) -> Iterator[Entry]:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:  # entities can expand a small file without limit
        raise BadArea("The KML declares a document type: remove the DOCTYPE.") from None
    except (ParseError, ValueError, LookupError):
        raise BadArea("The file is not KML.") from None
    for mark in root.iterfind(".//{*}Placemark"):
        polygons = [_kml_rings(polygon) for polygon in mark.iterfind(".//{*}Polygon")]
        if polygons:
            name = (mark.findtext("{*}name") or "").strip()
            yield name, {"type": "MultiPolygon", "coordinates": polygons}


def _kml_rings(polygon: "Element") -> list[list[list[float]]]:
    rings = []
    for side in ("outer", "inner"):
        path = f".//{{*}}{side}BoundaryIs/{{*}}LinearRing/{{*}}coordinates"
        for line in polygon.iterfind(path):
            try:
                points = [point.split(",") for point in (line.text or "").split()]
                rings.append([[float(point[0]), float(point[1])] for point in points])
            except (ValueError, IndexError):
                raise BadArea("The KML has a polygon without valid coordinates.") from None
    return rings
