import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import Affine, from_origin

from shipdet.errors import BadImage, BadOption, MissingScale
from shipdet.geometry import distance_m
from shipdet.imagery import open_raster
from shipdet.mosaic import Mosaic
from tests.helpers.painted import sea

RGB = np.random.default_rng(3).integers(0, 255, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def saved(tmp_path):
    """Saves a Pillow image and returns its path; the name says nothing about the format."""

    def save(image, image_format="PNG", name="picture.bin", **options):
        path = tmp_path / name
        image.save(path, image_format, **options)
        return path

    return save


@pytest.fixture
def geotiff(tmp_path):
    def write(bands, crs="EPSG:32631", transform=None, **options):
        bands = np.asarray(bands)
        path = tmp_path / "scene.tif"
        mask = options.pop("mask", None)
        profile = {
            "driver": "GTiff",
            "count": bands.shape[0],
            "height": bands.shape[1],
            "width": bands.shape[2],
            "dtype": bands.dtype,
            "crs": crs,
            "transform": transform or from_origin(590_000, 5_750_000, 3, 3),
        }
        with rasterio.open(path, "w", **profile, **options) as dataset:
            dataset.write(bands)
            if mask is not None:
                dataset.write_mask(mask)
        return path

    return write


def chw(array):
    return np.moveaxis(array, -1, 0)


# Plain pictures


def test_a_png_comes_back_as_it_is(saved, settings):
    mosaic = open_raster(saved(Image.fromarray(RGB)), 3.0, settings)
    assert np.array_equal(mosaic.pixels, RGB)
    assert mosaic.coverage.all()
    assert mosaic.grid.gsd_m == 3.0
    assert not mosaic.grid.georeferenced
    assert mosaic.provenance.source == "image"


def test_the_content_decides_and_not_the_name(saved, settings):
    path = saved(Image.fromarray(RGB), "JPEG", "picture.png")
    assert open_raster(path, 1.0, settings).pixels.shape == RGB.shape


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr"])
def test_every_color_mode_becomes_rgb(saved, settings, mode):
    image = Image.fromarray(RGB).convert(mode)
    path = saved(image, "JPEG" if mode in ("CMYK", "YCbCr") else "PNG")
    mosaic = open_raster(path, 1.0, settings)
    assert mosaic.pixels.shape == RGB.shape
    if mode == "L":
        assert np.ptp(mosaic.pixels, axis=-1).max() == 0


@pytest.mark.parametrize("mode", ["La", "RGBa", "HSV", "LAB"])
def test_rarer_modes_of_pillow_are_read(settings, mode):
    gray = sea(50, 40)[..., :1].repeat(3, axis=2)
    before = {"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
    image = Image.fromarray(gray).convert(before).convert(mode)
    pixels = open_raster(image, 3.0, settings).pixels
    assert np.abs(pixels.astype(int) - gray).mean() < 6


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_is_not_covered(saved, settings, mode):
    image = Image.fromarray(RGB).convert(mode)
    alpha = np.full(RGB.shape[:2], 255, np.uint8)
    alpha[:, :20] = 0
    alpha[:, 20] = 1
    image.putalpha(Image.fromarray(alpha))
    mosaic = open_raster(saved(image), 1.0, settings)
    assert not mosaic.coverage[:, :20].any()
    assert mosaic.coverage[:, 20:].all()
    assert not mosaic.pixels[:, :20].any()


def test_a_transparent_palette_color_is_not_covered(saved, settings):
    image = Image.new("P", (10, 10))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((3, 4), 1)
    mosaic = open_raster(saved(image, transparency=1), 1.0, settings)
    assert mosaic.coverage.sum() == 99
    assert not mosaic.coverage[4, 3]


def test_sixteen_bits_are_stretched_and_that_is_noted(saved, settings):
    values = np.linspace(1000, 3000, 2400).reshape(40, 60).astype(np.uint16)
    mosaic = open_raster(saved(Image.fromarray(values)), 1.0, settings)
    assert (np.diff(mosaic.pixels[..., 0].ravel().astype(int)) >= 0).all()
    assert np.ptp(mosaic.pixels) > 100
    assert "stretched to 8 bits" in mosaic.provenance.notes[0]


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colors_keep_their_depth(tmp_path, settings, channels):
    # Twelve bits in sixteen, as sensors write it: the high byte alone would be nearly black.
    values = np.random.default_rng(5).integers(100, 4000, (40, 60, channels)).astype(np.uint16)
    values[:5, :, 3:] = 0
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), values)
    mosaic = open_raster(path, 1.0, settings)
    assert mosaic.pixels.max() > 90  # pure noise is not amplified further
    assert "uint16" in mosaic.provenance.notes[0]
    assert mosaic.coverage[5:].all()
    assert mosaic.coverage[:5].any() == (channels == 3)
    # OpenCV writes blue first.
    assert np.corrcoef(mosaic.pixels[20, :, 0], values[20, :, 2])[0, 1] > 0.98


def test_exif_rotation_is_applied(saved, settings):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    mosaic = open_raster(saved(Image.fromarray(RGB), exif=exif), 1.0, settings)
    assert np.array_equal(mosaic.pixels, np.rot90(RGB, -1))
    assert "rotated upright" in mosaic.provenance.notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_applied_to_16_bits_too(saved, tmp_path, settings, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = open_raster(saved(Image.fromarray(RGB), exif=exif), 1.0, settings)
    data = cv2.imencode(".png", RGB[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "deep.png").write_bytes(data[:33] + chunk + data[33:])
    deep = open_raster(tmp_path / "deep.png", 1.0, settings, stretch="minmax")
    assert deep.pixels.shape == plain.pixels.shape
    assert np.abs(deep.pixels.astype(int) - plain.pixels).max() <= 1


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_orientation_that_does_not_exist_is_upright(saved, settings, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = open_raster(saved(Image.fromarray(RGB), exif=exif), 1.0, settings)
    assert np.array_equal(picture.pixels, RGB) and picture.provenance.notes == ()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_value_of_16_bits_is_not_covered(tmp_path, settings, channels):
    values = np.random.default_rng(2).integers(300, 60_000, (40, 60, channels)).astype(np.uint16)
    values[:, :9] = 77
    values[20, 30] = 77
    data = cv2.imencode(".png", values)[1].tobytes()
    body = b"tRNS" + struct.pack(">H", 77) * channels
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "deep.png").write_bytes(data[:33] + chunk + data[33:])
    covered = open_raster(tmp_path / "deep.png", 1.0, settings).coverage
    assert not covered[:, :9].any() and not covered[20, 30]
    assert covered.sum() == 40 * 51 - 1


def test_a_picture_without_scale_asks_for_one(saved, settings):
    with pytest.raises(MissingScale, match="give the meters per pixel"):
        open_raster(saved(Image.fromarray(RGB)), None, settings)


@pytest.mark.parametrize("gsd", [0, -1, 0.01, 101, float("nan"), float("inf")])
def test_a_senseless_scale_is_refused(saved, settings, gsd):
    with pytest.raises(BadOption, match=r"from 0\.05 to 100"):
        open_raster(saved(Image.fromarray(RGB)), gsd, settings)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, settings):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99)))
    )
    with pytest.raises(BadImage, match=r"more than 179 million pixels, more than the limit of 48"):
        open_raster(path, 1.0, settings)


def test_a_picture_over_the_limit_names_the_numbers(saved, settings_for):
    with pytest.raises(BadImage, match=r"60x40 pixels .* limit"):
        open_raster(saved(Image.fromarray(RGB)), 1.0, settings_for(max_raw_pixels=2000))


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_a_truncated_picture_is_damaged(tmp_path, settings, image_format):
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, image_format)
    path = tmp_path / "cut"
    path.write_bytes(buffer.getvalue()[: buffer.tell() // 2])
    with pytest.raises(BadImage, match="damaged or incomplete"):
        open_raster(path, 1.0, settings)


@pytest.mark.parametrize("content", [b"", b"hello, this is text", b"\x89PNG\r\n\x1a\n", b"II*\0"])
def test_what_is_no_picture_is_refused(tmp_path, settings, content):
    path = tmp_path / "what.png"
    path.write_bytes(content)
    with pytest.raises(BadImage, match=r"what\.png"):
        open_raster(path, 1.0, settings)


def test_other_formats_are_not_even_tried(saved, settings):
    with pytest.raises(BadImage, match="give a PNG, JPEG or GeoTIFF"):
        open_raster(saved(Image.fromarray(RGB), "BMP"), 1.0, settings)


def test_a_missing_file_and_a_folder_are_refused(tmp_path, settings):
    with pytest.raises(BadImage, match="does not exist"):
        open_raster(tmp_path / "nowhere.png", 1.0, settings)
    with pytest.raises(BadImage, match="cannot be read"):
        open_raster(tmp_path, 1.0, settings)


def test_a_picture_that_is_all_transparent_is_refused(saved, settings):
    with pytest.raises(BadImage, match="is empty"):
        open_raster(saved(Image.new("RGBA", (10, 10))), 1.0, settings)


# GeoTIFF


def test_a_geotiff_brings_scale_and_place(geotiff, settings):
    mosaic = open_raster(geotiff(chw(RGB)), None, settings)
    assert np.array_equal(mosaic.pixels, RGB)
    assert mosaic.grid.crs == "EPSG:32631"
    assert mosaic.grid.gsd_m == pytest.approx(3.0, rel=0.005)
    (lon, lat), (lon2, lat2) = mosaic.grid.lonlat([(0, 0), (60, 0)])
    assert (lon, lat) == pytest.approx((4.31, 51.89), abs=0.02)
    assert distance_m([lon, lat], [lon2, lat2]) == pytest.approx(180, rel=0.005)


def test_degrees_give_a_scale_for_each_direction(geotiff, settings):
    transform = from_origin(4.0, 60.0, 1e-4, 1e-4)
    grid = open_raster(geotiff(chw(RGB), "EPSG:4326", transform), None, settings).grid
    assert grid.gsd_y_m == pytest.approx(11.12, abs=0.05)
    assert grid.gsd_x_m == pytest.approx(11.12 / 2, abs=0.05)
    assert grid.lonlat([(0, 0)])[0].tolist() == pytest.approx([4.0, 60.0])


def test_web_mercator_meters_are_not_ground_meters(geotiff, settings):
    transform = from_origin(445_000, 8_400_000, 10, 10)  # about 60 degrees north
    grid = open_raster(geotiff(chw(RGB), "EPSG:3857", transform), None, settings).grid
    assert grid.gsd_m == pytest.approx(5.0, abs=0.05)


def test_a_tiff_without_crs_needs_a_scale(geotiff, settings):
    path = geotiff(chw(RGB), crs=None, transform=rasterio.Affine.identity())
    with pytest.raises(MissingScale, match="no coordinate reference system"):
        open_raster(path, None, settings)
    mosaic = open_raster(path, 2.0, settings)
    assert mosaic.grid.gsd_m == 2.0
    assert not mosaic.grid.georeferenced


ON_THE_MAP = from_origin(590_000, 5_750_000, 3, 3)
LOST = [
    pytest.param('LOCAL_CS["site",UNIT["meter",1]]', ON_THE_MAP, id="a site's own CRS"),
    pytest.param("EPSG:32631", from_origin(1e9, 1e9, 3, 3), id="outside the projection"),
    pytest.param(
        "+proj=ortho +lat_0=0 +lon_0=0", from_origin(6.375e6, 0, 90, 90), id="a corner outside"
    ),
    pytest.param("EPSG:4326", from_origin(4, 95, 1e-4, 1e-4), id="beyond the pole"),
    pytest.param("EPSG:3857", Affine(3, 3, 0, 3, 3, 0), id="all on one line"),
    pytest.param("EPSG:3857", from_origin(float("nan"), 0, 3, 3), id="not a number"),
]


@pytest.mark.parametrize(("crs", "transform"), LOST)
def test_a_crs_that_leads_nowhere_is_as_good_as_none(geotiff, settings, crs, transform):
    path = geotiff(chw(RGB), crs, transform)
    with pytest.raises(
        MissingScale,
        match="cannot be converted to longitude and latitude: give the meters per pixel",
    ):
        open_raster(path, None, settings)
    mosaic = open_raster(path, 2.0, settings)
    assert (mosaic.grid.gsd_m, mosaic.grid.georeferenced) == (2.0, False)
    assert "positions in pixels only" in mosaic.provenance.notes[0]


def test_the_files_own_scale_wins_and_that_is_noted(geotiff, settings):
    mosaic = open_raster(geotiff(chw(RGB)), 10.0, settings)
    assert mosaic.grid.gsd_m == pytest.approx(3.0, rel=0.005)
    assert "instead of the given 10 m" in mosaic.provenance.notes[0]


def test_nodata_is_not_covered(geotiff, settings):
    bands = chw(np.clip(RGB, 1, 255))
    bands[:, :10] = 0
    mosaic = open_raster(geotiff(bands, nodata=0), None, settings)
    assert not mosaic.coverage[:10].any()
    assert mosaic.coverage[10:].all()


def test_a_mask_is_not_covered(geotiff, settings):
    mask = np.full(RGB.shape[:2], 255, np.uint8)
    mask[:, :7] = 0
    mosaic = open_raster(geotiff(chw(RGB), mask=mask), None, settings)
    assert not mosaic.coverage[:, :7].any()
    assert mosaic.coverage[:, 7:].all()


def test_more_than_three_bands_take_the_first_three(geotiff, settings):
    five = np.concatenate([chw(RGB), chw(RGB)[:2]])
    mosaic = open_raster(geotiff(five, photometric="MINISBLACK"), None, settings)
    assert np.array_equal(mosaic.pixels, RGB)
    assert "5 bands" in mosaic.provenance.notes[0]


def test_an_alpha_band_is_coverage_and_not_color(geotiff, settings):
    alpha = np.full((1, 40, 60), 255, np.uint8)
    alpha[:, :, :5] = 0
    mosaic = open_raster(
        geotiff(np.concatenate([chw(RGB), alpha]), photometric="RGB", alpha="YES"), None, settings
    )
    assert not mosaic.coverage[:, :5].any()
    assert mosaic.provenance.notes == ()


def test_one_band_is_gray(geotiff, settings):
    mosaic = open_raster(geotiff(chw(RGB)[:1]), None, settings)
    assert np.array_equal(mosaic.pixels, np.repeat(RGB[..., :1], 3, axis=-1))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_other_number_types_are_stretched(geotiff, settings, dtype):
    values = (chw(RGB).astype(np.float32) * 10 - 500).clip(0 if dtype == "uint16" else -500)
    mosaic = open_raster(geotiff(values.astype(dtype)), None, settings)
    assert mosaic.pixels.max() > 90  # pure noise is not amplified further
    assert dtype in mosaic.provenance.notes[-1]


@pytest.mark.parametrize(("dtype", "bits"), [("uint8", 8), ("uint8", 4), ("uint16", 16)])
@pytest.mark.parametrize("zero_is", ["black", "white"])
def test_gray_of_every_photometric_and_depth(tmp_path, settings, dtype, bits, zero_is):
    gray = np.random.default_rng(4).integers(0, 16, (40, 60)).astype(np.uint8) * 17
    most = 2**bits - 1
    stored = np.rint(gray / 255 * most)
    path = tmp_path / "gray.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=60, height=40, count=1, dtype=dtype,
        nbits=bits, photometric=f"MINIS{zero_is.upper()}",
    ) as dataset:  # fmt: skip
        dataset.write((stored if zero_is == "black" else most - stored).astype(dtype), 1)
    picture = open_raster(path, 3.0, settings, stretch="minmax")
    assert np.abs(picture.pixels[..., 0].astype(int) - gray).max() <= 1


@pytest.mark.parametrize("orientation", [*range(10), 255])
def test_a_tiff_without_a_place_is_turned_upright(tmp_path, settings, orientation):
    stored = Image.fromarray(sea(60, 40, seed=1))
    stored.save(tmp_path / "scan.tif", tiffinfo={0x0112: orientation})
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "scan.png", exif=exif)
    expected = open_raster(tmp_path / "scan.png", 3.0, settings)
    picture = open_raster(tmp_path / "scan.tif", 3.0, settings)
    assert np.array_equal(picture.pixels, expected.pixels)
    assert picture.provenance.notes == expected.provenance.notes
    assert (picture.grid.width, picture.grid.height) == (expected.grid.width, expected.grid.height)


def test_not_a_number_is_not_covered(geotiff, settings):
    values = chw(RGB).astype(np.float32)
    values[1, :3] = np.nan
    mosaic = open_raster(geotiff(values), None, settings)
    assert not mosaic.coverage[:3].any()
    assert mosaic.coverage[3:].all()


def test_a_large_geotiff_is_refused_before_it_is_read(geotiff, settings_for):
    with pytest.raises(BadImage, match="60x40 pixels"):
        open_raster(geotiff(chw(RGB)), None, settings_for(max_raw_pixels=2000))


def test_the_memory_of_an_image_decides_whether_it_is_held(geotiff, settings_for):
    limit = settings_for(max_held_pixels=2 * RGB.shape[0] * RGB.shape[1])
    assert isinstance(open_raster(geotiff(chw(RGB)), None, limit), Mosaic)
    numbers = chw(RGB).astype(np.float64)
    large = open_raster(geotiff(numbers), None, limit)
    assert not isinstance(large, Mosaic)
    held = open_raster(geotiff(numbers), None, settings_for())
    pixels, covered = large.read(0, 0, 60, 40)
    assert isinstance(held, Mosaic)
    assert np.array_equal(pixels, held.pixels) and np.array_equal(covered, held.coverage)


def test_a_large_picture_in_one_piece_is_refused(geotiff, settings_for, monkeypatch):
    path = geotiff(chw(RGB), compress="DEFLATE", blockysize=40)
    assert isinstance(open_raster(path, None, settings_for()), Mosaic)
    monkeypatch.setattr("shipdet.imagery.geotiff.MAX_BLOCK_BYTES", 5000)
    with pytest.raises(BadImage, match="smaller tiles"):
        open_raster(path, None, settings_for(max_held_pixels=1000))


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_broken_metadata_is_damage_and_no_crash(tmp_path, settings, image_format):
    picture = Image.fromarray(RGB)
    path = tmp_path / "broken.bin"
    if image_format == "JPEG":
        picture.save(path, "JPEG", dpi=(72, 72), exif=b"Exif\0\0II*\0")
    else:
        picture.save(path, "PNG")
        data = path.read_bytes()
        chunk = b"cHRM" + b"\0\0\0"
        broken = (3).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        end = data.index(b"IEND") - 4
        path.write_bytes(data[:end] + broken + data[end:])
    with pytest.raises(BadImage, match="damaged"):
        open_raster(path, 3.0, settings)


def test_a_truncated_geotiff_is_damaged(geotiff, settings):
    path = geotiff(chw(RGB))
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(BadImage, match="damaged"):
        open_raster(path, None, settings)


def test_a_scale_that_makes_no_sense_is_refused(geotiff, settings):
    path = geotiff(chw(RGB), transform=from_origin(590_000, 5_750_000, 1000, 1000))
    with pytest.raises(BadImage, match=r"from 0.05 to 100"):
        open_raster(path, None, settings)
