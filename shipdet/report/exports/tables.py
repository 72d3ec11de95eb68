"""Detections as pandas and GeoPandas tables."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shipdet.detections import Detection
from shipdet.errors import BadOption
from shipdet.extras import missing_extra
from shipdet.report import vector

if TYPE_CHECKING:
    import geopandas
    import pandas

#: Columns of a table, in this order; missing values are None.
COLUMNS = (
    *("id", "score", "length_m", "width_m", "axis_deg", "lon", "lat", "x", "y"),
    *("cut", "near_gap", "raw_score", "raw_support"),
)
#: Additional columns, included if at least one ship has a value.
FURTHER = ("review", "acquired", "scene", "mmsi", "name", "ais_distance_m", "dark")


def columns_of(ships: Sequence[Detection]) -> list[str]:
    """Return ``COLUMNS`` and the columns of ``FURTHER`` that these ships have values for."""
    known = [n for n in FURTHER if any(getattr(ship, n) not in (None, "") for ship in ships)]
    return [*COLUMNS, *known]


def records(ships: Sequence[Detection]) -> list[dict[str, Any]]:
    """Return one dictionary per ship with the keys ``columns_of(ships)``."""
    names = columns_of(ships)
    rows = [vector.properties(ship) for ship in ships]
    return [{name: values.get(name) for name in names} for values in rows]


def to_pandas(ships: Sequence[Detection]) -> "pandas.DataFrame":
    """Return a DataFrame with one row per ship.

    Args:
        ships: The detections.

    Returns:
        Columns ``columns_of(ships)``: lengths in meters, angles in degrees clockwise from north, x
        and y in pixels of the raw image.

    Raises:
        MissingExtra: pandas is not installed.
    """
    module = optional("pandas")
    table: pandas.DataFrame = module.DataFrame(records(ships), columns=columns_of(ships))
    return table


def to_geodataframe(ships: Sequence[Detection]) -> "geopandas.GeoDataFrame":
    """Return a GeoDataFrame with the ships' outlines in EPSG:4326.

    Args:
        ships: The detections, all with a longitude and latitude.

    Returns:
        Columns ``columns_of(ships)``, and ``geometry`` with polygons in longitude and latitude.

    Raises:
        BadOption: The image has no georeference.
        MissingExtra: GeoPandas is not installed.
    """
    module = optional("geopandas")
    shapes = [polygon_of(parts) for parts in outlines(ships)]
    table: geopandas.GeoDataFrame = module.GeoDataFrame(
        to_pandas(ships), geometry=shapes, crs="EPSG:4326"
    )
    return table


def outlines(ships: Sequence[Detection]) -> list[list[list[list[float]]]]:
    """Return the outline of each ship as closed rings of longitude and latitude.

    An outline has one ring, or one on each side of the antimeridian if it crosses it.

    Raises:
        BadOption: The image has no georeference.
    """
    found = []
    for ship in ships:
        if ship.corners_lonlat is None:
            raise BadOption(
                "The image has no georeference, so its ships have no geographic coordinates: "
                "save them as .gpkg (in pixels), .csv or .coco.json."
            )
        found.append(vector.rings(np.asarray(ship.corners_lonlat, np.float64)))
    return found


def polygon_of(parts: Sequence[Sequence[Sequence[float]]]) -> Any:
    """Return rings as a Shapely polygon, or a multipolygon if there are several.

    Raises:
        MissingExtra: Shapely is not installed.
    """
    shapely = optional("shapely")
    polygons = [shapely.Polygon(ring) for ring in parts]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def optional(name: str) -> Any:
    """Import a package that only some formats need.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise missing_extra(name, extra="geo") from None
