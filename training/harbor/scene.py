"""Render the whole harbor at the reference zoom, including the effects of optics and sensor."""

import cv2
import numpy as np
import numpy.typing as npt

from training.harbor.harbor_layout import HEIGHT_PX, WIDTH_PX, truth
from training.harbor.land import built_land, draw_land, natural_land
from training.harbor.sea import draw_foam, draw_sea, draw_wake
from training.harbor.ships import draw_ship

SEED = 20240607

Pixels = npt.NDArray[np.uint8]


def render() -> Pixels:
    """Draw the scene as uint8 (height, width, 3) RGB, reproducible up to rounding."""
    rng = np.random.default_rng(SEED)
    natural, built = natural_land(), built_land()
    scene = draw_sea(natural | built, rng)
    draw_foam(scene, natural, rng)
    draw_land(scene, natural, built, rng)
    ships = truth()
    for ship in ships:
        if ship.state == "moving":
            draw_wake(scene, ship, rng)
    for ship in ships:
        draw_ship(scene, ship, rng)
    return _sensor(scene, rng)


def _sensor(scene: Pixels, rng: np.random.Generator) -> Pixels:
    """Simulate optics and sensor: slight blur, then noise."""
    blurred = cv2.GaussianBlur(scene, (0, 0), 0.55)
    noise = rng.normal(0, 2.0, (512, 512, 3)).astype(np.float32)
    rows = [blurred[top : top + 512] for top in range(0, HEIGHT_PX, 512)]
    wide = np.tile(noise, (1, -(-WIDTH_PX // 512), 1))[:, :WIDTH_PX]
    return np.concatenate([np.clip(np.rint(part + wide), 0, 255).astype(np.uint8) for part in rows])
