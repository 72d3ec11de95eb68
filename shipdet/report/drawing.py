"""Images of results: the overlay and one crop per ship."""

import math

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from shipdet.detections import Detection, Detections
from shipdet.geometry import Floats
from shipdet.mosaic import Pixels
from shipdet.report.score_colors import score_class

CHIP_M = 300.0  # side of a crop on the ground; longer ships get twice their length
CHIP_PX = 256
SMALL = (170, 190, 210)  # color of small craft


def draw_overlay(
    picture: Pixels,
    detections: Detections,
    factor: tuple[float, float],
    small_craft: Detections | None = None,
) -> Pixels:
    """Draw oriented box, number and score of each ship, and a thin box around small craft.

    Args:
        picture: The image, uint8 (h, w, 3); not modified.
        detections: The ships.
        factor: Pixels of the image per pixel of the detections, (x, y).
        small_craft: Detections that are too short to count.

    Returns:
        uint8 (h, w, 3).
    """
    image = Image.fromarray(picture).convert("RGB")
    draw = ImageDraw.Draw(image)
    # Lines and text stay legible when the whole image is shown at screen size.
    unit = max(1.0, max(image.size) / 1400)
    font = ImageFont.load_default(size=13 * unit)
    stroke = max(2, round(2 * unit))
    scale = np.array(factor)
    for detection in small_craft or ():
        corners = _grown(detection.corners * scale, 2 * unit)
        outline = [(float(x), float(y)) for x, y in corners]
        draw.line([*outline, outline[0]], fill=SMALL, width=max(1, stroke // 2), joint="curve")
    for detection in reversed(detections.items):  # the best scores on top
        color = score_class(detection.score).color
        corners = _grown(detection.corners * scale, 3 * unit)
        outline = [(float(x), float(y)) for x, y in corners]
        draw.line([*outline, outline[0]], fill=color, width=stroke, joint="curve")
        label = f"{detection.id}  {detection.score:.0%}"
        left, _, right, bottom = draw.textbbox((0, 0), label, font=font)
        pad = 3 * unit
        x = min(max(0.0, float(corners[:, 0].max()) + pad), image.width - (right - left) - 2 * pad)
        y = min(max(0.0, float(corners[:, 1].min())), image.height - bottom - 2 * pad)
        draw.rectangle((x, y, x + right - left + 2 * pad, y + bottom + 2 * pad), fill=(15, 23, 32))
        draw.text((x + pad - left, y + pad), label, fill=color, font=font)
    return np.asarray(image)


def _grown(corners: Floats, by: float) -> Floats:
    """Move corners outward along the diagonals, so that the line does not cover the hull."""
    away = corners - corners.mean(axis=0)
    reach = np.maximum(np.hypot(away[:, 0], away[:, 1]), 1e-6)[:, None]
    return np.asarray(corners + away / reach * by * math.sqrt(2))


def crop_ship(
    picture: Pixels, detection: Detection, factor: tuple[float, float], gsd_m: float
) -> Pixels:
    """Cut a square around one ship, in the orientation of the image.

    Args:
        picture: The image, uint8 (h, w, 3).
        detection: The ship.
        factor: Pixels of the image per pixel of the detection, (x, y).
        gsd_m: Meters per pixel of the image.

    Returns:
        uint8 (CHIP_PX, CHIP_PX, 3), black outside the image.
    """
    side_m = max(CHIP_M, 2.0 * detection.length_m)
    side = side_m / gsd_m
    x, y = detection.x * factor[0], detection.y * factor[1]
    step = side / CHIP_PX
    if step > 1.5:  # shrink by averaging: interpolation would break thin hulls into dots
        left, top = math.floor(x - side / 2), math.floor(y - side / 2)
        size = math.ceil(side)
        square = np.zeros((size, size, 3), np.uint8)
        height, width = picture.shape[:2]
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(width, left + size), min(height, top + size)
        if x1 > x0 and y1 > y0:
            square[y0 - top : y1 - top, x0 - left : x1 - left] = picture[y0:y1, x0:x1]
        shrunk = cv2.resize(square, (CHIP_PX, CHIP_PX), interpolation=cv2.INTER_AREA)
        return np.asarray(shrunk, np.uint8)
    # Warp only the surroundings: OpenCV rejects images wider than 32,767 px.
    margin = math.ceil(side / 2) + 4
    x0, y0 = max(0, math.floor(x) - margin), max(0, math.floor(y) - margin)
    part = picture[y0 : math.ceil(y) + margin, x0 : math.ceil(x) + margin]
    matrix = np.array(
        [
            [step, 0.0, x - x0 - side / 2 + step / 2 - 0.5],
            [0.0, step, y - y0 - side / 2 + step / 2 - 0.5],
        ]
    )
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(part, matrix, (CHIP_PX, CHIP_PX), flags=flags), np.uint8)
