"""A synthetic harbour as map tiles, with known ships, for use without any network.

Drawn by code, deterministic, and labelled synthetic wherever it is shown. It lies in the open
ocean near Null Island, at zoom 10 to 18.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from shipdet.geometry import TILE_PX
from shipdet.imagery.sample.layout import (
    HEIGHT_PX,
    LEFT_PX,
    REFERENCE_ZOOM,
    TOP_PX,
    WIDTH_PX,
    Ship,
    bbox,
    truth,
)
from shipdet.settings import Settings, get_settings

MIN_ZOOM, MAX_ZOOM = 10, 18
#: When the sample says that it was taken.
ACQUIRED = "2024-06-07T10:30:00Z"
#: Its AIS file, made from the truth: one ship is silent, one gives a wrong position, and one
#: reports where there is no ship.
AIS_FILE = Path(__file__).with_name("ais.csv")
MARGIN_PX = 4  # around an enlarged tile, so that neighbours join without a seam

__all__ = ["ACQUIRED", "AIS_FILE", "MAX_ZOOM", "MIN_ZOOM", "Ship", "bbox", "tile", "truth"]


def tile(z: int, x: int, y: int, settings: Settings | None = None) -> bytes | None:
    """A 256-px PNG tile (x to the east, y to the south), or None where the sample has none.

    Any integers are safe. Transparent where a tile reaches beyond the scene. The first call draws
    the scene, which takes some seconds, and keeps it in ``settings.cache_dir``.
    """
    if not MIN_ZOOM <= z <= MAX_ZOOM or not _touches(z, x, y):
        return None
    import cv2  # heavy, and not needed by those who only want the bbox

    from shipdet.imagery.sample import scene

    pixels, covered = _cut(scene.load((settings or get_settings()).cache_dir), z, x, y)
    bgr = pixels[..., ::-1]
    if not covered.all():
        bgr = np.dstack([bgr, np.where(covered, 255, 0).astype(np.uint8)])
    ok, png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not ok:
        raise RuntimeError("OpenCV cannot write PNG")
    return png.tobytes()


def _touches(z: int, x: int, y: int) -> bool:
    if not (0 <= x < 2**z and 0 <= y < 2**z):  # integers of any size come from addresses
        return False
    size = TILE_PX * 2.0 ** (REFERENCE_ZOOM - z)
    return (
        (x + 1) * size > LEFT_PX
        and x * size < LEFT_PX + WIDTH_PX
        and (y + 1) * size > TOP_PX
        and y * size < TOP_PX + HEIGHT_PX
    )


def _cut(
    scene: npt.NDArray[np.uint8], z: int, x: int, y: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Pixels (256, 256, 3) and coverage of one tile, averaged or enlarged from the scene."""
    import cv2

    pixels = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    covered = np.zeros((TILE_PX, TILE_PX), np.bool_)
    if z > REFERENCE_ZOOM:
        factor = 2 ** (z - REFERENCE_ZOOM)
        side = TILE_PX // factor
        left, top = x * side - LEFT_PX - MARGIN_PX, y * side - TOP_PX - MARGIN_PX
        # The scene's edge is repeated where the margin reaches beyond it.
        rows = np.clip(np.arange(top, top + side + 2 * MARGIN_PX), 0, HEIGHT_PX - 1)
        columns = np.clip(np.arange(left, left + side + 2 * MARGIN_PX), 0, WIDTH_PX - 1)
        around = np.ascontiguousarray(scene[rows][:, columns])
        large = cv2.resize(around, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        margin = MARGIN_PX * factor
        pixels[:] = large[margin:-margin, margin:-margin]
        covered[:] = True
        return pixels, covered
    factor = 2 ** (REFERENCE_ZOOM - z)  # the scene's corner is a whole pixel of every zoom
    left, top = LEFT_PX // factor - x * TILE_PX, TOP_PX // factor - y * TILE_PX
    x0, x1 = max(left, 0), min(left + WIDTH_PX // factor, TILE_PX)
    y0, y1 = max(top, 0), min(top + HEIGHT_PX // factor, TILE_PX)
    part = scene[
        (y0 - top) * factor : (y1 - top) * factor, (x0 - left) * factor : (x1 - left) * factor
    ]
    pixels[y0:y1, x0:x1] = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    covered[y0:y1, x0:x1] = True
    return pixels, covered
