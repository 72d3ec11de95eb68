"""Whatever a GeoTIFF is written as, it gives the picture and the ships that were put into it."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from shipdet.detect import detect
from shipdet.geometry import distance_m
from shipdet.imagery import open_raster, sample
from shipdet.models import load_classifier
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from shipdet.settings import Settings
from tests.helpers.painted import paint_ship, sea
from tests.helpers.written_images import ways_to_write, write_scene

SCENE = np.clip(sea(96, 80, seed=3), 2, 255)
paint_ship(SCENE, 3.0, (150, 120), 120, 30, 40)
SCENE[60:, 70:] = np.random.default_rng(1).normal(130, 25, (20, 26, 3)).clip(2, 255)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(ways_to_write())
def test_every_way_to_write_an_image_gives_the_same_picture(kind):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        covered, middle = write_scene(path, SCENE, kind)
        picture = open_raster(path)
        pixels, coverage = picture.read(0, 0, 96, 80)
    assert np.array_equal(coverage, covered)
    difference = np.abs(pixels.astype(int) - SCENE)[covered]
    assert difference.max() <= 1
    assert not pixels[~covered].any()
    grid = picture.grid
    assert distance_m(grid.lonlat([(48, 40)])[0], middle) < 0.01
    assert np.abs(grid.lonlat([(0, 0), (96, 80)])[:, 0]).max() <= 180
    # A pixel is as long on the ground as its corners are apart.
    left, right = grid.lonlat([(40, 40), (56, 40)])
    assert abs(float(distance_m(left, right)) / 16 / grid.gsd_x_m - 1) < 0.01


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return load_classifier(
        None, "torch", "cpu", Settings(cache_dir=tmp_path_factory.mktemp("cache"))
    )


def harbor() -> np.ndarray:
    with Image.open(io.BytesIO(sample.tile(16, 32644, 32753) or b"")) as tile:
        around_its_ships = tile.convert("RGB").crop((72, 76, 232, 236))
        return np.clip(np.asarray(around_its_ships), 2, 255)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=ways_to_write())
def test_every_way_to_write_an_image_gives_the_same_ships(classifier, kind):
    scene = harbor()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        covered, _ = write_scene(path, scene, {**kind, "size": 2.4})
        picture = open_raster(path)
        found = finish(detect(picture, classifier)).detections.items
    plain = Mosaic(scene * covered[..., None], picture.grid, covered, Provenance("image"))
    expected = finish(detect(plain, classifier)).detections.items
    assert any(ship.score > 0.5 for ship in expected)
    for ships, others in ((expected, found), (found, expected)):
        for ship in (ship for ship in ships if ship.score > 0.3):
            again = min(others, key=lambda o: np.hypot(o.x - ship.x, o.y - ship.y))
            assert np.hypot(again.x - ship.x, again.y - ship.y) < 6
            assert abs(again.length_m / ship.length_m - 1) < 0.1
            assert abs(again.score - ship.score) < 0.1
