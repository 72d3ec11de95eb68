"""A ship that several blocks see is one ship."""

import numpy as np
import pytest

from shipdet.areas import Area, parse_area
from shipdet.cluster.jobs.block_merging import merge_blocks, owned
from shipdet.cluster.jobs.blocks import Block, box_degrees, cut_area
from shipdet.detections import Detection, Detections
from shipdet.geometry import Grid, PixelBox, pixel_box, rectangle

ZOOM = 16


def area_of(width: int, height: int, x0: int = 2_150_107, y0: int = 5_590_211) -> Area:
    box = box_degrees(PixelBox(x0, y0, x0 + width, y0 + height), ZOOM)
    return parse_area(list(box.as_tuple()))


def ship(
    x: float, y: float, score: float = 0.9, cut: bool = False, length: float = 60
) -> Detection:
    corners = rectangle((x, y), length, 12, 30.0)
    grid = Grid.from_tiles(PixelBox(0, 0, 8, 8), ZOOM)
    return Detection(1, score, x, y, corners, 100.0, 20.0, 30.0, 4.0, 51.0, grid.lonlat(corners),
                     cut=cut)  # fmt: skip


@pytest.fixture
def two_blocks() -> tuple[object, Block, Block]:
    area = area_of(2800, 1000)
    left, right = cut_area(area, ZOOM, 10)
    return area, left, right


def local(block: Block, x: float, y: float, **values: object) -> Detection:
    """A ship at global pixels, as a block's picture shows it."""
    return ship(x - block.box.x0, y - block.box.y0, **values)  # type: ignore[arg-type]


def found(block: Block, *ships: Detection) -> tuple[Block, Detections]:
    return block, owned(block, Detections(ships, 0.1))


@pytest.mark.parametrize("jitter", [(-0.7, 0.8), (0.7, -0.8), (0.0, 0.0), (-3.0, 2.0)])
def test_a_ship_on_a_border_is_there_once(two_blocks, jitter):
    area, left, right = two_blocks
    border, y = left.core.x1, left.core.y0 + 400
    pair = [
        found(left, local(left, border + jitter[0], y)),
        found(right, local(right, border + jitter[1], y, score=0.8)),
    ]
    merged = merge_blocks(pair, area, ZOOM, 0.1)
    assert len(merged) == 1
    assert merged[0].x == pytest.approx(border - pixel_box(area.box, ZOOM).x0, abs=3.1)


def test_two_ships_on_both_sides_of_a_border_are_two(two_blocks):
    area, left, right = two_blocks
    border, y = left.core.x1, left.core.y0 + 400
    places = [border - 40, border + 40]
    pair = [found(b, *(local(b, x, y) for x in places)) for b in (left, right)]
    merged = merge_blocks(pair, area, ZOOM, 0.1)
    assert sorted(d.x for d in merged) == [x - pixel_box(area.box, ZOOM).x0 for x in places]


def test_neighbors_that_one_block_tells_apart_stay_apart(two_blocks):
    area, left, _ = two_blocks
    x, y = left.core.x0 + 300, left.core.y0 + 300
    merged = merge_blocks([found(left, local(left, x, y), local(left, x + 14, y))], area, ZOOM, 0.1)
    assert len(merged) == 2


def test_the_block_that_sees_the_whole_ship_is_believed(two_blocks):
    area, left, right = two_blocks
    border, y = left.core.x1, left.core.y0 + 400
    whole = local(right, border - 5, y, score=0.6, length=90)
    part = local(left, border - 6, y, score=0.9, cut=True)
    merged = merge_blocks([found(left, part), found(right, whole)], area, ZOOM, 0.1)
    assert [d.score for d in merged] == [0.6]


def test_ships_outside_the_polygon_are_left_out(two_blocks):
    area, left, _ = two_blocks
    inside = found(left, local(left, left.core.x0 + 300, left.core.y0 + 300))
    elsewhere = parse_area("POLYGON ((50 50, 51 50, 51 51, 50 51))")
    polygon = Area(area.box, elsewhere.polygon)
    assert len(merge_blocks([inside], area, ZOOM, 0.1)) == 1
    assert len(merge_blocks([inside], polygon, ZOOM, 0.1)) == 0


def test_a_block_keeps_only_what_lies_in_its_core_or_very_near(two_blocks):
    _, left, _ = two_blocks
    far = local(left, left.core.x1 + 100, left.core.y0 + 400)
    near = local(left, left.core.x1 + 10, left.core.y0 + 400)
    assert len(found(left, far, near)[1]) == 1


def at_border(two_blocks, first: Detection, second: Detection) -> Detections:
    area, left, right = two_blocks
    return merge_blocks([found(left, first), found(right, second)], area, ZOOM, 0.1)


def test_measures_that_differ_across_a_small_boat_are_one(two_blocks):
    _, left, right = two_blocks
    x, y = left.core.x1, left.core.y0 + 400
    across = np.array([np.cos(np.radians(30)), np.sin(np.radians(30))])  # of an axis of 30 degrees
    for gap, count in ((7.0, 1), (13.0, 2)):
        other = (x + gap * across[0], y + gap * across[1])
        pair = local(left, x, y, length=25), local(right, *other, length=25)
        assert len(at_border(two_blocks, *pair)) == count, gap


def test_a_long_ship_and_the_end_of_it_are_one(two_blocks):
    _, left, right = two_blocks
    x, y = left.core.x1, left.core.y0 + 400
    along = np.array([np.sin(np.radians(30)), -np.cos(np.radians(30))])
    end = (x + 70 * along[0], y + 70 * along[1])
    pair = local(right, x, y, score=0.5, length=200), local(left, *end, length=60, cut=True)
    merged = merge_blocks([(right, Detections(pair[:1])), (left, Detections(pair[1:]))],
                          two_blocks[0], ZOOM, 0.1)  # fmt: skip
    assert [d.score for d in merged] == [0.5]


def test_no_ships_are_no_ships(two_blocks):
    area, left, right = two_blocks
    assert len(merge_blocks([found(left), found(right)], area, ZOOM, 0.1)) == 0
