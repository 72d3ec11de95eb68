"""Canvases put together from real textures and cut-out ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from training.cutouts import Cutout
from training.synthetic import (
    draw_cloud,
    draw_cranes,
    draw_jetty,
    draw_mole,
    draw_rocks,
    draw_sea,
    draw_sheds,
    draw_ship,
    draw_wake,
    draw_yard,
    land_mask,
)
from training.windows import NET_GSD_M, Placed

Picture = NDArray[np.uint8]
SLENDER = 4.6
"""Length over width from which a hull is a merchant ship's..."""
SLENDER_SHARE = 0.35
"""...and how many of the cut-out ships are such: in the pictures that they come from, one in
eight is, and large ships were what the classifier missed."""


@dataclass(frozen=True)
class Palette:
    """What canvases are made of: ships, ship-free water pictures, ship-free land pictures."""

    ships: list[Cutout]
    waters: list[Picture]
    lands: list[Picture]

    @cached_property
    def slender(self) -> list[Cutout]:
        """The ships whose hulls are a merchant ship's."""
        return [ship for ship in self.ships if ship.length / ship.width >= SLENDER]

    def ship(self, rng: np.random.Generator) -> Cutout:
        """A cut-out ship, or, one time in five and where there are none, a drawn one."""
        if not self.ships or rng.random() < 0.2:
            return draw_ship(rng)
        slender = self.slender and rng.random() < SLENDER_SHARE
        kept = self.slender if slender else self.ships
        return kept[rng.integers(len(kept))]


def random_length_m(aspect: float, rng: np.random.Generator) -> float:
    """A plausible length for a hull of this length-to-width ratio, log-uniform.

    Beamy hulls are boats of 12 to 80 m; slender ones are merchant ships of up to 400 m, of which
    the largest are drawn more often than they sail: few cutouts have the pixels for them.
    """
    low, high = (12, 80) if aspect < 3.4 else (15, 200) if aspect < SLENDER else (40, 330)
    if aspect >= SLENDER and rng.random() < 0.5:
        low, high = 150, 400
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def texture(source: Picture, size_px: int, scale: float, rng: np.random.Generator) -> Picture:
    """A turned piece of `source`, enlarged by `scale`, mirrored where it ends."""
    height, width = source.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(0, 360), scale)
    spare = np.maximum(0, np.array([width, height]) * scale - size_px)
    matrix[:, 2] += size_px / 2 - np.array([width, height]) / 2
    matrix[:, 2] += rng.uniform(-0.5, 0.5, 2) * spare
    return cv2.warpAffine(
        source, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def land(palette: Palette, size_px: int, rng: np.random.Generator) -> Picture:
    """Ground without ships; AID's scenes stand for 1.5 to 4.5 m per pixel."""
    source = palette.lands[rng.integers(len(palette.lands))]
    scale = rng.uniform(1.4, 4.2)
    return texture(source, size_px, float(scale), rng)


def paste(picture: Picture, cutout: Cutout, ship: Placed, rng: np.random.Generator) -> None:
    """Blend a cutout onto `picture` at the place, size and heading of `ship`."""
    scale = ship.length / cutout.length
    pixels, alpha = cutout.pixels, cutout.alpha
    centre = np.array(cutout.centre)
    if scale < 0.5:  # reduce first, so that the warp does not skip pixels
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        centre, scale = centre * scale, 1.0
    turn = np.rad2deg(ship.angle - cutout.angle)
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), -turn, scale)
    reach = int(np.hypot(ship.length, ship.width) / 2) + 6
    left, top = int(ship.x) - reach, int(ship.y) - reach
    matrix[:, 2] += np.array([ship.x - left, ship.y - top]) - centre
    size = (2 * reach, 2 * reach)
    hull = cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    cover = cv2.warpAffine(alpha, matrix, size)[..., None]
    hull = hull * rng.uniform(0.7, 1.25) * rng.uniform(0.88, 1.12, 3) + rng.uniform(-15, 20)
    y0, y1 = max(0, top), min(picture.shape[0], top + 2 * reach)
    x0, x1 = max(0, left), min(picture.shape[1], left + 2 * reach)
    if y0 >= y1 or x0 >= x1:
        return
    inner = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    under = picture[y0:y1, x0:x1]
    blend = under * (1 - cover[inner]) + hull[inner] * cover[inner]
    picture[y0:y1, x0:x1] = np.clip(blend, 0, 255).astype(np.uint8)


def background(
    palette: Palette, size_px: int, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.float32] | None]:
    """Water, and the soft mask of the land on it (None: open water)."""
    if rng.random() < 0.45 or not palette.waters:
        water = draw_sea(size_px, rng)
    else:
        source = palette.waters[rng.integers(len(palette.waters))]
        water = texture(source, size_px, float(np.exp(rng.uniform(-1.2, 0.6))), rng)
    if rng.random() < 0.15:
        draw_rocks(water, rng)
    if rng.random() < 0.12:
        draw_jetty(water, rng)
    if rng.random() < 0.22:
        draw_mole(water, rng)
    if rng.random() < 0.5 or not palette.lands:
        return water, None
    mask = land_mask(size_px, rng)
    ground = land(palette, size_px, rng).astype(np.float32)
    if rng.random() < 0.4:  # bare quays, sand and stone
        ground = 0.3 * ground + 0.7 * rng.uniform((90, 85, 75), (210, 200, 185))
    if rng.random() < 0.3:
        draw_yard(ground, rng)
    if rng.random() < 0.25:
        draw_sheds(ground, rng)
    cover = mask[..., None]
    mixed = (water * (1 - cover) + ground * cover).astype(np.uint8)
    return mixed, mask


def compose(
    palette: Palette, size_px: int, gsd_m: float, rng: np.random.Generator
) -> tuple[Picture, list[Placed]]:
    """A canvas at the network's scale with ships on its water, not yet photographed by a sensor.

    Args:
        gsd_m: resolution it will be seen at; ships too short for it are rarely drawn.
    """
    picture, mask = background(palette, size_px, rng)
    picture = np.ascontiguousarray(picture)
    wanted = int(rng.choice(7, p=[0.14, 0.2, 0.22, 0.18, 0.12, 0.08, 0.06]))
    ships = add_ships(picture, mask, wanted, palette, gsd_m, rng)
    if mask is not None and rng.random() < 0.25:  # over the ships, as they stand
        draw_cranes(picture, mask, rng)
    if not ships and rng.random() < 0.2:
        x, y = rng.uniform(0, size_px, 2)
        draw_wake(picture, x, y, rng.uniform(0, 6.3), rng.uniform(60, 400), rng.uniform(2, 8), rng)
    if rng.random() < 0.08:
        draw_cloud(picture, rng)
    return picture, ships


def add_ships(
    picture: Picture,
    mask: NDArray[np.float32] | None,
    wanted: int,
    palette: Palette,
    gsd_m: float,
    rng: np.random.Generator,
    there: Sequence[Placed] = (),
) -> list[Placed]:
    """Put up to `wanted` ships on the water of a canvas, at sea, rafted or alongside the shore.

    Args:
        picture: is changed.
        mask: soft mask of the land; None where there is none.
        gsd_m: resolution it will be seen at; ships too short for it are rarely drawn.
        there: ships that are on the canvas already.
    """
    size_px = picture.shape[0]
    ships: list[Placed] = []
    for _ in range(4 * wanted):
        if len(ships) >= wanted:
            break
        cutout = palette.ship(rng)
        length = random_length_m(cutout.length / cutout.width, rng) / NET_GSD_M
        if length > 2.2 * cutout.length * max(1.0, gsd_m / NET_GSD_M):
            continue  # the cutout has too few pixels to be this large
        if length * NET_GSD_M < 9 * gsd_m and rng.random() < 0.7:
            continue
        width = length * cutout.width / cutout.length
        x, y = rng.uniform(-40, size_px + 40, 2)
        angle = rng.uniform(0, 2 * np.pi)
        if (ships or there) and rng.random() < 0.2:  # rafted to the last one
            last = (ships or there)[-1]
            gap = (last.width + width) / 2 * rng.uniform(1.05, 1.8)
            x, y = last.x - gap * np.sin(last.angle), last.y + gap * np.cos(last.angle)
            angle = last.angle + rng.choice([0, np.pi])
        elif mask is not None and rng.random() < 0.55:
            x, y, angle = moored(mask, width, rng)
        ship = Placed(float(x), float(y), length, width, float(angle))
        if mask is not None and ashore(ship, mask) > 0.12:
            continue
        if any(overlapping(ship, other) for other in (*ships, *there)):
            continue
        if length < 140 and rng.random() < 0.3:
            reach = length * float(rng.uniform(1, 8))
            draw_wake(picture, ship.x, ship.y, ship.angle, reach, width * 0.7, rng)
        paste(picture, cutout, ship, rng)
        ships.append(ship)
    return ships


def moored(
    mask: NDArray[np.float32], width: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Centre and heading of a ship alongside the shore of a soft land mask, else anywhere."""
    size = mask.shape[0]
    rows, columns = np.nonzero((mask > 0.35) & (mask < 0.65))
    if not len(rows):
        return *rng.uniform(0, size, 2).tolist(), float(rng.uniform(0, 2 * np.pi))
    index = rng.integers(len(rows))
    x, y = float(columns[index]), float(rows[index])
    reach = 6
    near = mask[
        max(0, int(y) - reach) : int(y) + reach + 1, max(0, int(x) - reach) : int(x) + reach + 1
    ]
    down, right = np.gradient(near)
    inland = np.array([right.mean(), down.mean()])
    inland /= max(float(np.linalg.norm(inland)), 1e-6)
    off = width / 2 + float(rng.uniform(0.3, 2.5))
    angle = np.arctan2(inland[0], -inland[1]) + (np.pi if rng.random() < 0.5 else 0.0)
    return x - inland[0] * off, y - inland[1] * off, float(angle)


def ashore(ship: Placed, mask: NDArray[np.float32]) -> float:
    """Part of the ship's box that lies on land (looked up at a few points)."""
    grid = np.array([(a, b) for a in np.linspace(-0.5, 0.5, 7) for b in (-0.5, 0, 0.5)])
    along = np.array([np.cos(ship.angle), np.sin(ship.angle)]) * ship.length
    across = np.array([-np.sin(ship.angle), np.cos(ship.angle)]) * ship.width
    points = np.array([ship.x, ship.y]) + grid[:, :1] * along + grid[:, 1:] * across
    inside = np.clip(points, 0, mask.shape[0] - 1).astype(int)
    return float(mask[inside[:, 1], inside[:, 0]].mean())


def overlapping(one: Placed, two: Placed) -> bool:
    """Whether two rotated boxes cover each other by more than a tenth of the smaller."""
    first = one.corners().astype(np.float32)
    second = two.corners().astype(np.float32)
    area, _ = cv2.intersectConvexConvex(first, second[::-1].copy())
    return area > 0.1 * min(one.length * one.width, two.length * two.width)
