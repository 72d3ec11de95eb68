"""Where an image is: transforms, control points, camera models, pages, names of files."""

import os
import re

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform as warp

from shipdet.errors import BadImage, MissingScale
from shipdet.geometry import distance_m
from shipdet.imagery import open_raster
from shipdet.imagery.preview import band_names

PIXELS = np.random.default_rng(8).integers(1, 255, (66, 72, 3), dtype=np.uint8)
HEIGHT, WIDTH = PIXELS.shape[:2]


@pytest.fixture
def geotiff(tmp_path):
    def write(pixels=PIXELS, name="scene.tif", gcps=(), rpcs=None, **options):
        path = tmp_path / name
        height, width, count = pixels.shape
        profile = {"width": width, "height": height, "count": count, "dtype": pixels.dtype}
        with rasterio.open(path, "w", driver="GTiff", **profile, **options) as dataset:
            dataset.write(np.moveaxis(pixels, -1, 0))
            if gcps:
                dataset.gcps = (gcps, "EPSG:4326")
            if rpcs:
                dataset.rpcs = rpcs
        return path

    return write


def place(x, y, bend=0.0):
    """Degrees of a pixel of a 3 m grid in UTM zone 10, bent by some pixels in the middle."""
    sag = bend * (1 - (2 * x / WIDTH - 1) ** 2)
    lon, lat = warp("EPSG:32610", "EPSG:4326", [550_000 + 3 * x], [4_180_000 - 3 * (y + sag)])
    return lon[0], lat[0]


def control_points(bend=0.0):
    return [
        GroundControlPoint(y, x, *place(x, y, bend))
        for x in np.linspace(0, WIDTH, 5)
        for y in np.linspace(0, HEIGHT, 5)
    ]


@pytest.mark.parametrize("bend", [0.0, 6.0])
def test_control_points_place_an_image(geotiff, bend):
    picture = open_raster(geotiff(gcps=control_points(bend)))
    assert picture.grid.gsd_m == pytest.approx(3.0, rel=0.02)
    points = [(0, 0), (WIDTH / 2, 20), (WIDTH, HEIGHT)]
    true = [place(x, y, bend) for x, y in points]
    assert distance_m(picture.grid.lonlat(points), true).max() < 3.0
    assert "25 ground control points" in picture.provenance.notes[0]
    half = picture.grid.scaled(2 * WIDTH, 2 * HEIGHT)
    assert half.lonlat([(WIDTH, 40)]) == pytest.approx(picture.grid.lonlat([(WIDTH / 2, 20)]))


@pytest.mark.parametrize("bend", [0.0, 3e-4])
@pytest.mark.parametrize("west", [179.999, 180.0, -180.0, 359.999])
def test_control_points_across_a_jump_of_longitude(geotiff, west, bend):
    degree, turn = 3 / 111_320, 180 if west < 180.5 else 360
    true = {
        (x, y): (west + degree * x, bend * (x / WIDTH) ** 2 - degree * y)
        for x in np.linspace(0, WIDTH, 5)
        for y in np.linspace(0, HEIGHT, 5)
    }
    points = [
        GroundControlPoint(y, x, lon - 360 if lon > turn else lon, lat)
        for (x, y), (lon, lat) in true.items()
    ]
    grid = open_raster(geotiff(gcps=points)).grid
    assert grid.gsd_x_m == pytest.approx(3.0, rel=0.05)
    lonlat = grid.lonlat(list(true))
    assert np.abs(lonlat[:, 0]).max() <= 180
    assert distance_m(lonlat, list(true.values())).max() < 3.0


def test_control_points_that_are_too_few_are_reported(geotiff):
    with pytest.raises(MissingScale, match="unusable ground control points"):
        open_raster(geotiff(gcps=control_points()[:2]))


@pytest.mark.parametrize("moved_px", [0.2, 5])
@pytest.mark.parametrize("gsd_m", [None, 3.0])
def test_contradicting_control_points_place_an_image_roughly(geotiff, moved_px, gsd_m):
    points = control_points(bend=6.0)
    first = points[0]
    again = GroundControlPoint(first.row, first.col, *place(first.col + moved_px, first.row))
    picture = open_raster(geotiff(gcps=[*points, again]), gsd_m)
    assert picture.grid.gsd_m == pytest.approx(3.0, rel=0.05)
    assert distance_m(picture.grid.lonlat([(36, 33)]), [place(36, 33, 6.0)]).max() < 20
    assert "26 ground control points, with errors of up to" in picture.provenance.notes[0]


@pytest.mark.parametrize(
    ("stated", "lacks"),
    [
        ({"transform": from_origin(500_000, 5_700_000, 3, 3)}, "no coordinate reference system"),
        ({"crs": "EPSG:32631"}, "a coordinate reference system .* without a transform"),
        (
            {"crs": "EPSG:4978", "transform": from_origin(3_900_000, 300_000, 3, 3)},
            "coordinates that cannot be converted",
        ),
    ],
)
def test_half_a_georeference_is_reported(geotiff, stated, lacks):
    path = geotiff(**stated)
    with pytest.raises(MissingScale, match=f"has {lacks}"):
        open_raster(path)
    (note,) = open_raster(path, 3.0).provenance.notes
    assert re.search(f"The file has {lacks}.*: ships have positions in pixels only", note)


@pytest.mark.parametrize("size", [1.0, 1e-9])
def test_a_scale_out_of_range_is_that_of_the_file(geotiff, size):
    path = geotiff(crs="EPSG:4326", transform=Affine(size, 0, 4, 0, -size, 50))
    with pytest.raises(BadImage, match="m per pixel according to its georeference"):
        open_raster(path, 3.0)


def test_a_camera_model_alone_gives_no_place_and_says_so(geotiff):
    coefficients = [1.0, *(0.0 for _ in range(19))]
    linear = [0.0, 1.0, *(0.0 for _ in range(18))]
    rpcs = RPC(
        0, 100, 38, 0.1, coefficients, linear, 30, 30, -122, 0.1, coefficients, linear, 30, 30
    )
    path = geotiff(rpcs=rpcs)
    with pytest.raises(MissingScale, match=r"camera model \(RPC\), .* orthorectified"):
        open_raster(path)
    picture = open_raster(path, 3.0)
    assert not picture.grid.georeferenced
    assert "positions in pixels only" in picture.provenance.notes[0]


def test_longitudes_of_0_to_360_come_home(geotiff):
    degree = 3 / 111_320
    place = {"crs": "EPSG:4326", "transform": Affine(degree, 0, 237.5, 0, -degree, 0.5)}
    picture = open_raster(geotiff(**place))
    assert picture.grid.lonlat([(0, 0)])[0] == pytest.approx([-122.5, 0.5])


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32760", "EPSG:3832"])
def test_an_image_across_the_antimeridian_keeps_its_scale(geotiff, crs):
    (x,), (y,) = warp("EPSG:4326", crs, [180.0], [-17.0])
    size = 3 / 106_500 if crs == "EPSG:4326" else 3
    transform = Affine(size, 0, x - size * WIDTH / 2, 0, -size, y)
    grid = open_raster(geotiff(crs=crs, transform=transform)).grid
    assert grid.gsd_m == pytest.approx(3.0, rel=0.06)
    left, right = grid.lonlat([(0, 0), (WIDTH, 0)])
    assert 179.99 < left[0] < 180 and -180 < right[0] < -179.99
    assert distance_m(left, right) == pytest.approx(WIDTH * grid.gsd_x_m, rel=0.01)


def test_a_thumbnail_before_the_image_is_passed_over(tmp_path):
    full = Image.fromarray(PIXELS)
    path = tmp_path / "pages.tif"
    full.resize((36, 33)).save(path, save_all=True, append_images=[full])
    picture = open_raster(path, 3.0)
    assert np.array_equal(picture.pixels, PIXELS)
    assert "page 2 with 72x66 is used" in picture.provenance.notes[0]


def test_the_band_names_are_those_of_the_largest_page(tmp_path):
    full = Image.fromarray(PIXELS)
    path = tmp_path / "pages.tif"
    full.resize((36, 33)).convert("L").save(path, save_all=True, append_images=[full])
    assert band_names(path) == ("red", "green", "blue")


def test_the_first_page_is_taken_where_none_is_larger(tmp_path):
    full = Image.fromarray(PIXELS)
    path = tmp_path / "pages.tif"
    full.save(path, save_all=True, append_images=[full.resize((36, 33))])
    picture = open_raster(path, 3.0)
    assert np.array_equal(picture.pixels, PIXELS) and picture.provenance.notes == ()


def test_a_name_that_is_not_utf8_is_read_and_reported(geotiff, tmp_path):
    place = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_700_000, 3, 3)}
    path = os.fsencode(geotiff(**place))
    odd = os.path.join(os.path.dirname(path), b"lat\xe9n.tif")
    os.rename(path, odd)
    picture = open_raster(os.fsdecode(odd))
    assert np.array_equal(picture.pixels, PIXELS)
    assert picture.provenance.title == "lat�n.tif"


def test_files_beside_a_name_that_is_not_utf8_are_read(tmp_path, settings_for):
    degree = 3 / 111_320
    place = {"crs": "EPSG:4326", "transform": Affine(degree, 0, 4.0, 0, -degree, 52.0)}
    profile = {"width": WIDTH, "height": HEIGHT, "count": 3, "dtype": PIXELS.dtype}
    options = {**profile, **place, "driver": "GTiff", "tfw": True, "profile": "BASELINE"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False),
        rasterio.open(tmp_path / "scene.TIFF", "w", **options) as dataset,
    ):
        dataset.write(np.moveaxis(PIXELS, -1, 0))
        dataset.write_mask(PIXELS[..., 0] > 50)
    odd = os.fsdecode(b"lat\xe9n")
    beside = {file.name.removeprefix("scene") for file in tmp_path.glob("scene*")}
    assert beside == {".TIFF", ".TIFF.msk", ".TIFF.aux.xml", ".tfw"}
    for file in tmp_path.glob("scene*"):
        file.rename(tmp_path / f"{odd}{file.name.removeprefix('scene')}")
    for settings in (settings_for(), settings_for(max_held_pixels=1000)):
        picture = open_raster(tmp_path / f"{odd}.TIFF", settings=settings)
        assert picture.grid.lonlat([(0, 0)])[0] == pytest.approx([4.0, 52.0])
        coverage = picture.read(0, 0, WIDTH, HEIGHT)[1]
        assert np.array_equal(coverage, PIXELS[..., 0] > 50)
