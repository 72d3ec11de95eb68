"""Blocks cover an area, each with half of the longest ship around it."""

import numpy as np
import pytest

from shipdet.areas import parse_area
from shipdet.cluster.jobs.blocks import box_degrees, cut_area, largest_side, overlap_px
from shipdet.detections import LONGEST_SHIP_M
from shipdet.errors import AreaTooLarge
from shipdet.geometry import PixelBox, gsd_at, pixel_box

ZOOM = 16


def area_of(width: int, height: int, x0: int = 2_150_107, y0: int = 5_590_211):
    box = box_degrees(PixelBox(x0, y0, x0 + width, y0 + height), ZOOM)
    return parse_area(list(box.as_tuple()))


@pytest.mark.parametrize(
    "size", [(100, 80), (2048, 2048), (2049, 300), (4000, 3000), (300, 9001), (5300, 5200)]
)
def test_cores_tile_the_area_without_gap_or_overlap(size):
    area = area_of(*size)
    whole = pixel_box(area.box, ZOOM)
    assert (whole.width, whole.height) == size
    blocks = cut_area(area, ZOOM, 1000)
    covered = np.zeros((whole.height, whole.width), np.uint8)
    for number, block in enumerate(blocks):
        assert block.number == number
        core, box = block.core, block.box
        covered[
            core.y0 - whole.y0 : core.y1 - whole.y0, core.x0 - whole.x0 : core.x1 - whole.x0
        ] += 1
        assert box.x0 <= core.x0 and box.y0 <= core.y0 and box.x1 >= core.x1 and box.y1 >= core.y1
        assert max(box.width, box.height) <= 2048 + 128
        for edge, end in ((core.x0, whole.x0), (core.y0, whole.y0), (core.x1, whole.x1),
                          (core.y1, whole.y1)):  # fmt: skip
            assert edge == end or edge % 256 == 0
    assert (covered == 1).all()


def test_boxes_lie_on_the_window_grid_of_the_picture():
    area = area_of(5300, 5200)
    whole = pixel_box(area.box, ZOOM)
    step = (101.7, 102.3)
    for block in cut_area(area, ZOOM, 100, window_grid=step):
        for edge, first, last, size in (
            (block.box.x0, whole.x0, whole.x1, step[0]),
            (block.box.x1, whole.x0, whole.x1, step[0]),
            (block.box.y0, whole.y0, whole.y1, step[1]),
            (block.box.y1, whole.y0, whole.y1, step[1]),
        ):
            share = (edge - first) / size
            assert edge == last or abs(share - round(share)) * size <= 0.501
        assert max(block.box.width, block.box.height) < 2300


def test_an_area_of_one_block_is_the_area_itself():
    area = area_of(1500, 2000)
    [block] = cut_area(area, ZOOM, 1)
    assert block.box == block.core == pixel_box(area.box, ZOOM)


@pytest.mark.parametrize("zoom", [3, 11, 15, 18, 20, 22])
def test_degrees_of_a_block_give_its_pixels_back(zoom):
    rng = np.random.default_rng(zoom)
    size = 256 * 2**zoom
    for _ in range(200):
        x, y = rng.integers(0, size - 40, 2)
        y = int(np.clip(y, size * 0.05, size * 0.95))
        box = PixelBox(int(x), y, int(x) + 17, y + 23)
        assert pixel_box(box_degrees(box, zoom), zoom) == box


def test_blocks_that_a_polygon_does_not_touch_are_left_out():
    whole = PixelBox(2_150_000, 5_590_000, 2_158_000, 5_598_000)
    west, south, east, north = box_degrees(whole, ZOOM).as_tuple()
    triangle = parse_area(f"POLYGON (({west} {north}, {east} {north}, {west} {south}))")
    full = cut_area(parse_area([west, south, east, north]), ZOOM, 100)
    part = cut_area(triangle, ZOOM, 100)
    assert len(full) * 0.4 < len(part) < len(full) * 0.8
    kept = {block.core for block in part}
    assert all(triangle.touches(box_degrees(b.core, ZOOM)) == (b.core in kept) for b in full)


def test_too_many_blocks_are_refused_before_they_are_made():
    with pytest.raises(AreaTooLarge, match="blocks"):
        cut_area(parse_area([-179.0, -80.0, 179.0, 80.0]), 22, 4096)


def test_the_overlap_holds_half_a_ship_and_leaves_a_core():
    for zoom in range(10, 21):
        for latitude in (0, 36, 60, 75):
            gsd = gsd_at(latitude, zoom)
            px = overlap_px(gsd)
            assert px % 128 == 0 and 2048 - 2 * px >= 1024
            assert px * gsd >= LONGEST_SHIP_M / 2 or px == 512
    assert overlap_px(10.0, 768) == 128


def test_a_block_is_small_enough_after_super_resolution():
    assert largest_side(256e6, 0) == largest_side(256e6, 1) == 2048
    side = largest_side(256e6, 2)
    assert side % 256 == 0 and side**2 * 256 <= 256e6
    area = area_of(3000, 900)
    for block in cut_area(area, ZOOM, 100, side):
        assert block.box.width * block.box.height * 256 <= 256e6 * 1.2


def test_an_area_cut_at_the_antimeridian_is_two_parts():
    def square(west, east):
        return [[[west, -17], [east, -17], [east, -16.98], [west, -16.98], [west, -17]]]

    parts = [square(179.98, 180), square(-180, -179.98)]
    area = parse_area({"type": "MultiPolygon", "coordinates": parts})
    blocks = cut_area(area, 16, 8)
    west = {box_degrees(block.core, 16).west > 0 for block in blocks}
    assert 2 <= len(blocks) <= 8 and west == {True, False}
    assert [part.as_tuple()[::2] for part in area.parts] == [(179.98, 180), (-180, -179.98)]
