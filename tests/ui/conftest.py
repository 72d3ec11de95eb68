"""The page with what it opens with, and a run on disk to show, without any model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from shipdet.detections import Detection, Detections
from shipdet.geometry import BBox, Grid, PixelBox, lonlat_to_pixel, rectangle
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from shipdet.report import Run, read_run, write_imagery, write_results
from shipdet.settings import Settings, get_settings
from shipdet.ui.forms import request_inputs
from shipdet.ui.layout import Page, lay_out
from tests.helpers.tiny_models import make_classifier, make_upscaler, weights  # noqa: F401


@pytest.fixture(scope="module", autouse=True)
def no_hub() -> Iterator[None]:
    """A new gradio_client asks the hub who is calling, wherever its server is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


HARBOR = BBox(4.00, 51.90, 4.01, 51.906)
SCORES = (0.95, 0.7, 0.4)


@pytest.fixture
def settings() -> Settings:
    return get_settings()


@pytest.fixture
def page(settings: Settings) -> Iterator[Page]:
    with gr.Blocks():
        yield lay_out(settings)


@pytest.fixture
def values(page: Page) -> dict[Any, Any]:
    """What the page's inputs hold when it opens."""
    return {component: component.value for component in request_inputs(page)}


@pytest.fixture
def a_run(settings: Settings) -> Run:
    """Three candidates, two of them above the threshold of 0.5."""
    return write_a_run(settings.runs_dir / "harbor-20260101-000000-abcdef")


def write_a_run(folder: Path) -> Run:
    folder.mkdir(parents=True)
    left, top = (int(v) for v in lonlat_to_pixel([HARBOR.west, HARBOR.north], 16))
    grid = Grid.from_tiles(PixelBox(left, top, left + 300, top + 200), 16)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (200, 300, 3), dtype=np.uint8)
    mosaic = Mosaic(pixels, grid, np.ones((200, 300), bool), Provenance("esri"))
    ships = []
    for number, score in enumerate(SCORES, start=1):
        corners = rectangle((80.0 * number, 100.0), 60.0, 12.0, 30.0)
        at = grid.lonlat([[80.0 * number, 100.0]])[0]
        ships.append(
            Detection(
                number, score, 80.0 * number, 100.0, corners, 88.0, 18.0, 30.0,
                float(at[0]), float(at[1]), grid.lonlat(corners), cut=number == 2,
            )
        )  # fmt: skip
    files = finish(write_imagery(folder, mosaic, None, "png", 90))
    record = {
        "files": files,
        "source": {"source": "esri", "title": "Esri World Imagery"},
        "raw": {"width": 300, "height": 200, "gsd_m": grid.gsd_m, "georeferenced": True},
        "timings": {"fetch": 1.0, "all": 12.0},
        "notes": ["A <note>."],
    }
    finish(write_results(folder, record, Detections(tuple(ships), 0.1), 0.5))
    return read_run(folder)
