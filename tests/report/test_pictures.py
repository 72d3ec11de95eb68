"""Pictures that a run leaves behind: files, overlay, crops, and the mosaic on its map."""

import re

import numpy as np
import pytest
import rasterio
from PIL import Image

from shipdet.detections import Detection, Detections
from shipdet.geometry import rectangle
from shipdet.mosaic import Mosaic, Provenance
from shipdet.report.drawing import CHIP_PX, crop_ship, draw_overlay
from shipdet.report.raster import read_picture, write_geotiff, write_picture
from shipdet.report.score_colors import SCORE_CLASSES, score_class
from tests.helpers import PROJECT
from tests.helpers.painted import sea, tile_grid


def mosaic(width=700, height=530, covered=True):
    coverage = np.ones((height, width), np.bool_)
    if not covered:
        coverage[:100, :256] = False
    pixels = np.where(coverage[..., None], sea(width, height), 0).astype(np.uint8)
    source = Provenance("test", title="Test tiles", attribution="© somebody")
    return Mosaic(pixels, tile_grid(width, height, 15), coverage, source)


def test_the_map_file_is_a_cog_at_its_place(tmp_path):
    written = mosaic()
    write_geotiff(tmp_path / "mosaic.tif", written)
    with rasterio.open(tmp_path / "mosaic.tif") as file:
        assert file.crs.to_epsg() == 3857
        assert (file.width, file.height, file.count) == (700, 530, 3)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes[0] == (512, 512) and file.overviews(1)
        np.testing.assert_array_equal(file.read(), np.moveaxis(written.pixels, -1, 0))
        for x, y in ((0, 0), (700, 530), (33, 401)):
            east, north = file.xy(y, x, offset="ul")
            expected = written.grid.lonlat([[x, y]])
            got = written.grid.to_wgs84(np.array([[east, north]]))
            np.testing.assert_allclose(got, expected, atol=1e-9)
        assert tuple(file.bounds) == pytest.approx(
            rasterio.transform.array_bounds(530, 700, file.transform)
        )
        assert (file.dataset_mask() == 255).all()
        assert file.tags()["TIFFTAG_COPYRIGHT"] == "© somebody"


def test_what_has_no_data_is_masked_on_the_map(tmp_path):
    written = mosaic(covered=False)
    write_geotiff(tmp_path / "mosaic.tif", written)
    with rasterio.open(tmp_path / "mosaic.tif") as file:
        np.testing.assert_array_equal(file.dataset_mask() > 0, written.coverage)
        np.testing.assert_array_equal(file.read(1), written.pixels[..., 0])
    assert not list(tmp_path.glob("*.msk")), "the mask belongs into the file"


def test_a_png_holds_every_pixel(tmp_path):
    pixels = sea(123, 77, noise=30)
    write_picture(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), pixels)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_our_own_image_passes_a_guard_that_holds_for_uploads(tmp_path, monkeypatch, suffix):
    write_picture(tmp_path / f"a.{suffix}", sea(123, 77))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    seen = []
    monkeypatch.setattr(
        np, "asarray", lambda image: seen.append(Image.MAX_IMAGE_PIXELS) or np.array(image)
    )
    assert read_picture(tmp_path / f"a.{suffix}").shape == (77, 123, 3)
    assert seen == [10] and Image.MAX_IMAGE_PIXELS == 10


def test_quality_decides_about_the_size_of_a_jpeg(tmp_path):
    pixels = sea(300, 200, noise=30)
    sizes = []
    for quality in (20, 90):
        path = tmp_path / f"{quality}.jpg"
        write_picture(path, pixels, quality)
        with Image.open(path) as image:
            assert (image.format, image.size) == ("JPEG", (300, 200))
        sizes.append(path.stat().st_size)
    assert sizes[1] > 2 * sizes[0]
    assert np.abs(read_picture(tmp_path / "90.jpg").astype(int) - pixels).mean() < 6


def ship_at(x, y, length=60, width=12, axis=0, score=0.9, number=1):
    corners = rectangle((x, y), length, width, axis)
    return Detection(number, score, x, y, corners, float(length), float(width), float(axis))


def test_the_overlay_draws_a_box_around_the_ship_and_not_over_it():
    picture = np.full((300, 400, 3), 40, np.uint8)
    drawn = draw_overlay(picture, Detections((ship_at(200, 150),)), (1, 1))
    assert drawn.shape == picture.shape and (picture == 40).all()
    changed = (drawn != picture).any(axis=-1)
    assert not changed[122:178, 195:206].any(), "the hull stays visible"
    assert changed[100:200, 185:194].any() and changed[100:200, 207:216].any()
    assert not changed[:, :150].any()


def test_the_overlay_is_drawn_in_the_pixels_of_its_picture():
    picture = np.full((300, 400, 3), 40, np.uint8)
    drawn = draw_overlay(picture, Detections((ship_at(400, 75, 120, 24),)), (0.5, 2.0))
    columns = np.flatnonzero((drawn != picture).any(axis=(0, 2)))
    rows = np.flatnonzero((drawn != picture).any(axis=(1, 2)))
    assert 185 <= columns[0] <= 194
    assert 20 <= rows[0] <= 32 and 268 <= rows[-1] <= 280


@pytest.mark.parametrize(("x", "y"), [(0, 0), (399, 0), (0, 299), (399, 299)])
def test_labels_stay_inside_the_picture(x, y):
    picture = np.full((300, 400, 3), 40, np.uint8)
    drawn = draw_overlay(picture, Detections((ship_at(x, y),)), (1, 1))
    label = (drawn == (15, 23, 32)).all(axis=-1)
    assert label.sum() > 300
    assert not (label[:, 0].any() and label[:, -1].any())


def test_colors_tell_how_sure_a_box_is():
    assert len({score_class(s).color for s in (0.9, 0.6, 0.3)}) == 3
    assert score_class(0.8) == score_class(0.99) and score_class(0.5) == score_class(0.79)


@pytest.mark.parametrize("script", ["ui/static/map.js", "viewer/static/viewer.js"])
def test_the_scripts_have_the_colors_of_the_pictures(script):
    text = (PROJECT / "shipdet" / script).read_text()
    classes = re.findall(r'\[([\d.]+), "#(\w{6})"(?:, "(?:score )?([^"]+)")?\]', text)
    assert len(classes) == len(SCORE_CLASSES)
    for (least, color, title), each in zip(classes, SCORE_CLASSES, strict=True):
        assert (float(least), bytes.fromhex(color)) == (each.least, bytes(each.color))
        assert title in ("", each.title)


@pytest.mark.parametrize("gsd", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("factor", [(1.0, 1.0), (4.0, 4.0)])
def test_a_crop_has_its_ship_in_the_middle(gsd, factor):
    picture = np.zeros((900, 1000, 3), np.uint8)
    x, y = 480, 520
    picture[y - 3 : y + 3, x - 3 : x + 3] = 255
    ship = ship_at(x / factor[0], y / factor[1], 100, 20)
    crop = crop_ship(picture, ship, factor, gsd)
    assert crop.shape == (CHIP_PX, CHIP_PX, 3) and crop.dtype == np.uint8
    light = crop.astype(float).sum(axis=-1)
    rows, columns = np.mgrid[:CHIP_PX, :CHIP_PX] + 0.5
    middle = [(columns * light).sum() / light.sum(), (rows * light).sum() / light.sum()]
    np.testing.assert_allclose(middle, [128, 128], atol=1.5)


def test_a_crop_shows_all_of_a_long_ship():
    picture = np.zeros((1200, 1200, 3), np.uint8)
    picture[400:800, 580:620] = 255
    crop = crop_ship(picture, ship_at(600, 600, 400, 40), (1, 1), 1.0)
    rows = np.flatnonzero(crop[:, 128, 0] > 128)
    assert rows[0] > 10 and rows[-1] < CHIP_PX - 10
    assert len(rows) == pytest.approx(CHIP_PX / 2, abs=3)


@pytest.mark.parametrize("gsd", [0.5, 1.2, 3.0])
@pytest.mark.parametrize("at", [(0, 0), (999, 0), (500, 899)])
def test_beyond_the_edge_a_crop_is_black(gsd, at):
    picture = np.full((900, 1000, 3), 200, np.uint8)
    crop = crop_ship(picture, ship_at(*at), (1, 1), gsd)
    share = (crop > 100).mean()
    expected = 0.5 if at[0] == 500 else 0.25
    assert share == pytest.approx(expected, abs=0.02)
