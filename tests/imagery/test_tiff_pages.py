"""Which page of a TIFF is searched, and what that page keeps."""

import struct

import numpy as np
import pytest
import rasterio
from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter, ImageFileDirectory_v2
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin

from shipdet.imagery import open_raster
from shipdet.imagery.tiff_pages import MAX_TAGS, pages_of

PIXELS = np.random.default_rng(8).integers(1, 255, (66, 72, 3), dtype=np.uint8)
FULL = Image.fromarray(PIXELS)
SMALL = FULL.resize((36, 33))
SUB_PAGES, PLACEHOLDER = 330, 65_000


def save(path, *pages, **options):
    """Write pages, each with its own tags, as a TIFF."""
    with AppendingTiffWriter(path, new=True) as file:
        for image, tags in pages:
            image.save(file, "TIFF", tiffinfo=tags, **options)
            file.newFrame()
    return path


def notes_of(path, pixels=PIXELS):
    picture = open_raster(path, 3.0)
    assert np.array_equal(picture.pixels, pixels)
    return picture.provenance.notes


def test_a_first_page_that_is_marked_as_reduced_is_passed_over(tmp_path):
    path = save(tmp_path / "pages.tif", (SMALL, {254: 1}), (FULL, {}))
    says = "The file's first page has 36x33 pixels: page 2 with 72x66 is used."
    assert notes_of(path) == (says,)


@pytest.mark.parametrize("before", [10, 40])
def test_the_largest_of_many_pages_is_found(tmp_path, before):
    path = save(tmp_path / "pages.tif", *[(SMALL, {})] * before, (FULL, {}), (SMALL, {}))
    assert f"page {before + 1} with 72x66 is used" in notes_of(path)[0]


def test_pages_of_one_size_are_counted_in_a_note(tmp_path):
    path = save(tmp_path / "pages.tif", (FULL, {}), (SMALL, {254: 1}), (FULL, {}), (FULL, {}))
    assert notes_of(path) == ("The file has 3 pages of one size: the first is used.",)


@pytest.mark.parametrize("big", [False, True])
def test_an_image_inside_a_page_is_found(tmp_path, big):
    info = ImageFileDirectory_v2()
    info[PLACEHOLDER], info.tagtype[PLACEHOLDER] = 0, 4  # LONG
    path = save(tmp_path / "pages.tif", (SMALL, info), (FULL, {}), big_tiff=big)
    inner = pages_of(path)[1].offset
    entry, offset = ("<HHQQ", "<Q") if big else ("<HHII", "<I")
    data = path.read_bytes().replace(struct.pack(offset, inner), struct.pack(offset, 0), 1)
    tags = [struct.pack(entry, tag, 4, 1, at) for tag, at in ((PLACEHOLDER, 0), (SUB_PAGES, inner))]
    path.write_bytes(data.replace(*tags))
    assert "image 1 inside page 1 with 72x66 is used" in notes_of(path)[0]


def test_a_later_page_is_turned_upright(tmp_path):
    path = save(tmp_path / "pages.tif", (SMALL, {}), (FULL, {274: 6}))
    assert any("rotated upright" in note for note in notes_of(path, np.rot90(PIXELS, -1)))


def test_values_that_pillow_cannot_read_are_turned_too(tmp_path):
    path = tmp_path / "scan.tif"
    size = {"width": 72, "height": 66, "count": 3, "dtype": "float64"}
    with rasterio.open(path, "w", driver="GTiff", **size, BIGTIFF="YES", ENDIANNESS="BIG") as file:
        file.write(np.moveaxis(PIXELS, -1, 0))
        file.update_tags(TIFFTAG_RESOLUTIONUNIT=2)
    entries = [struct.pack(">HHQH", tag, 3, 1, value) for tag, value in ((296, 2), (274, 6))]
    path.write_bytes(path.read_bytes().replace(*entries))
    picture = open_raster(path, 3.0)
    assert (picture.grid.width, picture.grid.height) == (66, 72)
    assert any("rotated upright" in note for note in picture.provenance.notes)


def georeferenced(path, image, **options):
    pixels = np.moveaxis(np.asarray(image), -1, 0)
    count, height, width = pixels.shape
    size = {"width": width, "height": height, "count": count, "dtype": pixels.dtype}
    gcps = options.pop("gcps", None)
    mask = options.pop("mask", None)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with rasterio.open(path, "w", driver="GTiff", **size, **options) as dataset:
            dataset.write(pixels)
            if gcps:
                dataset.gcps = (gcps, "EPSG:4326")
            if mask is not None:
                dataset.write_mask(mask)


def control_points(scale):
    degree = 3 / 111_320 / scale
    return [
        GroundControlPoint(y * scale, x * scale, 4.0 + degree * scale * x, 2.0 - degree * scale * y)
        for x in (0, 36, 72)
        for y in (0, 33, 66)
    ]


@pytest.mark.parametrize("placed", ["the first page", "the larger page"])
def test_a_later_page_keeps_its_control_points(tmp_path, placed):
    path = tmp_path / "pages.tif"
    first = placed == "the first page"
    georeferenced(path, SMALL, gcps=control_points(0.5) if first else None)
    appended = {"gcps": None if first else control_points(1.0), "APPEND_SUBDATASET": "YES"}
    georeferenced(path, FULL, **appended)
    picture = open_raster(path)
    assert np.array_equal(picture.pixels, PIXELS)
    assert picture.grid.gsd_m == pytest.approx(3.0, rel=0.02)
    assert picture.grid.lonlat([(0, 0)])[0] == pytest.approx([4.0, 2.0])


def test_a_later_page_has_the_place_of_the_first(tmp_path):
    path = tmp_path / "pages.tif"
    georeferenced(path, SMALL, crs="EPSG:32631", transform=from_origin(500_000, 5_700_000, 6, 6))
    georeferenced(path, FULL, APPEND_SUBDATASET="YES")
    assert open_raster(path).grid.gsd_m == pytest.approx(3.0, rel=0.01)


def test_a_mask_of_a_later_page_is_reported(tmp_path):
    path = tmp_path / "pages.tif"
    georeferenced(path, SMALL)
    georeferenced(path, FULL, mask=PIXELS[..., 0] > 99, APPEND_SUBDATASET="YES")
    assert "The mask of page 2 is not used." in notes_of(path)


def test_a_larger_page_that_cannot_be_read_is_reported(tmp_path):
    path = save(tmp_path / "pages.tif", (SMALL, {}), (FULL, {}))
    kinds = [struct.pack("<HHI", 258, kind, 3) for kind in (3, 99)]  # BitsPerSample
    data, second = path.read_bytes(), pages_of(path)[1].offset
    path.write_bytes(data[:second] + data[second:].replace(*kinds))
    picture = open_raster(path, 3.0)
    assert picture.pixels.shape == (33, 36, 3)
    assert "no larger page can be read" in picture.provenance.notes[0]


def test_damage_ends_the_list_of_pages(tmp_path):
    path = save(tmp_path / "pages.tif", (SMALL, {}), (FULL, {}))
    first, second = pages_of(path)
    data = path.read_bytes()
    for offset in (len(data) + 9, 0, first.offset, 2**32 - 1):
        path.write_bytes(data.replace(struct.pack("<I", second.offset), struct.pack("<I", offset)))
        assert pages_of(path) == [first]
    path.write_bytes(data[: second.offset] + struct.pack("<H", MAX_TAGS + 1) + bytes(99_999))
    assert pages_of(path) == [first]
    path.write_bytes(b"II*\0")
    assert pages_of(path) == []
