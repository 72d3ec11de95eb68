"""Encode a map tile as PNG."""

import numpy as np

from shipdet.mosaic import Mask, Pixels


def tile_png(pixels: Pixels, covered: Mask) -> bytes:
    """Encode pixels (h, w, 3) as PNG; pixels that are not covered (h, w) are transparent."""
    import cv2  # takes a while to import

    bgr = pixels[..., ::-1]
    if not covered.all():
        bgr = np.dstack([bgr, np.where(covered, 255, 0).astype(np.uint8)])
    ok, png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not ok:
        raise RuntimeError("OpenCV cannot write PNG")
    return png.tobytes()
