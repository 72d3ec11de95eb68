"""Read images in memory: NumPy arrays and xarray DataArrays."""

from typing import Any

import numpy as np

from shipdet.errors import BadImage
from shipdet.geometry import Affine
from shipdet.imagery.bands import choose_bands
from shipdet.imagery.limits import check_size
from shipdet.imagery.survey import REVERSED, Calibration, Numbers
from shipdet.mosaic import Mask

#: Names of the dimensions of a DataArray.
_ROWS, _COLUMNS = ("y", "lat", "latitude", "row", "rows"), ("x", "lon", "longitude", "col", "cols")
_LONGITUDES = ("lon", "longitude")


def read_array(
    array: Any, name: str, bands: tuple[int, ...], notes: list[str]
) -> tuple[Numbers, Mask]:
    """Read values (h, w, 1 or 3) and coverage (h, w) from an array (h, w[, n]).

    Masked and non-finite values have no coverage. An array with other than 1 or 3 bands needs
    ``bands``, except uint8 with 4 bands, which is RGBA as in Pillow and imageio.

    Raises:
        BadImage: The shape or type of the array is not supported.
    """
    masked = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    values: Numbers = np.ma.getdata(array)
    if values.dtype.kind not in "iuf":
        raise BadImage(f"'{name}' has values of type {values.dtype}: give integer or float values.")
    if values.ndim == 2:
        values = values[..., None]
        masked = None if masked is None else masked[..., None]
    if values.ndim != 3 or 0 in values.shape:
        raise BadImage(
            f"'{name}' has the shape {np.shape(array)}: give (height, width) or (height, width, 3)."
        )
    count = values.shape[-1]
    rgba = not bands and count == 4 and values.dtype == np.uint8
    if count not in (1, 3) and not bands and not rgba:
        hint = ", with the bands last" if values.shape[0] in (1, 3, 4) else ""
        raise BadImage(
            f"'{name}' has the shape {np.shape(array)}: give (height, width) or "
            f"(height, width, 3){hint}, or choose its bands."
        )
    covered = values[..., 3] != 0 if rgba else np.ones(values.shape[:2], np.bool_)
    meanings = ["red", "green", "blue", "alpha"] if rgba else [""] * count
    if count == 3:
        meanings = ["red", "green", "blue"]
    chosen = [i - 1 for i in choose_bands(name, meanings, [None] * count, bands, notes)]
    values = values[..., chosen]
    if masked is not None:
        covered &= ~masked[..., chosen].any(axis=-1)
    if values.dtype.kind == "f":
        covered &= np.isfinite(values).all(axis=-1)
    return values, covered


def is_data_array(source: Any) -> bool:
    """Whether an object is an xarray DataArray, without importing xarray or reading values."""
    names = ("dims", "coords", "attrs", "shape", "transpose")
    return all(hasattr(source, name) for name in names)


def read_data_array(
    source: Any, name: str, bands: tuple[int, ...], limit: int, notes: list[str]
) -> tuple[Numbers, Mask, Calibration, str | None, Affine | None]:
    """Read values, coverage, calibration, CRS and transform of a DataArray in rioxarray's layout.

    The CRS and the transform come from the coordinate ``spatial_ref``; without a transform there,
    it is computed from the coordinates x and y of the pixel centers. Coordinates that are named
    longitude and latitude are in degrees (WGS 84) if no CRS is stated, as in the CF conventions.

    Raises:
        BadImage: There are other dimensions than a band, rows and columns, or more than ``limit``
            pixels, which are not read.
    """
    rows = next((d for d in source.dims if str(d).lower() in _ROWS), None)
    columns = next((d for d in source.dims if str(d).lower() in _COLUMNS), None)
    others = [d for d in source.dims if d not in (rows, columns)]
    if rows is None or columns is None or len(others) > 1:
        raise BadImage(
            f"'{name}' has the dimensions {', '.join(map(str, source.dims))}: give y, x and at "
            "most one for bands; select a single time."
        )
    height, width = (source.shape[source.dims.index(side)] for side in (rows, columns))
    check_size(name, width, height, limit)
    values: Numbers = np.asarray(source.transpose(rows, columns, *others).values)
    if values.ndim == 2:
        values = values[..., None]
    if values.dtype.kind not in "iuf" or 0 in values.shape:
        raise BadImage(f"'{name}' has no numeric values, or is empty.")
    labels = source.attrs.get("long_name", "")
    if not isinstance(labels, list | tuple):
        labels = []
    if others and others[0] in source.coords and not labels:
        labels = source.coords[others[0]].values.tolist()
    count = values.shape[-1]
    names = (
        [str(label) for label in labels] if len(labels) == count and count > 1 else [None] * count
    )
    chosen = choose_bands(name, [""] * count, names, bands, notes)
    values = values[..., [i - 1 for i in chosen]]
    covered = np.ones(values.shape[:2], np.bool_)
    if values.dtype.kind == "f":
        covered &= np.isfinite(values).all(axis=-1)
    encoding = getattr(source, "encoding", {})
    nodata = source.attrs.get("_FillValue", encoding.get("_FillValue"))
    if nodata is not None and np.isfinite(nodata):
        covered &= (values != nodata).any(axis=-1)
    scale = float(source.attrs.get("scale_factor", 1.0))
    offset = float(source.attrs.get("add_offset", 0.0))
    calibration = Calibration(-offset / scale if scale > 0 else 0.0)
    if scale < 0:
        notes.append(REVERSED)
        values = (np.asarray(values, np.float64) * scale + offset).astype(np.float32)
    return values, covered, calibration, *_reference(source, rows, columns)


def _reference(source: Any, rows: Any, columns: Any) -> tuple[str | None, Affine | None]:
    attrs: dict[str, Any] = {}
    if "spatial_ref" in source.coords:
        attrs = source.coords["spatial_ref"].attrs
    crs = attrs.get("crs_wkt") or attrs.get("spatial_ref") or source.attrs.get("crs")
    if not crs and str(columns).lower() in _LONGITUDES:
        crs = "EPSG:4326"
    stated = attrs.get("GeoTransform")
    if stated:
        c, a, b, f, d, e = (float(part) for part in str(stated).split())
        return crs, (a, b, c, d, e, f)
    if rows not in source.coords or columns not in source.coords:
        return crs, None
    x = np.asarray(source.coords[columns].values, np.float64)
    y = np.asarray(source.coords[rows].values, np.float64)
    if len(x) < 2 or len(y) < 2:
        return crs, None
    step_x, step_y = (x[-1] - x[0]) / (len(x) - 1), (y[-1] - y[0]) / (len(y) - 1)
    affine = (step_x, 0.0, x[0] - step_x / 2, 0.0, step_y, y[0] - step_y / 2)
    return crs, tuple(float(v) for v in affine)  # type: ignore[return-value]
