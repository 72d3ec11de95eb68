"""Where the water is on a picture that nobody has outlined: smooth ground of one colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

TEXTURE_PX = 9
"""Side of the square over which texture is measured."""
SMOOTHEST = 0.35
"""Share of a picture that is looked at for the colour of its water: its smoothest part."""
SAMPLED = 5
"""Every so many pixels of it are asked."""
BRIGHTEST = 85.0
"""Lightness (L*, 0 to 100) above which it is snow, or the filling of a picture without data."""
ROUGHEST = 9.0
"""Texture (deviation of L*a*b*) above which it is a town."""
SHADES = 3
"""Colours that the smoothest part is divided into; water is the largest of the bluer ones."""
OFF_COLOUR, ROUGH = 3.5, 3.5
"""How many times the water's own deviation another colour, or texture, is from which on there is
none."""
LEAST_SHARE, LEAST_PART = 0.12, 0.03
"""Share of a picture that water must be, all together and in one piece."""
BREADTH_PX, LEAST_BROAD = 17, 0.6
"""Most of a water is at least so broad; streets and the ground between trees are not."""


def land_of(picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Soft mask (h, w) of what is no water, 0 to 1; None where no water can be told for sure.

    Ships and their wakes are no water either.
    """
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    mean = cv2.blur(lab, (TEXTURE_PX, TEXTURE_PX))
    spread = np.sqrt(
        np.maximum(cv2.blur(lab**2, (TEXTURE_PX, TEXTURE_PX)) - mean**2, 0).sum(axis=2)
    )
    seeds = spread <= np.quantile(spread, SMOOTHEST)
    colours, textures = mean[seeds][::SAMPLED], spread[seeds][::SAMPLED]
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 12, 0.0)
    cv2.setRNGSeed(1)
    _, found, shades = cv2.kmeans(colours, SHADES, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    group = found.ravel()
    sizes = np.bincount(group, minlength=SHADES)
    # Grass, soil, sand and concrete are yellower than any water beside them, and brighter.
    blue = shades[:, 2] + 0.15 * shades[:, 0]
    large = sizes >= 0.2 * sizes.sum()
    chosen = int(np.argmin(np.where(large, blue, np.inf)))
    own = colours[group == chosen]
    centre, deviation = own.mean(axis=0), np.maximum(own.std(axis=0), 0.8)
    texture = max(float(textures[group == chosen].mean()), 0.5)
    if centre[0] > BRIGHTEST or texture > ROUGHEST:
        return None

    def off(colour: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.sqrt((((colour - centre) / deviation) ** 2).mean(axis=2)) / OFF_COLOUR

    water = ((off(mean) < 1) & (spread < ROUGH * texture)).astype(np.uint8)
    # Texture is measured over a square: what borders on something rough was called rough.
    near = (off(lab) < 1.2).astype(np.uint8)
    grown = cv2.dilate(water, np.ones((TEXTURE_PX, TEXTURE_PX), np.uint8))
    water = cv2.morphologyEx(grown & near, cv2.MORPH_CLOSE, np.ones((3, 3)))
    water = cv2.morphologyEx(water, cv2.MORPH_OPEN, np.ones((5, 5)))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(water)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    kept = areas >= LEAST_PART * water.size
    water = kept[parts].astype(np.uint8)
    broad = cv2.morphologyEx(water, cv2.MORPH_OPEN, np.ones((BREADTH_PX, BREADTH_PX), np.uint8))
    if broad.sum() < max(LEAST_SHARE * water.size, LEAST_BROAD * water.sum()):
        return None
    return cv2.GaussianBlur(1.0 - water.astype(np.float32), (0, 0), 1.2)
