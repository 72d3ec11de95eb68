"""Fill that no tag declares is no data; flat water with ships is data."""

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from shipdet.imagery import open_raster
from tests.helpers.painted import paint_ship, sea


@pytest.fixture(scope="module")
def water():
    pixels = np.clip(sea(240, 200, seed=5), 1, 254)
    paint_ship(pixels, 3.0, (300, 300), 180, 40, 30)
    return pixels


def framed(values, fill, top=60, left=80, bottom=30, right=50):
    """An image inside a collar of one value."""
    height, width = values.shape[:2]
    shape = (top + height + bottom, left + width + right, values.shape[2])
    big = np.full(shape, fill, values.dtype)
    big[top : top + height, left : left + width] = values
    return big


def covered_part(picture):
    ys, xs = np.nonzero(picture.coverage)
    return int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1


@pytest.mark.parametrize(
    ("values", "fill"),
    [
        pytest.param(lambda p: p, 0, id="black, 8 bits"),
        pytest.param(lambda p: p, 255, id="white, 8 bits"),
        pytest.param(lambda p: p, 77, id="gray, 8 bits"),
        pytest.param(lambda p: p.astype(np.uint16) * 12 + 300, 0, id="black, 16 bits"),
        pytest.param(lambda p: p.astype(np.uint16) * 12 + 300, 65_535, id="65535"),
        pytest.param(lambda p: p.astype(np.int16) * 12, -32_768, id="-32768"),
        pytest.param(lambda p: p.astype(np.float32) / 255, -9999, id="-9999"),
        pytest.param(lambda p: p.astype(np.float32) / 255, 3.4028235e38, id="largest float32"),
    ],
)
def test_a_collar_of_one_value_is_no_data_and_noted(water, values, fill):
    plain = open_raster(values(water), 3.0)
    picture = open_raster(framed(values(water), fill), 3.0)
    assert covered_part(picture) == (60, 80, 260, 320)
    assert picture.coverage.sum() == water.shape[0] * water.shape[1]
    note = picture.provenance.notes[0]
    assert f"value {fill:g} " in note and "treated as no data" in note and "55 %" in note
    seen = picture.pixels[60:260, 80:320].astype(int)
    assert np.abs(seen - plain.pixels).max() <= 8
    assert not picture.pixels[~picture.coverage].any()


def test_saturated_ships_in_a_white_collar_are_data(water):
    values = water.astype(np.uint16) * 12 + 300
    values[100:104, 90:110] = 65_535  # in all bands
    values[140:144, 90:110, 1] = 65_535  # in one
    picture = open_raster(framed(values, 65_535), 3.0)
    assert covered_part(picture) == (60, 80, 260, 320)
    assert picture.coverage.sum() == water.shape[0] * water.shape[1]


def test_smooth_water_is_no_fill():
    yy, xx = np.mgrid[:300, :400]
    swell = 40 + 3 * np.sin(xx / 60) + 3 * np.cos(yy / 45)
    image = np.repeat(np.rint(swell)[..., None], 3, axis=-1).astype(np.uint8)
    paint_ship(image, 3.0, (600, 500), 150, 30, 40)
    assert open_raster(image, 3.0).coverage.all()


def test_a_collar_that_jpeg_has_blurred_is_no_data(water):
    coded = cv2.imdecode(cv2.imencode(".jpg", framed(water, 0))[1], cv2.IMREAD_COLOR)
    picture = open_raster(coded, 3.0)
    assert "treated as no data" in picture.provenance.notes[0]
    assert not picture.coverage[:40].any() and picture.coverage[70:250, 90:310].all()


@pytest.mark.parametrize("seed", [4, 6, 8])
def test_water_of_a_coarse_jpeg_is_no_fill(seed):
    quality = [cv2.IMWRITE_JPEG_QUALITY, 40]
    data = cv2.imencode(".jpg", sea(240, 100, seed) + 20, quality)[1]
    picture = open_raster(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), 3.0)
    assert picture.coverage.all() and picture.provenance.notes == ()


@pytest.mark.parametrize(
    ("values", "fill"),
    [
        pytest.param(lambda p: p.astype(np.float32) / 255, -10, id="-10"),
        pytest.param(lambda p: p.astype(np.float64) / 255, -1, id="-1"),
        pytest.param(lambda p: p.astype(np.int16) * 12, -5000, id="-5000"),
        pytest.param(lambda p: p.astype(np.uint16) * 12 + 30_000, 0, id="0"),
    ],
)
@pytest.mark.parametrize("hole", [np.s_[80:110, 90:130], np.s_[::40, ::20]])
def test_a_hole_of_the_lowest_value_is_no_data_and_noted(water, values, fill, hole):
    plain = open_raster(values(water), 3.0)
    holed = values(water)
    holed[hole] = fill
    picture = open_raster(holed, 3.0)
    assert np.array_equal(picture.coverage, (holed != fill).all(axis=-1))
    assert f"value {fill:g} " in picture.provenance.notes[0]
    difference = np.abs(picture.pixels.astype(int) - plain.pixels)[picture.coverage]
    assert difference.max() <= 8


@pytest.mark.parametrize("share", [0.002, 0.3])
def test_two_values_are_a_drawing_and_not_fill(share):
    white = np.zeros((200, 300), np.uint8)
    white[: round(200 * share), :] = 255
    white[100:104, 100:130] = 255
    picture = open_raster(white, 3.0)
    assert picture.coverage.all()
    assert np.array_equal(picture.pixels[..., 0], white)


def test_a_strip_through_the_image_is_no_data(water):
    values = water.astype(np.float32) / 255 * 0.4
    plain = open_raster(values, 3.0)
    values[:, 150:180] = -9999
    picture = open_raster(values, 3.0)
    assert not picture.coverage[:, 150:180].any()
    assert picture.coverage.sum() == 200 * 210
    difference = np.abs(picture.pixels.astype(int) - plain.pixels)[picture.coverage]
    assert difference.max() <= 8


def test_a_turned_scene_in_a_black_square_is_the_data(water):
    y, x = np.mgrid[:200, :240]
    inside = (np.abs(x - 120) + np.abs(y - 100)) < 95
    picture = open_raster(np.where(inside[..., None], water, 0).astype(np.uint8), 3.0)
    assert np.array_equal(picture.coverage, inside)


@pytest.mark.parametrize("value", [0, 40, 255])
def test_ships_on_water_of_one_value_stay(value):
    flat = np.full((300, 400, 3), value, np.uint8)
    for at in ((200, 200), (600, 500), (900, 300)):
        paint_ship(flat, 3.0, at, 150, 30, 40, (120, 130, 140))
    picture = open_raster(flat, 3.0)
    assert picture.coverage.all() and picture.provenance.notes == ()
    assert np.array_equal(picture.pixels, flat)


def test_flat_land_beside_a_sea_is_kept_where_ships_lie_on_it(water):
    image = framed(water, 30, 0, 0, 0, 200)
    paint_ship(image, 3.0, (1000, 300), 150, 30, 40)
    assert open_raster(image, 3.0).coverage.all()


def test_a_noisy_image_has_no_fill(water):
    for values in (water, water[..., :1], np.repeat(water[..., :1] // 8 * 8, 3, axis=-1)):
        assert open_raster(values, 3.0).coverage.all()


def test_an_image_of_one_value_says_that_there_is_nothing():
    picture = open_raster(np.full((80, 90), 7, np.uint8), 3.0)
    assert "no ship can be found" in picture.provenance.notes[-1]


def test_an_image_with_hardly_any_data_says_so(water):
    values = np.full((1000, 1000), np.nan, np.float32)
    values[:20, :30] = 0.3 + 0.1 * water[:20, :30, 0] / 255
    picture = open_raster(values, 3.0)
    assert "Only 0.06 % of the image has data" in picture.provenance.notes[-1]


def test_a_large_file_has_the_same_coverage_as_a_held_one(water, tmp_path, settings_for):
    image = framed(water.astype(np.uint16) * 12 + 300, 0)
    path = tmp_path / "collar.tif"
    height, width, count = image.shape
    place = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_700_000, 3, 3)}
    profile = {"width": width, "height": height, "count": count, "dtype": "uint16", **place}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, **profile) as dataset:
        dataset.write(np.moveaxis(image, -1, 0))
    held = open_raster(path, None, settings_for())
    large = open_raster(path, None, settings_for(max_held_pixels=1000))
    pixels, covered = large.read(33, 44, width, height)
    assert held.provenance == large.provenance
    assert np.array_equal(pixels, held.pixels[44:, 33:])
    assert np.array_equal(covered, held.coverage[44:, 33:])
