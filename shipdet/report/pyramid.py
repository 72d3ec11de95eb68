"""Tiles of a run's images at every zoom, cut from its GeoTIFF or from a tiled copy of an image.

A PNG or JPEG can only be read as a whole. So the first request for a tile writes a tiled copy with
overviews into the run folder.
"""

import io
import math
import os
import secrets
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from shipdet.errors import BadOption, StorageFull
from shipdet.gdal import WRITING, gdal_env, gdal_errors
from shipdet.geometry import TILE_PX
from shipdet.report.finished_run import PICTURES, PYRAMIDS, Run
from shipdet.report.folder import GONE
from shipdet.report.raster import COG, copy_raster

_COPY = {**COG, "compress": "JPEG", "quality": 90, "predictor": "NO", "bigtiff": "IF_SAFER"}
#: Number of zooms above ``top_zoom`` that have tiles.
_EXTRA_ZOOMS = 8
_writing_copy = threading.Lock()


class Tile(NamedTuple):
    """An encoded tile: JPEG, or PNG if a part of it has no data."""

    content: bytes
    media_type: str


def layers(run: Run) -> list[str]:
    """Return the layers of a run: raw, and upscaled after super-resolution."""
    return [name for name in PICTURES if name == "raw" or name in run.record["files"]]


def top_zoom(run: Run) -> int:
    """Return the zoom at the scale of the raw image; at zoom 0, one tile covers the image."""
    longest_px = max(run.record["raw"]["width"], run.record["raw"]["height"])
    return max(0, math.ceil(math.log2(longest_px / TILE_PX)))


def cut_tile(
    run: Run, layer: str, zoom: int, x: int, y: int, onto: Run | None = None
) -> Tile | None:
    """Cut one tile of a layer.

    Args:
        run: The run.
        layer: raw or upscaled.
        zoom: Each zoom doubles the scale; ``top_zoom`` has the scale of the raw image. A tile
            covers the same ground in all layers.
        x: Column of the tile.
        y: Row of the tile, from the top.
        onto: Another run, to whose pixels the image is transformed; ``zoom``, ``x`` and ``y`` then
            refer to its tiles.

    Returns:
        The tile; None outside the image or the range of zooms.

    Raises:
        BadOption: The run has no such layer, or was deleted.
        StorageFull: The tiled copy cannot be written.
    """
    if layer not in layers(run):
        raise BadOption(f"The run has no layer '{layer[:40]}'.")
    frame, frame_zoom = (onto or run).record["raw"], top_zoom(onto or run)
    if zoom > frame_zoom + _EXTRA_ZOOMS or max(x, y) >= 2**zoom:
        return None  # before a huge number is converted to float
    side = TILE_PX * 2.0 ** (frame_zoom - zoom)  # of the tile, in pixels of the frame
    left, top = x * side, y * side
    if not (0 <= left < frame["width"] and 0 <= top < frame["height"]):
        return None
    right, bottom = min(left + side, frame["width"]), min(top + side, frame["height"])
    columns = max(1, round((right - left) / side * TILE_PX))
    rows = max(1, round((bottom - top) / side * TILE_PX))
    try:
        with _open_layer(run, layer, onto) as dataset:
            scale = (dataset.width / frame["width"], dataset.height / frame["height"])
            box = (left * scale[0], top * scale[1], right * scale[0], bottom * scale[1])
            return _encoded(*_read(dataset, box, (rows, columns)))
    except gdal_errors(FileNotFoundError) as error:
        raise BadOption(GONE) from error


def _read(dataset: Any, box: tuple[float, ...], shape: tuple[int, int]) -> tuple[Any, Any]:
    """Read a box, in pixels of the dataset: uint8 (rows, columns, 3) and its mask."""
    from rasterio.enums import Resampling
    from rasterio.windows import Window

    x0, y0, x1, y1 = box
    window = Window(x0, y0, x1 - x0, y1 - y0)
    shrinks = x1 - x0 > shape[1]
    how = Resampling.average if shrinks else Resampling.nearest
    pixels = dataset.read((1, 2, 3), window=window, out_shape=(3, *shape), resampling=how)
    mask = dataset.dataset_mask(window=window, out_shape=shape)
    return np.moveaxis(pixels, 0, -1), mask


def _encoded(pixels: Any, mask: Any) -> Tile:
    rows, columns = mask.shape
    out = io.BytesIO()
    if (rows, columns) == (TILE_PX, TILE_PX) and mask.all():
        Image.fromarray(np.ascontiguousarray(pixels)).save(out, "JPEG", quality=88)
        return Tile(out.getvalue(), "image/jpeg")
    whole = np.zeros((TILE_PX, TILE_PX, 4), np.uint8)
    whole[:rows, :columns, :3] = pixels
    whole[:rows, :columns, 3] = np.where(mask, 255, 0)
    Image.fromarray(whole).save(out, "PNG", compress_level=3)
    return Tile(out.getvalue(), "image/png")


@contextmanager
def _open_layer(run: Run, layer: str, onto: Run | None) -> Iterator[Any]:
    """Open the tiled file of a layer, in the pixels of ``onto`` if that has a georeference."""
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.vrt import WarpedVRT

    path = _tiled_file(run, layer)
    with warnings.catch_warnings(), gdal_env():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, driver="GTiff") as dataset:
            raw = None if onto is None else onto.record["raw"]
            if raw is None or not raw["georeferenced"]:
                yield dataset
                return
            place = {
                "crs": raw["crs"], "transform": rasterio.Affine(*raw["transform"]),
                "width": raw["width"], "height": raw["height"],
            }  # fmt: skip
            with WarpedVRT(dataset, resampling=Resampling.bilinear, add_alpha=True, **place) as vrt:
                yield vrt


def _tiled_file(run: Run, layer: str) -> Path:
    """Return the GeoTIFF of a layer; write it first if it does not exist."""
    if layer == "raw" and "mosaic" in run.files:
        return run.files["mosaic"]
    path = run.folder / PYRAMIDS / f"{layer}.tif"
    with _writing_copy:
        if not path.is_file():
            _write_copy(run.files[layer], path)
    return path


def _write_copy(picture: Path, path: Path) -> None:
    draft = path.with_name(f"{path.stem}-{secrets.token_hex(3)}.tmp")
    try:
        path.parent.mkdir(exist_ok=True)
        with warnings.catch_warnings(), gdal_env(**WRITING):
            warnings.simplefilter("ignore")
            copy_raster(picture, draft, **_COPY)
        os.replace(draft, path)
    except FileNotFoundError as error:
        raise BadOption(GONE) from error
    except gdal_errors(OSError) as error:
        raise StorageFull(
            f"The tiles of {picture.name} cannot be written: free some space on the disk that "
            "holds the runs."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
