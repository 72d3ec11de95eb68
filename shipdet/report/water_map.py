"""The network's map of water, land and hulls, as an image and as a GeoTIFF."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from PIL import Image

from shipdet.gdal import WRITING, gdal_env
from shipdet.geometry import Grid

#: Colors of water, land and hull.
COLORS = np.array([(44, 110, 190), (150, 126, 92), (255, 206, 64)], np.float32)
FILES = {"map": "map.png", "map_tif": "map.tif"}


def write_map(
    folder: Path, layers: npt.NDArray[np.uint8], cells: tuple[float, float], grid: Grid
) -> dict[str, str]:
    """Write map.png for display and map.tif for a GIS, both with the edges of the image.

    Args:
        folder: The run folder.
        layers: uint8 (rows, columns, 3), probabilities of water, land and hull from 0 to 255; all
            0 where there is no data.
        cells: The image's width and height in columns and rows of ``layers``, the last of which
            may extend beyond the image.
        grid: The grid of the image.

    Returns:
        File names by kind.

    Raises:
        OSError: A file cannot be written.
    """
    layers = _on_image(layers, cells)
    shares = layers.astype(np.float32) / 255
    known = layers.any(axis=2)
    colors = np.clip(shares @ COLORS, 0, 255)
    rgba = np.dstack([colors, np.where(known, 255, 0)]).astype(np.uint8)
    Image.fromarray(rgba).save(folder / FILES["map"])
    rows, columns = layers.shape[:2]
    profile = {
        "driver": "GTiff", "width": columns, "height": rows, "count": 3, "dtype": "uint8",
        "compress": "deflate",
    }  # fmt: skip
    if grid.georeferenced:
        scaled = grid.scaled(columns, rows)
        profile |= {"crs": grid.crs, "transform": rasterio.Affine(*scaled.transform)}
    # In memory, because GDAL does not report disk errors.
    with gdal_env(**WRITING), rasterio.MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(np.moveaxis(layers, 2, 0))
            file.write_mask(known)
            for band, name in enumerate(("water", "land", "hull"), start=1):
                file.set_band_description(band, name)
        (folder / FILES["map_tif"]).write_bytes(memory.getbuffer())
    return dict(FILES)


def _on_image(layers: npt.NDArray[np.uint8], cells: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Resample a map to its number of rows and columns within the edges of the image."""
    rows, columns = layers.shape[:2]
    x = ((np.arange(columns) + 0.5) * cells[0] / columns).astype(int)
    y = ((np.arange(rows) + 0.5) * cells[1] / rows).astype(int)
    return np.asarray(layers[y[:, None], x])
