"""The map decoded into boxes, and each ship kept once."""

import numpy as np
import pytest

from shipdet.detect.candidates import (
    CORE,
    MOST_CENTERS,
    SAME_SHIP_SHARE,
    Candidates,
    decode,
    fitted,
    joined,
    overlap,
    shares_in,
    suppressed,
)
from shipdet.models.map_channels import MAP_CHANNELS


def answers(rows=20, columns=30):
    """A map on which nothing is to be seen, and its channels by name."""
    maps = np.zeros((len(MAP_CHANNELS), rows, columns), np.float32)
    channel = dict(zip(MAP_CHANNELS, maps, strict=True))
    channel["center"][:] = -9.0
    return maps, channel


def candidates(boxes, scores):
    boxes = np.array(boxes, np.float64).reshape(-1, 5)
    return Candidates(boxes, np.zeros((len(boxes), 5)), np.array(scores, np.float64))


def test_a_center_becomes_the_box_that_its_cell_tells():
    maps, channel = answers()
    angle = np.radians(160)
    for name, value in {
        "center": 2.0, "dx": 0.25, "dy": -0.5, "log_length": np.log(90), "log_width": np.log(14),
        "cos2": np.cos(2 * angle), "sin2": np.sin(2 * angle),
    }.items():  # fmt: skip
        channel[name][7, 12] = value
    boxes, centers = decode(maps, -4.0)
    assert len(boxes) == 1 and centers.tolist() == [2.0]
    x, y, length, width, found = boxes[0]
    assert (x, y) == ((12.5 + 0.25) * 4, (7.5 - 0.5) * 4)
    assert (length, width) == pytest.approx((90, 14))
    assert found % np.pi == pytest.approx(angle)


def test_only_local_maxima_above_the_least_are_read():
    maps, channel = answers()
    channel["center"][5, 5], channel["center"][5, 6] = 1.0, 0.5
    channel["center"][12, 20] = -3.9
    channel["center"][15, 3] = -4.1
    boxes, _ = decode(maps, -4.0)
    assert boxes[:, :2].tolist() == [[22.0, 22.0], [82.0, 50.0]]
    assert len(decode(answers()[0], -4.0)[0]) == 0


def test_a_level_map_gives_the_highest_centers_only():
    maps, channel = answers(320, 320)
    channel["center"][:] = 0.0
    channel["center"][200, 100] = 1.0
    boxes, centers = decode(maps, least_center=-3.0)
    assert len(boxes) == len(centers) == MOST_CENTERS
    assert boxes[0, :2].tolist() == [402.0, 802.0] and centers[0] == 1.0
    assert len(fitted(maps, boxes, (0, 0, 1280, 1280))) == MOST_CENTERS


def test_a_box_is_never_wider_than_long():
    maps, channel = answers()
    channel["center"][5, 5] = 1.0
    channel["log_length"][5, 5], channel["log_width"][5, 5] = 2.0, 4.0
    box = decode(maps, -4.0)[0][0]
    assert box[2] == box[3] == pytest.approx(np.exp(2.0))


def test_wild_answers_stay_finite():
    maps, channel = answers()
    channel["center"][5, 5] = 1.0
    for name in ("dx", "dy", "log_length", "log_width"):
        channel[name][5, 5] = 60.0
    box = decode(maps, -4.0)[0][0]
    assert np.isfinite(box).all() and box[0] == (5.5 + 1) * 4


def test_shares_are_read_inside_the_turned_box():
    maps, channel = answers(40, 40)
    channel["hull"][:], channel["water"][:] = -8.0, -8.0
    channel["hull"][:, 19:21] = 8.0  # a column of hull, 8 px wide
    channel["water"][20:] = 8.0
    upright = np.array([[80.0, 80.0, 120.0, 8.0, np.pi / 2]])
    across = np.array([[80.0, 80.0, 120.0, 8.0, 0.0]])
    hull, water, hull_around, _, water_near = shares_in(maps, upright)[0]
    assert hull > 0.9 and 0.3 < water < 0.7
    assert hull_around < 0.4 and water_near > 0.9
    assert shares_in(maps, across)[0, 0] < 0.4
    assert shares_in(maps, np.empty((0, 5))).shape == (0, 5)
    outside = np.array([[-50.0, 500.0, 40.0, 8.0, 0.0]])
    assert np.isfinite(shares_in(maps, outside)).all()


def test_the_area_that_boxes_share():
    square = np.array([50.0, 50.0, 20.0, 20.0, 0.0])
    moved = [np.array([50.0 + by, 50.0, 20.0, 20.0, 0.0]) for by in (0, 10, 100)]
    shared = [overlap(square, other) for other in moved]
    assert shared == pytest.approx([400, 200, 0], rel=0.01)
    turned = np.array([50.0, 50.0, 20.0, 20.0, np.pi / 2])
    assert overlap(square, turned) == pytest.approx(400, rel=0.01)


def test_the_better_of_two_boxes_of_one_ship_is_kept():
    kept = suppressed(candidates([[50, 50, 80, 12, 0.1], [53, 50, 70, 12, 0.12]], [0.4, 0.9]))
    assert kept.boxes[:, 0].tolist() == [53] and kept.scores.tolist() == [0.9]


def test_a_center_in_the_core_of_a_better_box_is_the_same_ship():
    def beside(share):
        """A small box whose center lies so far towards the side of a large one."""
        return [[100, 100, 200, 40, 0.0], [100 + share * 100, 100, 12, 8, 1.2]]

    assert len(suppressed(candidates(beside(CORE - 0.05), [0.9, 0.5]))) == 1
    # Beyond the core it still shares all of itself with the better one.
    assert len(suppressed(candidates(beside(CORE + 0.1), [0.9, 0.5]))) == 1
    off_the_bow = [[100, 100, 200, 40, 0.0], [206, 100, 12, 8, 1.2]]
    assert len(suppressed(candidates(off_the_bow, [0.9, 0.5]))) == 2


@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi / 2])
def test_ships_side_by_side_are_two_even_if_boxes_touch(angle):
    across = np.array([-np.sin(angle), np.cos(angle)])
    first, second = np.array([200.0, 200.0]), np.array([200.0, 200.0]) + 16 * across
    boxes = [[*first, 120, 20, angle], [*second, 110, 20, angle]]
    assert len(suppressed(candidates(boxes, [0.9, 0.8]))) == 2, "a fifth is shared"
    nearer = first + (1 - SAME_SHIP_SHARE - 0.1) * 20 * across
    assert len(suppressed(candidates([boxes[0], [*nearer, 110, 20, angle]], [0.9, 0.8]))) == 1


def test_suppression_gives_the_best_first():
    boxes = [[100 * n, 0, 40, 8, 0.0] for n in range(5)]
    scores = [0.3, 0.9, 0.1, 0.9, 0.5]
    kept = suppressed(candidates(boxes, scores))
    assert kept.scores.tolist() == sorted(scores, reverse=True)
    assert kept.boxes[:2, 0].tolist() == [100, 300], "the first of equals stays first"
    assert len(suppressed(candidates([], []))) == 0


def test_nothing_joined_is_an_empty_table():
    empty = joined([], 5)
    assert empty.boxes.shape == (0, 5) and empty.features.shape == (0, 5) and len(empty) == 0
    both = joined([candidates([[1, 1, 9, 3, 0]], [0.5]), candidates([[5, 5, 9, 3, 0]], [0.7])], 5)
    assert both.scores.tolist() == [0.5, 0.7]


def test_a_box_takes_length_and_center_from_the_hull():
    maps, channel = answers(60, 60)
    channel["hull"][:] = -8.0
    channel["hull"][28:32, 20:50] = 8.0  # 120 px, its center at x = 140
    boxes = np.array([
        [130.0, 120.0, 100.0, 16.0, 0.0],  # too short, and off the middle
        [130.0, 120.0, 300.0, 16.0, 0.0],  # more than twice as long as the hull
        [130.0, 120.0, 20.0, 16.0, 0.0],  # too short to be fitted
        [130.0, 40.0, 100.0, 16.0, 0.0],  # no hull in its center
    ])  # fmt: skip
    result = fitted(maps, boxes, (0, 0, 240, 240))
    assert result[0] == pytest.approx([140, 120, 120, 16, 0], abs=2)
    np.testing.assert_array_equal(result[1:], boxes[1:])
    assert fitted(maps, boxes[:0], (0, 0, 240, 240)).shape == (0, 5)


def test_a_hull_ends_at_the_edge_of_the_picture():
    maps, channel = answers(60, 60)
    channel["hull"][:] = -8.0
    channel["hull"][28:32, 20:50] = 8.0
    [box] = fitted(maps, np.array([[130.0, 120.0, 100.0, 16.0, 0.0]]), (100, 0, 240, 240))
    assert box[0] - box[2] / 2 == pytest.approx(100, abs=3)
    assert box[0] + box[2] / 2 == pytest.approx(200, abs=3)


@pytest.mark.parametrize("turned", [False, True])
def test_a_hull_that_leaves_the_canvas_keeps_the_end_of_its_box(turned):
    maps, channel = answers(60, 60)
    channel["hull"][:] = -8.0
    channel["hull"][28:32, 30:] = 8.0  # from x = 120 to the edge of the canvas, 240
    angle = 0.0
    if turned:
        maps, angle = np.ascontiguousarray(maps.transpose(0, 2, 1)), np.pi / 2
    center = [120.0, 190.0] if turned else [190.0, 120.0]
    [box] = fitted(maps, np.array([[*center, 150.0, 16.0, angle]]), (-999, -999, 9999, 9999))
    along = box[1] if turned else box[0]
    assert along - box[2] / 2 == pytest.approx(120, abs=3), "where the hull ends"
    assert along + box[2] / 2 == pytest.approx(190 + 75, abs=3), "where the box ends"
