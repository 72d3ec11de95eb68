"""Detections as a GeoPackage with a style for QGIS."""

import io
import sqlite3
import warnings
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np

from shipdet.detections import Detection
from shipdet.report.exports.tables import columns_of, optional, outlines, polygon_of, records
from shipdet.report.score_colors import SCORE_CLASSES

#: Text columns; an MMSI is an identifier, not a quantity.
_TEXT = ("review", "acquired", "scene", "mmsi", "name")

#: QGIS reads styles from a table of this name, with one row per style.
_STYLES = """
CREATE TABLE IF NOT EXISTS layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT,
    f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT, ui TEXT,
    update_time DATETIME DEFAULT CURRENT_TIMESTAMP
)"""


def geopackage(
    ships: Sequence[Detection],
    layer: str = "ships",
    extra: dict[str, Sequence[Any]] | None = None,
) -> bytes:
    """Return a GeoPackage with a layer of outlines and a style for QGIS.

    Outlines are in EPSG:4326. Without a georeference they are in pixels without a CRS, with
    negative y as in QGIS, so they match the displayed image.

    Args:
        ships: The detections; either all or none have a longitude and latitude.
        layer: The layer's name.
        extra: Additional text columns, one value per ship.

    Returns:
        The content of the file; the caller writes it, since GDAL and SQLite do not report a full
        disk reliably.

    Raises:
        BadOption: Only some ships have a longitude and latitude.
        MissingExtra: pyogrio or shapely is not installed.
    """
    shapely, pyogrio = optional("shapely"), optional("pyogrio")
    unplaced = bool(ships) and all(ship.corners_lonlat is None for ship in ships)
    in_pixels = [[(ship.corners * (1, -1)).tolist()] for ship in ships]
    parts = in_pixels if unplaced else outlines(ships)
    shapes = shapely.to_wkb(np.array([polygon_of(rings) for rings in parts], object))
    several = any(len(rings) > 1 for rings in parts)
    rows = records(ships)
    columns = {name: _column(name, [row[name] for row in rows]) for name in columns_of(ships)}
    columns |= {name: np.array(values, object) for name, values in (extra or {}).items()}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        pyogrio.raw.write(
            file,
            np.asarray(shapes, object),
            list(columns.values()),
            np.array(list(columns), object),
            layer=layer,
            driver="GPKG",
            geometry_type="Unknown" if several else "Polygon",
            crs=None if unplaced else "EPSG:4326",
        )
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(file.getvalue())
        database.execute(_STYLES)
        database.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,"
            " f_geometry_column, styleName, styleQML, useAsDefault, description)"
            " VALUES ('', '', ?, 'geom', 'shipdet', ?, 1, 'ships by score')",
            (layer, qml()),
        )
        database.execute(
            "INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles')"
        )
        database.commit()
        return database.serialize()


def _column(name: str, values: list[Any]) -> Any:
    """Convert values to an array of the column's type; None becomes NULL or NaN."""
    if name == "id":
        return np.array(values, np.int32)
    if name in ("cut", "near_gap"):
        return np.array(values, np.bool_)
    if name in _TEXT:
        return np.array([None if v is None else str(v) for v in values], object)
    if name in ("raw_support", "dark"):
        return np.array([None if v is None else str(v).lower() for v in values], object)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def qml() -> str:
    """Return a QGIS style: outlines colored by score, labels with the length."""
    ranges, symbols = [], []
    upper = 1.0
    for number, (lower, _, title, (red, green, blue)) in enumerate(SCORE_CLASSES):
        ranges.append(
            f'<range lower="{lower:g}" upper="{upper:g}" symbol="{number}" label="{title}"'
            ' render="true"/>'
        )
        symbols.append(
            f'<symbol name="{number}" type="fill" alpha="1"><layer class="SimpleFill" enabled="1">'
            f'<Option type="Map"><Option name="style" type="QString" value="no"/>'
            f'<Option name="outline_color" type="QString" value="{red},{green},{blue},255"/>'
            '<Option name="outline_style" type="QString" value="solid"/>'
            '<Option name="outline_width" type="QString" value="0.6"/>'
            "</Option></layer></symbol>"
        )
        upper = lower
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis styleCategories="Symbology|Labeling" labelsEnabled="1">'
        '<renderer-v2 type="graduatedSymbol" attr="score" graduatedMethod="GraduatedColor">'
        f"<ranges>{''.join(ranges)}</ranges><symbols>{''.join(symbols)}</symbols></renderer-v2>"
        '<labeling type="simple"><settings><text-style fieldName="round(length_m) || \' m\'"'
        ' isExpression="1" fontSize="8" textColor="15,23,32,255"><text-buffer bufferDraw="1"'
        ' bufferSize="0.8" bufferColor="255,255,255,255"/></text-style>'
        '<rendering scaleVisibility="1" scaleMax="1" scaleMin="25000"/></settings></labeling>'
        "</qgis>"
    )
