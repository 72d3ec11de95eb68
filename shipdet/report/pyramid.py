"""Tiles of a run's images at every scale, cut from its GeoTIFF or from a tiled copy of a picture.

A PNG or JPEG can only be read as a whole, so a copy with tiles and smaller sizes is made in the run
folder when its first tile is requested. It goes with the run.
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
#: Zooms beyond ``top_zoom`` that have tiles.
_MORE_ZOOM = 8
_making = threading.Lock()


class Tile(NamedTuple):
    """An encoded tile: JPEG, or PNG where a part of it has no data."""

    content: bytes
    media_type: str


def layers(run: Run) -> list[str]:
    """The layers that a run has tiles of: raw, and upscaled after super-resolution."""
    return [name for name in PICTURES if name == "raw" or name in run.record["files"]]


def top_zoom(run: Run) -> int:
    """The zoom at which a tile's pixel is a pixel of the raw image; at 0 one tile holds it all."""
    longest_px = max(run.record["raw"]["width"], run.record["raw"]["height"])
    return max(0, math.ceil(math.log2(longest_px / TILE_PX)))


def cut_tile(
    run: Run, layer: str, zoom: int, x: int, y: int, onto: Run | None = None
) -> Tile | None:
    """One tile of a layer.

    Args:
        run: The run.
        layer: raw or upscaled.
        zoom: Doubles the scale; ``top_zoom`` shows the raw image pixel by pixel. Of all layers the
            tiles of one number show the same ground.
        x: Column of the tile.
        y: Row of the tile, from the top.
        onto: Another run, into whose pixels the image is transformed; ``zoom``, ``x`` and ``y``
            are then of its tiles.

    Returns:
        The tile; None outside the image, or beyond the zooms that have tiles.

    Raises:
        BadOption: There is no such layer, or the run was deleted.
        StorageFull: The tiled copy cannot be written.
    """
    if layer not in layers(run):
        raise BadOption(f"The run has no layer '{layer[:40]}'.")
    frame, top_of_all = (onto or run).record["raw"], top_zoom(onto or run)
    if zoom > top_of_all + _MORE_ZOOM or max(x, y) >= 2**zoom:
        return None  # before any float is made of them
    side = TILE_PX * 2.0 ** (top_of_all - zoom)  # of the tile, in pixels of the frame
    left, top = x * side, y * side
    if not (0 <= left < frame["width"] and 0 <= top < frame["height"]):
        return None
    right, bottom = min(left + side, frame["width"]), min(top + side, frame["height"])
    columns = max(1, round((right - left) / side * TILE_PX))
    rows = max(1, round((bottom - top) / side * TILE_PX))
    try:
        with _opened(run, layer, onto) as dataset:
            scale = (dataset.width / frame["width"], dataset.height / frame["height"])
            box = (left * scale[0], top * scale[1], right * scale[0], bottom * scale[1])
            return _encoded(*_read(dataset, box, (rows, columns)))
    except gdal_errors(FileNotFoundError) as error:
        raise BadOption(GONE) from error


def _read(dataset: Any, box: tuple[float, ...], shape: tuple[int, int]) -> tuple[Any, Any]:
    """uint8 (rows, columns, 3) and the mask of a box, in pixels of the dataset."""
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
def _opened(run: Run, layer: str, onto: Run | None) -> Iterator[Any]:
    """A tiled file of a layer, in the pixels of another run where ``onto`` has a place."""
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.vrt import WarpedVRT

    path = _tiled(run, layer)
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


def _tiled(run: Run, layer: str) -> Path:
    """The GeoTIFF of a layer, made first where there is none."""
    if layer == "raw" and "mosaic" in run.files:
        return run.files["mosaic"]
    path = run.folder / PYRAMIDS / f"{layer}.tif"
    with _making:
        if not path.is_file():
            _make(run.files[layer], path)
    return path


def _make(picture: Path, path: Path) -> None:
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
            f"The tiles of {picture.name} cannot be written: free some space on the disk of the "
            "runs."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
