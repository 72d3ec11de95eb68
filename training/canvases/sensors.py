"""Simulate satellites and tile servers: coarse pixels, haze, noise, JPEG.

Imagery of 0.5 to 5 m per pixel (PlanetScope 3 m, Esri zoom 15 2.4 to 4.8 m) is resampled to the
network's 1.2 to 1.9 m. These augmentations reproduce the resulting blur and artifacts.
"""

from __future__ import annotations

import string

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]


def recolor(picture: Picture, rng: np.random.Generator) -> Picture:
    """Randomly change exposure, contrast, gamma, color balance, saturation and haze."""
    gamma = np.exp(rng.normal(0, 0.18))
    gain = np.exp(rng.normal(0, 0.16)) * np.exp(rng.normal(0, 0.05, 3))
    lift = rng.uniform(-12, 12) + rng.normal(0, 4, 3)
    ramp = np.linspace(0, 1, 256)[:, None] ** gamma * 255 * gain + lift
    if rng.random() < 0.3:
        haze = rng.uniform(0, 0.4)
        ramp = ramp * (1 - haze) + haze * rng.uniform([90, 100, 110], [200, 210, 220])
    table = np.clip(ramp, 0, 255).astype(np.uint8).reshape(256, 1, 3)
    colored = cv2.LUT(picture, table)
    if rng.random() < 0.3:
        gray = cv2.cvtColor(cv2.cvtColor(colored, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = float(rng.uniform(0, 1.3))
        colored = cv2.addWeighted(colored, keep, gray, 1 - keep, 0)
    return colored


def annotate(picture: Picture, rng: np.random.Generator) -> Picture:
    """Draw the annotations of map screenshots: names, logos, dots and scale bars.

    Text can be as long and bright as a ship. The labels do not change, so the network learns that
    text is not a ship.
    """
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    letters = list(string.ascii_letters + "     -.")
    for _ in range(rng.integers(1, 4)):
        height = float(rng.uniform(5, 14))
        text = "".join(rng.choice(letters, rng.integers(3, 18)))
        if rng.random() < 0.3:
            text = "Google Earth"  # appears on most screenshots of the labeled sets
        color = (255, 255, 255) if rng.random() < 0.7 else tuple(rng.integers(0, 256, 3).tolist())
        outline = (0, 0, 0) if rng.random() < 0.5 else None
        x, y = rng.uniform(0, 0.9, 2) * picture.shape[1::-1]
        font = ImageFont.load_default(height)
        draw.text((x, y), text, color, font, stroke_width=int(outline is not None),
                  stroke_fill=outline)  # fmt: skip
        if rng.random() < 0.3:
            draw.ellipse((x - 6, y, x - 2, y + 4), color)
        if rng.random() < 0.2:
            draw.line((x, y + height, x + rng.uniform(20, 80), y + height), color, 2)
    return np.asarray(image)


def photographed(picture: Picture, factor: float, blur: float) -> Picture:
    """Blur by ``blur`` output pixels, then reduce the image by ``factor``."""
    height, width = picture.shape[:2]
    soft = cv2.GaussianBlur(picture, (0, 0), blur * factor)
    size = (max(8, round(width / factor)), max(8, round(height / factor)))
    return cv2.resize(soft, size, interpolation=cv2.INTER_AREA)


def degrade(picture: Picture, factor: float, rng: np.random.Generator) -> Picture:
    """Simulate a sensor: reduce by ``factor``, if above 1, add artifacts, enlarge back."""
    height, width = picture.shape[:2]
    small = picture
    if factor > 1.0:
        # Optics blur by up to half a pixel before the sensor averages over one.
        small = photographed(picture, factor, float(rng.uniform(0.15, 0.5)))
    elif rng.random() < 0.4:
        small = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.2)))
    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(small, (0, 0), 1.0)
        amount = float(rng.uniform(0, 1.2))
        small = cv2.addWeighted(small, 1 + amount, soft, -amount, 0)
    if rng.random() < 0.6:
        noise = np.empty(small.shape, np.int16)
        cv2.randn(noise, 0, float(rng.uniform(0.5, 5)))
        small = np.clip(small + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))]
        small = cv2.imdecode(cv2.imencode(".jpg", small, quality)[1], cv2.IMREAD_COLOR)
    if small.shape[:2] == (height, width):
        return small
    mode = cv2.INTER_CUBIC if rng.random() < 0.8 else cv2.INTER_LINEAR
    return cv2.resize(small, (width, height), interpolation=mode)
