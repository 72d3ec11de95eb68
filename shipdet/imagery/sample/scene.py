"""The whole harbour at the reference zoom: drawn once, then read from the disk."""

import hashlib
import logging
import os
import tempfile
import threading
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from shipdet.imagery.sample.land import built_land, draw_land, natural_land
from shipdet.imagery.sample.layout import HEIGHT_PX, WIDTH_PX, truth
from shipdet.imagery.sample.sea import draw_foam, draw_sea, draw_wake
from shipdet.imagery.sample.ships import draw_ship

SEED = 20240607
SHAPE = (HEIGHT_PX, WIDTH_PX, 3)

Pixels = npt.NDArray[np.uint8]

log = logging.getLogger(__name__)
_drawing = threading.Lock()


def render() -> Pixels:
    """Draw the scene, uint8 RGB, the same on every machine up to rounding."""
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


def load(cache_dir: Path) -> Pixels:
    """The scene from the cache folder, drawn first where it is not there yet.

    A folder that cannot be written costs the drawing time in each process, not the picture.
    """
    with _drawing:  # several tiles are asked at once: draw only once
        return _load(cache_dir / "sample" / f"harbour-{_version()}.npy")


@lru_cache(maxsize=2)
def _load(path: Path) -> Pixels:
    try:
        scene: Pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        if scene.shape == SHAPE and scene.dtype == np.uint8:
            return scene
    except (OSError, ValueError, EOFError):
        pass  # not there yet, or damaged: draw it anew
    scene = render()
    try:
        _save(scene, path)
    except OSError as error:
        log.warning("cannot keep the sample in the cache: %s", error.strerror)
    return scene


def _save(scene: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, scene)
        os.replace(name, path)  # another process never sees half a file
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@lru_cache(maxsize=1)
def _version() -> str:
    """Changes with the code that draws, so that a cached scene is never out of date."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _sensor(scene: Pixels, rng: np.random.Generator) -> Pixels:
    """What optics and sensor do: a little blur, then noise."""
    blurred = cv2.GaussianBlur(scene, (0, 0), 0.55)
    noise = rng.normal(0, 2.0, (512, 512, 3)).astype(np.float32)
    rows = [blurred[top : top + 512] for top in range(0, HEIGHT_PX, 512)]
    wide = np.tile(noise, (1, -(-WIDTH_PX // 512), 1))[:, :WIDTH_PX]
    return np.concatenate([np.clip(np.rint(part + wide), 0, 255).astype(np.uint8) for part in rows])
