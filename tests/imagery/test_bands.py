"""Which bands are red, green and blue: what the user says, then the file, then the order."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from shipdet.errors import BadImage, BadOption
from shipdet.imagery import open_raster
from tests.helpers.painted import sea

R, G, B, N = (np.random.default_rng(k).integers(1, 255, (30, 40), dtype=np.uint8) for k in range(4))
RGB = np.dstack([R, G, B])


@pytest.fixture
def geotiff(tmp_path):
    def write(bands, meanings=(), names=(), **options):
        path = tmp_path / "bands.tif"
        stack = np.stack(bands)
        count, height, width = stack.shape
        profile = {"driver": "GTiff", "width": width, "height": height, "count": count}
        place = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_700_000, 3, 3)}
        options = {"photometric": "MINISBLACK", **options}
        with rasterio.open(path, "w", dtype=stack.dtype, **profile, **place, **options) as dataset:
            dataset.write(stack)
            if meanings:
                dataset.colorinterp = [ColorInterp[name] for name in meanings]
            for index, name in enumerate(names, start=1):
                dataset.set_band_description(index, name)
        return path

    return write


def test_the_stated_colors_win_over_the_order(geotiff):
    picture = open_raster(geotiff([B, G, R, N], ["blue", "green", "red", "undefined"]))
    assert np.array_equal(picture.pixels, RGB)
    assert "Bands 3, 2, 1 of 4 are used as red, green and blue" in picture.provenance.notes[0]


@pytest.mark.parametrize(
    "names",
    [
        ["B02", "B03", "B04", "B08"],
        ["B2", "B3", "B4", "B8"],
        ["blue", "green", "red", "nir"],
        ["Blue", "Green", "Red", "Near Infrared"],
        ["Band 2", "Band 3", "Band 4", "Band 5"],
        ["SR_B2", "SR_B3", "SR_B4", "SR_B5"],
        ["B02_10m", "B03_10m", "B04_10m", "B08_10m"],
        [f"T31UFU_20240101T105441_{band}_10m" for band in ("B02", "B03", "B04", "B08")],
        [f"LC09_L2SP_199024_20240101_02_T1_SR_B{band}" for band in (2, 3, 4, 5)],
        ["B2, central wavelength 490 nm", "B3, 560 nm", "B4, 665 nm", "B8, 842 nm"],
        ["surface blue", "surface green", "surface red", "red edge"],
        ["Band 1 - Blue", "Band 2 - Green", "Band 3 - Red", "Band 4 - NIR"],
        ["B1 (blue)", "B2 (green)", "B3 (red)", "B4 (near infra red)"],
        ["B", "G", "R", "NIR"],
        ["BLU", "GRN", "RED", "NIR"],
        ["Blau", "Grün", "Rot", "Infrarot"],
        ["490 nm", "560.0nm", "665 nanometers", "842 nm"],
        ["0.49 µm", "0.56 um", "0.665 micrometers", "0.842 µm"],
    ],
)
def test_the_names_of_bands_say_their_colors(geotiff, names):
    picture = open_raster(geotiff([B, G, R, N], names=names))
    assert np.array_equal(picture.pixels, RGB)
    assert "according to their names in the file" in picture.provenance.notes[0]


def test_eight_bands_of_planetscope_are_distinguished(geotiff):
    names = ["coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"]
    picture = open_raster(geotiff([N, B, N, G, N, R, N, N], names=names))
    assert np.array_equal(picture.pixels, RGB)


def test_names_win_over_the_colors_that_writers_state_by_default(geotiff):
    path = geotiff([B, G, R], names=["B02", "B03", "B04"], photometric="RGB")
    assert np.array_equal(open_raster(path).pixels, RGB)


def test_numbers_before_names_of_colors_say_nothing(geotiff):
    names = ["Band 1: Red", "Band 2: Green", "Band 3: Blue"]
    path = geotiff([R, G, B], names=names, photometric="RGB")
    assert np.array_equal(open_raster(path).pixels, RGB)


def test_numbers_that_only_count_bands_say_nothing(geotiff):
    names = ["Band 1", "Band 2", "Band 3", "Band 4"]
    picture = open_raster(geotiff([R, G, B, N], names=names))
    assert np.array_equal(picture.pixels, RGB)
    assert "bands without stated colors" in picture.provenance.notes[0]


def test_numbers_of_other_sensors_say_nothing(geotiff):
    names = ["sur_refl_b01", "sur_refl_b04", "sur_refl_b03", "sur_refl_b02"]  # MODIS
    assert np.array_equal(open_raster(geotiff([R, G, B, N], names=names)).pixels, RGB)


def test_plain_rgb_needs_no_note(geotiff):
    picture = open_raster(geotiff([R, G, B], photometric="RGB"))
    assert np.array_equal(picture.pixels, RGB) and picture.provenance.notes == ()


def test_without_stated_colors_the_first_three_bands_are_used(geotiff):
    picture = open_raster(geotiff([R, G, B, N]))
    assert np.array_equal(picture.pixels, RGB)
    assert "without stated colors: the first three" in picture.provenance.notes[0]


def test_two_bands_are_read_as_the_first_in_gray(geotiff):
    picture = open_raster(geotiff([R, G]))
    assert np.array_equal(picture.pixels, np.dstack([R, R, R]))
    assert "the first is used as gray" in picture.provenance.notes[0]


@pytest.mark.parametrize("bands", ["3,2,1", "3 2 1", (3, 2, 1), [3, 2, 1]])
def test_the_user_may_choose_bands(geotiff, bands):
    path = geotiff([B, G, R, N], ["red", "green", "blue", "undefined"])
    assert np.array_equal(open_raster(path, bands=bands).pixels, RGB)
    array = np.dstack([B, G, R, N])
    assert np.array_equal(open_raster(array, 3.0, bands=bands).pixels, RGB)


def test_one_chosen_band_is_gray(geotiff):
    picture = open_raster(geotiff([R, G, B, N]), bands="4")
    assert np.array_equal(picture.pixels, np.dstack([N, N, N]))


@pytest.mark.parametrize("bands", ["1,2", "red", "0", "1,2,3,4", (1, -1, 2)])
def test_a_senseless_choice_of_bands_is_refused(geotiff, bands):
    with pytest.raises(BadOption, match="not a list of bands"):
        open_raster(geotiff([R, G, B]), bands=bands)


def test_a_band_that_does_not_exist_is_refused(geotiff):
    with pytest.raises(BadImage, match="has 3 bands and no band 7"):
        open_raster(geotiff([R, G, B]), bands="7")


def test_known_reflectance_is_as_bright_as_true_color_images(geotiff):
    # Water of 4 % and land of 20 % reflectance, as Sentinel-2 has them.
    rng = np.random.default_rng(1)
    values = rng.normal(400, 20, (3, 200, 240))
    values[:, :, 150:] = rng.normal(2000, 200, (3, 200, 90))
    path = geotiff(values.astype(np.uint16), names=["B04", "B03", "B02"])
    assert np.median(open_raster(path).pixels[:, :150]) == pytest.approx(29, abs=3)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (1e-4,) * 3, (-0.02,) * 3
    assert np.median(open_raster(path).pixels[:, :150]) == pytest.approx(14, abs=3)


@pytest.mark.parametrize(
    ("dtype", "factor"),
    [("uint16", 1), ("uint16", 600), ("float32", 1e-4), ("float32", 0.4), ("float32", 900)],
)
@pytest.mark.parametrize("statement", ["description", "scale", "names"])
def test_reflectance_counts_only_where_the_values_fit(geotiff, statement, dtype, factor):
    grain = np.random.default_rng(2).normal(0, 0.3, (90, 120, 3))
    values = np.moveaxis(np.clip(sea(120, 90) + grain, 0, 250) * factor, -1, 0).astype(dtype)
    plain = open_raster(geotiff(values)).pixels
    path = geotiff(values, names=["B04", "B03", "B02"] if statement == "names" else ())
    with rasterio.open(path, "r+") as dataset:
        if statement == "description":
            dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION="TOA reflectance product, values scaled")
        if statement == "scale":
            dataset.scales = (1e-4,) * 3
    assert np.array_equal(open_raster(path).pixels, plain)


def test_bands_of_different_scales_are_brought_to_one_unit(geotiff):
    pixels = sea(120, 90)
    values = np.moveaxis(pixels * [1.0, 10.0, 100.0], -1, 0).astype(np.uint16)
    path = geotiff(values, names=["red", "green", "blue"])
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = (1.0, 0.1, 0.01)
    assert np.abs(open_raster(path).pixels.astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("count", [1, 3])
def test_a_negative_scale_reverses_bright_and_dark(geotiff, count, bits):
    most = 2**bits - 1
    pixels = np.random.default_rng(6).integers(0, most + 1, (count, 90, 120), dtype=np.uint8)
    path = geotiff(most - pixels, nbits=bits)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (-1.0,) * count, (most,) * count
    picture = open_raster(path, stretch="minmax")
    seen = np.moveaxis(picture.pixels, -1, 0)
    assert np.abs(seen - pixels * (255 / most)).max() <= 1
    assert any("larger stored values are darker" in note for note in picture.provenance.notes)


def test_a_scale_of_0_is_reported(geotiff):
    path = geotiff([R, G, B])
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = (0.0,) * 3
    picture = open_raster(path)
    assert np.array_equal(picture.pixels, RGB)
    assert any("are invalid and ignored" in note for note in picture.provenance.notes)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
def test_a_file_whose_0_is_white_says_what_became_of_it(geotiff, dtype):
    plain = open_raster(geotiff([R.astype(dtype)]), stretch="minmax").pixels
    picture = open_raster(geotiff([R.astype(dtype)], photometric="MINISWHITE"), stretch="minmax")
    inverted = dtype in ("uint8", "uint16")
    assert np.abs(picture.pixels - (255.0 - plain if inverted else plain)).max() <= 1
    says = "values are inverted" if inverted else f"{dtype} values is black: they are not"
    assert any(says in note for note in picture.provenance.notes)
