"""GeoTIFFs of one scene, written in every way that hypothesis thinks of."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.transform import Affine
from rasterio.warp import transform as warp

Pixels = npt.NDArray[np.uint8]
HOLE_PX = 20
"""Columns at the left of a file with a hole that have no data."""
FACTORS = {
    "uint8": [1], "uint16": [1, 16, 37, 257], "int16": [1, 11, 100], "uint32": [257, 65_536],
    "int32": [3, 1000], "float32": [1, 1 / 255, 0.4 / 255], "float64": [1 / 255, 1e5],
}  # fmt: skip
PLACES = {  # a longitude and latitude inside each
    "EPSG:4326": (4.1, 51.9), "EPSG:3857": (-70.2, -41.0), "EPSG:32631": (3.2, 51.5),
    "EPSG:32760": (179.9999, -17.0), "EPSG:3031": (20.0, -70.0), "EPSG:28992": (4.1, 51.9),
    "EPSG:4979": (4.1, 51.9), "EPSG:32610+5773": (-122.4, 37.8), "EPSG:2227": (-122.4, 37.8),
    "+proj=laea +lat_0=50 +lon_0=4 +ellps=bessel": (4.1, 51.9),
}  # fmt: skip
UNITS = {"EPSG:4326": 111_320.0, "EPSG:4979": 111_320.0, "EPSG:2227": 0.3048}  # meters of one
ORDERS = ([0, 1, 2], [2, 1, 0], [1, 2, 0])


@st.composite
def ways_to_write(draw: st.DrawFn) -> dict[str, Any]:
    """Data type, scale, order of bands, hole, CRS, pixel size in meters, rotation and layout."""
    dtype = draw(st.sampled_from(sorted(FACTORS)))
    compress = draw(
        st.sampled_from(["NONE", "DEFLATE", "LZW", "PACKBITS", "ZSTD", "LZMA", "LERC_ZSTD"])
    )
    # GDAL does not read back the big-endian LERC floats that it writes.
    endianness = "LITTLE" if "LERC" in compress else draw(st.sampled_from(["LITTLE", "BIG"]))
    crs = draw(st.sampled_from(sorted(PLACES)))
    return {
        "dtype": dtype,
        "factor": draw(st.sampled_from(FACTORS[dtype])),
        "order": draw(st.sampled_from(ORDERS)),
        "extra": draw(st.integers(0, 2)),
        "hole": draw(
            st.sampled_from(["none", "nodata", "mask", "nan", "collar", "alpha", "sidecar"])
        ),
        "crs": crs,
        "size": draw(st.floats(0.5, 8.0)),
        "angle": draw(st.sampled_from([0.0, 0.0, 17.0, 90.0, 180.0])),
        "flip": draw(st.booleans()),
        "layout": {
            "compress": compress,
            "interleave": draw(st.sampled_from(["pixel", "band"])),
            **draw(st.sampled_from([{}, {"tiled": True, "blockxsize": 32, "blockysize": 16}])),
            "BIGTIFF": draw(st.sampled_from(["YES", "NO"])),
            "ENDIANNESS": endianness,
        },
    }


def write_scene(
    path: Path, scene: Pixels, kind: dict[str, Any]
) -> tuple[npt.NDArray[np.bool_], tuple[float, float]]:
    """Write the file; gives which pixels have data, and the place of the middle in degrees."""
    values = (scene.astype(np.float64) * kind["factor"]).astype(kind["dtype"])
    covered = np.ones(scene.shape[:2], np.bool_)
    hole, is_float = kind["hole"], kind["dtype"].startswith("float")
    if hole != "none" and not (hole == "nan" and not is_float):
        covered[:, :HOLE_PX] = False
    fill = {"nan": np.nan, "collar": 0, "nodata": 1}.get(hole, 7)
    if not covered.all():
        values[~covered] = fill if hole != "nodata" else 0
    bands = [values[..., i] for i in kind["order"]] + [values[..., 0]] * kind["extra"]
    meanings = [("red", "green", "blue")[i] for i in kind["order"]] + ["undefined"] * kind["extra"]
    if hole == "alpha":
        bands.append((255 * covered).astype(kind["dtype"]))
        meanings.append("alpha")
    lon, lat = PLACES[kind["crs"]]
    (x,), (y,) = warp("EPSG:4326", kind["crs"], [lon], [lat])
    size = kind["size"] / UNITS.get(kind["crs"], 1.0)
    height, width = covered.shape
    flip = Affine.scale(size, size if kind["flip"] else -size)
    turned = Affine.translation(x, y) @ Affine.rotation(kind["angle"]) @ flip
    transform = turned @ Affine.translation(-width / 2, -height / 2)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=hole == "mask"):
        with rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=len(bands),
            dtype=kind["dtype"], crs=kind["crs"], transform=transform, photometric="MINISBLACK",
            nodata=0 if hole == "nodata" else None, **kind["layout"],
        ) as dataset:  # fmt: skip
            dataset.colorinterp = [ColorInterp[meaning] for meaning in meanings]
            dataset.write(np.stack(bands))
            if hole in ("mask", "sidecar"):
                dataset.write_mask(covered)
    return covered, (lon, lat)
