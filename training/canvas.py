"""A finished canvas, and files of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.windows import Placed


@dataclass(frozen=True)
class Canvas:
    """What a sensor of `gsd_m` saw: a square picture at the network's scale, its ships, and where
    nothing is known."""

    picture: NDArray[np.uint8]
    ships: list[Placed]
    gsd_m: float
    unknown: NDArray[np.bool_] | None = None


def turned(canvas: Canvas, quarters: int, mirrored: bool) -> Canvas:
    """The canvas turned by quarters of a circle against the clock, after mirroring it."""
    picture, unknown, ships = canvas.picture, canvas.unknown, canvas.ships
    side = picture.shape[0]
    if mirrored:
        picture = picture[:, ::-1]
        unknown = None if unknown is None else unknown[:, ::-1]
        ships = [Placed(side - s.x, s.y, s.length, s.width, np.pi - s.angle) for s in ships]
    for _ in range(quarters % 4):
        ships = [Placed(s.y, side - s.x, s.length, s.width, s.angle - np.pi / 2) for s in ships]
    picture = np.ascontiguousarray(np.rot90(picture, quarters))
    if unknown is not None:
        unknown = np.ascontiguousarray(np.rot90(unknown, quarters))
    return Canvas(picture, ships, canvas.gsd_m, unknown)


def save(canvases: list[Canvas], path: Path) -> None:
    """Write canvases of one size to an .npz file."""
    side = canvases[0].picture.shape[0]
    known = np.zeros((side, side), np.bool_)
    ships = [list(asdict(s).values()) for c in canvases for s in c.ships]
    np.savez(
        path,
        pictures=np.stack([c.picture for c in canvases]),
        unknown=np.packbits([known if c.unknown is None else c.unknown for c in canvases], axis=2),
        gsd_m=np.array([c.gsd_m for c in canvases]),
        ships=np.array(ships, np.float64).reshape(-1, 5),
        ends=np.cumsum([len(c.ships) for c in canvases]),
    )


def load(path: Path) -> list[Canvas]:
    """What `save` wrote."""
    with np.load(path) as stored:
        pictures, ends = stored["pictures"], stored["ends"]
        side = pictures.shape[2]
        unknown: NDArray = np.unpackbits(stored["unknown"], axis=2, count=side).astype(np.bool_)
        groups = np.split(stored["ships"], ends[:-1])
        scales = stored["gsd_m"].tolist()
    return [
        Canvas(picture, [Placed(*row) for row in group.tolist()], gsd, mask)
        for picture, group, gsd, mask in zip(pictures, groups, scales, unknown, strict=True)
    ]
