"""The network's map of water, land and hulls, as an image and as a GeoTIFF."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from PIL import Image

from shipdet.gdal import gdal_env
from shipdet.geometry import Grid

#: Colors of water, land and hull.
COLORS = np.array([(44, 110, 190), (150, 126, 92), (255, 206, 64)], np.float32)
FILES = {"map": "map.png", "map_tif": "map.tif"}


def write_map(folder: Path, layers: npt.NDArray[np.uint8], grid: Grid) -> dict[str, str]:
    """Write map.png for display and map.tif for a GIS.

    Args:
        folder: The run folder.
        layers: uint8 (rows, columns, 3), probabilities of water, land and hull from 0 to 255; all
            0 where there is no data.
        grid: The grid of the image that the map covers.

    Returns:
        File names by kind.

    Raises:
        OSError: A file cannot be written.
    """
    shares = layers.astype(np.float32) / 255
    known = layers.any(axis=2)
    colors = np.clip(shares @ COLORS, 0, 255)
    rgba = np.dstack([colors, np.where(known, 255, 0)]).astype(np.uint8)
    Image.fromarray(rgba).save(folder / FILES["map"])
    rows, columns = layers.shape[:2]
    profile = {
        "driver": "GTiff", "width": columns, "height": rows, "count": 3, "dtype": "uint8",
        "compress": "deflate", "nodata": 0,
    }  # fmt: skip
    if grid.georeferenced:
        scale = rasterio.Affine.scale(grid.width / columns, grid.height / rows)
        profile |= {"crs": grid.crs, "transform": rasterio.Affine(*grid.transform) @ scale}
    with gdal_env(), rasterio.MemoryFile() as memory:  # GDAL does not report disk errors
        with memory.open(**profile) as file:
            file.write(np.moveaxis(layers, 2, 0))
            for band, name in enumerate(("water", "land", "hull"), start=1):
                file.set_band_description(band, name)
        (folder / FILES["map_tif"]).write_bytes(memory.getbuffer())
    return dict(FILES)
