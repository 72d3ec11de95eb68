"""Canvases as super-resolution shows them, made once: it is too slow to run while training.

    python -m training.sharpen --config training/configs/shipdet_pico.yaml --count 240 \
        --out runs/train/sharpened.npz

A stage draws from the file where its sources name "sharpened"; see `--sharpened` of train.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from shipdet.geometry import Grid
from shipdet.models import load_upscaler
from shipdet.models.runtime import Upscaler
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from shipdet.upscale import upscale
from training.canvas import Canvas, save
from training.canvases import CanvasMaker
from training.config import read_recipe
from training.scenes import UPSCALER
from training.windows import NET_GSD_M

FINEST_M = 1.5
"""Finer pictures gain nothing from super-resolution."""


def sharpened(canvas: Canvas, upscaler: Upscaler) -> Canvas:
    """The canvas as it looks when its imagery is enlarged by a network instead of bicubically."""
    side = canvas.picture.shape[0]
    small_px = round(side * NET_GSD_M / canvas.gsd_m)
    small = cv2.resize(canvas.picture, (small_px, small_px), interpolation=cv2.INTER_AREA)
    grid = Grid(small_px, small_px, canvas.gsd_m, canvas.gsd_m)
    covered = np.ones(small.shape[:2], np.bool_)
    large = finish(upscale(Mosaic(small, grid, covered, Provenance("image")), upscaler))
    picture = cv2.resize(large.pixels, (side, side), interpolation=cv2.INTER_AREA)
    return Canvas(picture, canvas.ships, canvas.gsd_m, canvas.unknown)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--stage", default="dense", help="whose canvases to sharpen")
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.config)
    stage = recipe.stages[arguments.stage]
    sources = [s for s in stage.sources if s.set != "sharpened"]
    stage = stage.model_copy(update={"sources": tuple(sources)})
    maker = CanvasMaker(stage, None, recipe.seed + 1)
    upscaler = load_upscaler(UPSCALER)
    made: list[Canvas] = []
    with tqdm(total=arguments.count) as bar:
        while len(made) < arguments.count:
            canvas = maker.canvas()
            if canvas.gsd_m >= FINEST_M:
                made.append(sharpened(canvas, upscaler))
                bar.update()
    save(made, arguments.out)


if __name__ == "__main__":
    main()
