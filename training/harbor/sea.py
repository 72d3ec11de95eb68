"""Draw the sea: color by depth, swell, whitecaps, surf, wakes."""

import cv2
import numpy as np
import numpy.typing as npt

from training.harbor.harbor_layout import GSD_M, HEIGHT_PX, WIDTH_PX, Ship
from training.harbor.texture import clouds, spectral, tiled

DEEP = (50, 72, 74)
SHALLOW = (88, 112, 98)
FOAM = np.array([214, 220, 214], np.float32)
WAVES_FROM_DEG = 222.0

Pixels = npt.NDArray[np.uint8]


def draw_sea(land: npt.NDArray[np.bool_], rng: np.random.Generator) -> Pixels:
    """Draw water on the whole scene, uint8 RGB; it is shallower near ``land``."""
    small = cv2.resize((~land).astype(np.uint8), (WIDTH_PX // 8, HEIGHT_PX // 8))
    distance_m = cv2.distanceTransform(small, cv2.DIST_L2, 5) * 8 * GSD_M
    height, width = HEIGHT_PX // 8, WIDTH_PX // 8
    patches = 0.10 * clouds(rng, height, width, 90) + 0.06 * clouds(rng, height, width, 24)
    turbid = np.asarray(np.exp(-distance_m / 160.0) * 0.75 + patches, dtype=np.float32)
    shallow = np.clip(cv2.resize(turbid, (WIDTH_PX, HEIGHT_PX)), 0, 1)

    # Periods that do not divide each other hide the repetition.
    swell = tiled(spectral(rng, 1024, 36, 0.35, WAVES_FROM_DEG, 10), HEIGHT_PX, WIDTH_PX)
    chop = tiled(spectral(rng, 720, 8, 0.7, WAVES_FROM_DEG + 12, 2), HEIGHT_PX, WIDTH_PX)
    ripple = tiled(spectral(rng, 500, 2.6, 0.6), HEIGHT_PX, WIDTH_PX)
    gusts = clouds(rng, HEIGHT_PX, WIDTH_PX, 420)
    light = 1.1 * swell + 1.7 * chop * (1 + 0.25 * gusts) + 1.5 * ripple + 1.2 * gusts
    light += np.where(chop + 0.5 * swell > 4.2, 40, 0)  # a few whitecaps

    sea = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    for band in range(3):
        value = DEEP[band] + (SHALLOW[band] - DEEP[band]) * shallow + light
        sea[..., band] = np.clip(value, 0, 255)
    return sea


def draw_foam(scene: Pixels, land: npt.NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Draw broken surf along the natural shore."""
    edge = cv2.distanceTransform((~land).astype(np.uint8), cv2.DIST_L2, 3)
    broken = tiled(spectral(rng, 512, 12, 0.8), HEIGHT_PX, WIDTH_PX)
    strength = np.clip(1 - edge / 5, 0, 1) * np.clip(0.5 + 0.6 * broken, 0, 1) * (edge > 0)
    rows = np.flatnonzero(strength.max(axis=1) > 0)
    if rows.size:
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        _blend(scene[part], 0.7 * strength[part].astype(np.float32))


def draw_wake(scene: Pixels, ship: Ship, rng: np.random.Generator) -> None:
    """Draw the V-shaped wake of a moving ship and the churned water astern."""
    fast = ship.kind in ("patrol", "fishing")
    reach_m = 340.0 + 2.2 * ship.length_m if fast else 3.2 * ship.length_m
    theta = np.radians(ship.heading_deg)
    forward = np.array([np.sin(theta), -np.cos(theta)])
    right = np.array([np.cos(theta), np.sin(theta)])
    middle = np.array([ship.east_m, ship.south_m])
    tail = middle - forward * (reach_m + ship.length_m / 2)
    bow = middle + forward * ship.length_m
    low = np.floor((np.minimum(tail, bow) - reach_m * 0.3) / GSD_M).astype(int)
    high = np.ceil((np.maximum(tail, bow) + reach_m * 0.3) / GSD_M).astype(int)
    x0, y0 = np.maximum(low, 0)
    x1, y1 = np.minimum(high, [WIDTH_PX, HEIGHT_PX])

    yy, xx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    east, south = (xx + 0.5) * GSD_M - middle[0], (yy + 0.5) * GSD_M - middle[1]
    along = east * forward[0] + south * forward[1]
    across = np.abs(east * right[0] + south * right[1])
    astern = -along - ship.length_m / 2
    abaft_bow = ship.length_m * 0.46 - along

    churn_width = ship.width_m * 0.34 + np.maximum(astern, 0) * 0.018
    churn = np.exp(-((across / churn_width) ** 2)) * np.exp(-np.maximum(astern, 0) / (reach_m / 3))
    churn = churn * (astern > -ship.length_m * 0.04)

    slope = np.tan(np.radians(9.0 if fast else 12.0))
    arm_at = ship.width_m * 0.3 + np.maximum(abaft_bow, 0) * slope
    arm_width = 1.6 + np.maximum(abaft_bow, 0) * 0.014
    arms = np.exp(-(((across - arm_at) / arm_width) ** 2)) * (abaft_bow > 0)
    arms = arms * np.exp(-np.maximum(abaft_bow, 0) / (reach_m / 3.2))

    size = 512
    noise = tiled(spectral(rng, size, 7, 0.8), int(y1 - y0), int(x1 - x0))
    rough = np.clip(0.72 + 0.3 * noise, 0.1, 1.3)
    strength = ((0.8 if fast else 0.45) * churn + (0.55 if fast else 0.32) * arms) * rough
    _blend(scene[y0:y1, x0:x1], np.clip(strength, 0, 0.92).astype(np.float32))


def _blend(part: Pixels, strength: npt.NDArray[np.float32]) -> None:
    mixed = part + (FOAM - part) * strength[..., None]
    part[:] = np.clip(mixed, 0, 255).astype(np.uint8)
