"""Values of more than 8 bits look as the same image does in 8 bits."""

from functools import cache

import numpy as np
import pytest

from shipdet.errors import BadOption
from shipdet.imagery import open_raster
from tests.helpers.painted import paint_ship, sea

GSD_M = 4.5


@cache
def drawn(kind):
    """A sea of 400x320 pixels with five ships, or what its name says."""
    water = sea(400, 320, seed=4)
    if kind == "sea alone":
        return water
    for k in range(5):
        paint_ship(water, GSD_M, (250 + 310 * k, 300 + 220 * k), 150 + 20 * k, 28, 35 * k)
    if kind == "haze":
        return np.clip(water * 0.6 + 95, 0, 255).astype(np.uint8)
    if kind == "dark":
        return (water * 0.4).astype(np.uint8)
    noise = np.random.default_rng(7).normal(0, 1, (320, 400, 1))
    if kind == "land":
        water[:, 253:] = np.clip(130 + 30 * noise[:, 253:] + [0, 5, -10], 0, 255)
    if kind == "cloud":
        water[:80] = np.clip(243 + 8 * noise[:80], 0, 255)
    return water


def scene(kind):
    return drawn(kind).copy()


SCENES = ("sea alone", "ships", "haze", "dark", "land", "cloud")


def pixels_of(values, **options):
    return open_raster(values, GSD_M, **options).pixels.astype(int)


def dithered(pixels, seed=2):
    """Real numbers that round to the pixels: the values that a sensor of more bits has."""
    noise = np.random.default_rng(seed).uniform(-0.49, 0.49, pixels.shape)
    return np.clip(pixels + noise, 0, 255)


EIGHT_BITS_IN_MORE = [
    pytest.param(lambda p: p.astype(np.uint16) * 257, id="uint16, all of it"),
    pytest.param(lambda p: p.astype(np.uint16) * 16, id="12 bits in 16"),
    pytest.param(lambda p: p.astype(np.uint16) * 37, id="uint16, some of it"),
    pytest.param(lambda p: p.astype(np.uint16), id="uint16, no more than 255"),
    pytest.param(lambda p: p.astype(np.int16) * 100, id="int16"),
    pytest.param(lambda p: (p.astype(np.int16) - 128) * 250, id="int16, both signs"),
    pytest.param(lambda p: p.astype(np.uint32) * 4321, id="uint32"),
    pytest.param(lambda p: p.astype(np.int32) * 99_999, id="int32"),
    pytest.param(lambda p: p.astype(np.float32) / 255, id="float32 from 0 to 1"),
    pytest.param(lambda p: p / 255 * 0.4, id="float64"),
]


@pytest.mark.parametrize("wider", EIGHT_BITS_IN_MORE)
@pytest.mark.parametrize("kind", SCENES)
def test_8_bits_in_a_wider_type_come_back_as_they_were(kind, wider):
    pixels = scene(kind)
    assert np.abs(pixels_of(wider(pixels)) - pixels).max() <= 1


SENSOR = [
    pytest.param(lambda p: (p * 257).astype(np.uint16), id="uint16"),
    pytest.param(lambda p: (p * 12).astype(np.uint16), id="12 bits in 16"),
    pytest.param(lambda p: (p * 120).astype(np.int16), id="int16"),
    pytest.param(lambda p: (p * 1e7).astype(np.uint32), id="uint32"),
    pytest.param(lambda p: (p / 255 * 0.35).astype(np.float32), id="float32"),
    pytest.param(lambda p: p * 1e-9, id="float64"),
]


@pytest.mark.parametrize("sensor", SENSOR)
@pytest.mark.parametrize("kind", ["land", "cloud"])
def test_a_full_range_of_sensor_values_gives_the_8_bit_pixels(kind, sensor):
    pixels = scene(kind)
    assert np.abs(pixels_of(sensor(dithered(pixels))) - pixels).max() <= 20


@pytest.mark.parametrize("sensor", SENSOR)
@pytest.mark.parametrize("kind", SCENES)
def test_ships_stay_brighter_than_water_and_water_stays_calm(kind, sensor):
    pixels = scene(kind)
    gray, plain = pixels_of(sensor(dithered(pixels))).mean(axis=-1), pixels.mean(axis=-1)
    water = plain <= np.percentile(plain, 50)
    noise = np.abs(np.diff(gray, axis=1))[water[:, 1:]].mean()
    # A dark image may be brightened; what a sea has of noise stays within what imagery has.
    assert noise < max(8, 1.2 * np.abs(np.diff(plain, axis=1))[water[:, 1:]].mean())
    assert np.median(gray[water]) < max(90, np.median(plain[water]) + 10)
    # Brightness is kept in order, and of ships that differ nothing is clipped.
    assert np.corrcoef(gray.ravel(), plain.ravel())[0, 1] > 0.98
    ships = plain > np.median(plain) + 0.6 * (plain.max() - np.median(plain))
    if kind != "sea alone":
        assert gray[ships].std() > 0.5 * plain[ships].std()
        contrast = np.median(gray[ships]) - np.median(gray[water])
        assert contrast > 0.9 * (np.median(plain[ships]) - np.median(plain[water]))


@pytest.mark.parametrize(
    "sensor",
    [
        pytest.param(lambda p: (p * 257).astype(np.uint16), id="uint16"),
        pytest.param(lambda p: (p * 16).astype(np.uint16), id="12 bits in 16"),
        pytest.param(lambda p: ((p - 128) * 256).astype(np.int16), id="int16, both signs"),
    ],
)
def test_a_hazy_scene_that_fills_its_bits_keeps_its_levels(sensor):
    pixels = scene("haze")
    pixels[:20, :20] = 250
    assert np.abs(pixels_of(sensor(dithered(pixels))) - pixels).max() <= 6


@pytest.mark.parametrize("offset", [300, 2000, 30_000])
def test_an_offset_leaves_the_contrast_of_ships(offset):
    pixels = scene("ships")
    gray = pixels_of((dithered(pixels) * 12 + offset).astype(np.uint16)).mean(axis=-1)
    plain = pixels.mean(axis=-1)
    ships = plain > 150
    contrast = np.median(gray[ships]) - np.median(gray[~ships])
    assert contrast > 0.4 * (np.median(plain[ships]) - np.median(plain[~ships]))
    assert np.median(gray[~ships]) < 110


def test_not_a_number_is_no_data_and_does_not_change_the_rest():
    values = (dithered(scene("land")) / 255).astype(np.float32)
    plain = open_raster(values, GSD_M)
    values[:40, :50] = np.nan
    values[100, 100] = np.inf
    holed = open_raster(values, GSD_M)
    assert not holed.coverage[:40, :50].any() and not holed.coverage[100, 100]
    assert holed.coverage.sum() == plain.coverage.sum() - 2001
    difference = np.abs(holed.pixels.astype(int) - plain.pixels)[holed.coverage]
    assert difference.max() <= 2


def test_a_few_hot_pixels_do_not_darken_the_image():
    pixels = scene("land")
    values = (dithered(pixels) * 12).astype(np.uint16)
    values[[3, 200, 310], [9, 355, 44]] = 65_535
    difference = np.abs(pixels_of(values) - pixels)
    assert np.sort(difference.max(axis=-1).ravel())[-10] <= 20


@pytest.mark.parametrize("stray", [65_535, 30_000])
@pytest.mark.parametrize(
    "place", [np.s_[-9:, -9:], np.s_[200:204, 300:303], np.s_[100:108, 40:60, 2]]
)
def test_few_pixels_apart_do_not_darken_the_image(stray, place):
    pixels = scene("land")
    values = (dithered(pixels) * 12).astype(np.uint16)
    values[place] = stray
    difference = np.abs(pixels_of(values) - pixels).max(axis=-1)
    difference[place[:2]] = 0
    assert difference.max() <= 20


@pytest.mark.parametrize("share", [0.002, 0.02])
@pytest.mark.parametrize("wrong", [65_535, 0])
def test_scattered_wrong_pixels_do_not_move_the_levels(wrong, share):
    values = (dithered(scene("land")) * 12 + 3000).astype(np.uint16)
    plain = pixels_of(values)
    stray = np.random.default_rng(3).random(values.shape[:2]) < 0.9 * share
    values[stray] = wrong
    assert np.abs(pixels_of(values) - plain)[~stray].max() <= 20


@pytest.mark.parametrize("wrong", [-1.0, -9.0, 40.0])
def test_a_hole_of_a_wrong_value_does_not_move_the_levels(wrong):
    values = (dithered(scene("land")) / 255).astype(np.float32)
    plain = pixels_of(values)
    values[200:220, 150:175] = wrong
    difference = np.abs(pixels_of(values) - plain)
    difference[200:220, 150:175] = 0
    assert difference.max() <= 20


@pytest.mark.parametrize("times", [4, 8, 16])
def test_clouds_do_not_hide_the_ships_below_them(times):
    pixels = scene("ships")
    values = dithered(pixels) * 12
    edge = np.clip((100 - np.arange(320)) / 40, 0, 1)[:, None, None]  # a soft one
    cloud = 12 * times * np.random.default_rng(6).normal(240, 10, (320, 400, 1))
    values += edge * (cloud - values)
    seen = pixels_of(np.clip(values, 0, 65_535).astype(np.uint16)).mean(axis=-1)
    plain = pixels.mean(axis=-1)
    ships, water = plain > 150, plain < 100
    ships[:107] = water[:107] = False
    contrast = np.median(seen[ships]) - np.median(seen[water])
    assert contrast > 0.5 * (np.median(plain[ships]) - np.median(plain[water]))
    assert seen[:40].min() > np.percentile(seen[ships], 95)


@pytest.mark.parametrize("times", [3, 6])
def test_clouds_over_most_of_an_image_do_not_hide_the_ships(times):
    pixels = scene("ships")
    cloud = np.random.default_rng(6).normal(200, 20, (667, 400, 1)) * [1, 1, 1]
    values = np.concatenate([12 * times * cloud, 12 * dithered(pixels)])
    seen = pixels_of(np.clip(values, 0, 65_535).astype(np.uint16)).mean(axis=-1)[667:]
    plain = pixels.mean(axis=-1)
    contrast = np.median(seen[plain > 150]) - np.median(seen[plain < 100])
    assert contrast > 0.5 * (np.median(plain[plain > 150]) - np.median(plain[plain < 100]))


def test_what_is_far_brighter_than_the_sea_is_compressed():
    pixels = scene("ships").astype(np.float64)
    values = pixels * 6
    values[:67] = 60_000 + 20 * pixels[:67]  # clouds
    seen = pixels_of(values.astype(np.uint16)).mean(axis=-1)
    ships = pixels.mean(axis=-1) > 150
    ships[:67] = False
    assert np.median(seen[ships]) - np.median(seen[67:]) > 15
    assert np.median(seen[:67]) > np.median(seen[ships])


@pytest.mark.parametrize(
    ("stretch", "ends"),
    [("percentile", "from 20 to 980"), ("minmax", "from 0 to 1000"), ("none", "from 0 to 255")],
)
def test_the_user_may_choose_the_stretch(stretch, ends):
    values = np.tile(np.linspace(0, 1000, 1001), (20, 1)).astype(np.float32)
    picture = open_raster(values, GSD_M, stretch=stretch)
    assert ends in picture.provenance.notes[-1]
    assert (picture.pixels.min(), picture.pixels.max()) == (0, 255)


def test_8_bits_stay_as_they_are_unless_a_stretch_is_chosen():
    pixels = scene("dark")
    assert np.array_equal(pixels_of(pixels), pixels)
    assert np.array_equal(pixels_of(pixels, stretch="none"), pixels)
    assert pixels_of(pixels, stretch="minmax").max() == 255


def test_an_unknown_stretch_is_refused_with_the_list():
    with pytest.raises(BadOption, match="not one of auto, percentile, minmax, none"):
        pixels_of(scene("dark"), stretch="gamma")
