"""Arrays, Pillow images, open datasets and DataArrays become the same picture as a file."""

from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import from_origin

from shipdet.errors import BadImage, MissingScale
from shipdet.imagery import open_raster

RGB = np.random.default_rng(9).integers(1, 255, (40, 60, 3), dtype=np.uint8)


class DataArray(SimpleNamespace):
    """What is read of an xarray DataArray."""

    @property
    def shape(self):
        return self.values.shape

    def transpose(self, *dims):
        order = [self.dims.index(dim) for dim in dims]
        return SimpleNamespace(values=self.values.transpose(order))


def coordinate(values=(), **attrs):
    return SimpleNamespace(values=np.asarray(values), attrs=attrs)


def data_array(values, dims=("band", "y", "x"), attrs=None, **coords):
    return DataArray(values=values, dims=dims, coords=coords, attrs=attrs or {}, name="scene")


@pytest.fixture
def path(tmp_path):
    name = tmp_path / "scene.tif"
    profile = {"width": 60, "height": 40, "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    profile["transform"] = from_origin(500_000, 5_700_000, 3, 3)
    with rasterio.open(name, "w", driver="GTiff", **profile) as dataset:
        dataset.write(np.moveaxis(RGB, -1, 0))
    return name


def same(picture, other):
    assert np.array_equal(picture.pixels, other.pixels)
    assert np.array_equal(picture.coverage, other.coverage)
    assert picture.grid.crs == other.grid.crs
    assert picture.grid.transform == pytest.approx(other.grid.transform)
    assert picture.grid.gsd_m == pytest.approx(other.grid.gsd_m)


@pytest.mark.parametrize("gray", [RGB[..., 0], RGB[..., :1]])
def test_arrays_are_images(gray):
    assert np.array_equal(open_raster(RGB, 3.0).pixels, RGB)
    assert np.array_equal(open_raster(gray, 3.0).pixels, np.repeat(RGB[..., :1], 3, axis=-1))


def test_an_rgba_array_is_transparent_where_its_alpha_is_0():
    alpha = np.full(RGB.shape[:2], 200, np.uint8)
    alpha[:7] = 0
    picture = open_raster(np.dstack([RGB, alpha]), 3.0)
    assert not picture.coverage[:7].any() and picture.coverage[7:].all()
    assert np.array_equal(picture.pixels[7:], RGB[7:])


def test_masked_values_are_no_data():
    values = np.ma.array(RGB, mask=np.zeros(RGB.shape, bool))
    values[:5] = np.ma.masked
    assert open_raster(values, 3.0).coverage.sum() == 35 * 60


def test_a_pillow_image_is_an_image():
    same(open_raster(Image.fromarray(RGB), 3.0), open_raster(RGB, 3.0))
    deep = RGB[..., 0].astype(np.uint16) * 257
    same(open_raster(Image.fromarray(deep), 3.0), open_raster(deep, 3.0))


@pytest.mark.parametrize("held", [True, False])
def test_an_open_dataset_stays_open_and_is_the_file(path, settings_for, held):
    settings = settings_for(**({} if held else {"max_held_pixels": 100}))
    with rasterio.open(path) as dataset:
        picture = open_raster(dataset, settings=settings)
        pixels, covered = picture.read(0, 0, 60, 40)
        assert np.array_equal(pixels, RGB) and covered.all()
        assert picture.grid.crs == "EPSG:32631"
        assert not dataset.closed


def test_a_data_array_is_the_file(path):
    spatial = coordinate(
        crs_wkt=CRS.from_epsg(32631).to_wkt(), GeoTransform="500000 3 0 5700000 0 -3"
    )
    bands = np.moveaxis(RGB, -1, 0)
    file = open_raster(path)
    same(open_raster(data_array(bands, spatial_ref=spatial)), file)
    centers = {"x": coordinate(500_001.5 + 3 * np.arange(60)), "y": coordinate(
        5_699_998.5 - 3 * np.arange(40))}  # fmt: skip
    spatial = coordinate(crs_wkt=CRS.from_epsg(32631).to_wkt())
    same(open_raster(data_array(bands, spatial_ref=spatial, **centers)), file)
    same(open_raster(data_array(RGB, ("y", "x", "band"), spatial_ref=spatial, **centers)), file)


def test_longitudes_and_latitudes_of_a_data_array_are_degrees():
    step = 3 / 111_195  # degrees of 3 m at the equator
    centers = {"lon": coordinate(4 + step * np.arange(60)), "lat": coordinate(
        -step * np.arange(40))}  # fmt: skip
    picture = open_raster(data_array(RGB, ("lat", "lon", "band"), **centers))
    assert picture.grid.gsd_m == pytest.approx(3, rel=0.01)
    assert picture.grid.lonlat([(0.5, 0.5)])[0] == pytest.approx((4, 0), abs=1e-9)


def test_coordinates_of_a_data_array_without_a_crs_are_reported():
    centers = {"x": coordinate(500_001.5 + 3 * np.arange(60)), "y": coordinate(
        5_699_998.5 - 3 * np.arange(40))}  # fmt: skip
    array = data_array(np.moveaxis(RGB, -1, 0), **centers)
    with pytest.raises(MissingScale, match="no coordinate reference system"):
        open_raster(array)
    assert "positions in pixels only" in open_raster(array, 3.0).provenance.notes[-1]


def test_the_band_names_and_fill_value_of_a_data_array_count():
    bands = np.moveaxis(RGB[..., ::-1], -1, 0).astype(np.int16)
    bands[:, :4] = -1
    names = {"band": coordinate(["B02", "B03", "B04"])}
    picture = open_raster(data_array(bands, attrs={"_FillValue": -1}, **names), 3.0)
    assert not picture.coverage[:4].any() and picture.coverage[4:].all()
    seen = picture.pixels[4:].astype(float)
    assert np.corrcoef(seen[..., 0].ravel(), RGB[4:, :, 0].ravel())[0, 1] > 0.98


def test_a_negative_scale_of_a_data_array_reverses_it():
    bands = np.moveaxis(255 - RGB, -1, 0)
    array = data_array(bands, attrs={"scale_factor": -1.0, "add_offset": 255.0})
    picture = open_raster(array, 3.0, stretch="none")
    assert np.array_equal(picture.pixels, RGB)
    assert "larger stored values are darker" in picture.provenance.notes[-2]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (np.moveaxis(RGB, -1, 0), "with the bands last"),
        (np.zeros((4, 4, 5)), "or choose its bands"),
        (np.zeros(7), r"the shape \(7,\)"),
        (np.zeros((0, 3)), r"the shape \(0, 3\)"),
        (np.zeros((3, 3), complex), "values of type complex128"),
        (np.zeros((3, 3), bool), "values of type bool"),
        (data_array(np.zeros((2, 3, 4, 5)), ("time", "band", "y", "x")), "select a single time"),
        (object(), "A object is not an image: give a path"),
        (np.full((9, 9), np.nan), "is empty"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(source, sentence):
    with pytest.raises(BadImage, match=sentence) as caught:
        open_raster(source, 3.0)
    assert str(caught.value).endswith(".")


def test_the_size_of_a_data_array_is_checked_before_it_is_read(settings_for):
    class Lazy(DataArray):
        shape = (3, 100_000, 100_000)

        @property
        def values(self):
            raise AssertionError("the values are computed")

    lazy = Lazy(dims=("band", "y", "x"), coords={}, attrs={}, name="scene")
    with pytest.raises(BadImage, match="100000x100000 pixels"):
        open_raster(lazy, 3.0, settings_for(max_held_pixels=100))


def test_an_array_needs_a_scale():
    with pytest.raises(MissingScale, match="give the meters per pixel"):
        open_raster(RGB)
