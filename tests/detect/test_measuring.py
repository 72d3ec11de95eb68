"""Length, width and direction of painted ships."""

import numpy as np
import pytest

from shipdet.detect.measuring import cut_piece, measure
from shipdet.detect.view import NetworkView
from tests.helpers.painted import (
    NET_GSD_M,
    STEEL,
    WATER,
    paint,
    paint_ship,
    picture_mosaic,
    sea,
)

SIDE_M = 640.0
QUAY = (168, 164, 158)


def turned(a, b):
    """Degrees between two axes."""
    return abs((a - b + 90) % 180 - 90)


def measured(pixels, gsd, at_m, off_m=(0.0, 0.0), coverage=None):
    """The hull at a place, in metres; ``off_m`` is how far the peak lies from its middle."""
    view = NetworkView(picture_mosaic(pixels, gsd, coverage), NET_GSD_M)
    x, y = (np.array(at_m) + off_m) / NET_GSD_M
    hull = measure(cut_piece(view, x, y))[0]
    return (
        np.array([hull.x, hull.y]) * NET_GSD_M,
        hull.length * NET_GSD_M,
        hull.width * NET_GSD_M,
        hull.axis_deg,
    )


def water(gsd, side_m=SIDE_M, seed=0):
    gsd_x, gsd_y = gsd if isinstance(gsd, tuple) else (gsd, gsd)
    return sea(round(side_m / gsd_x), round(side_m / gsd_y), seed)


@pytest.mark.parametrize("gsd", [1.0, 3.0])
@pytest.mark.parametrize(
    ("length", "width", "axis"),
    [(60, 11, 20), (90, 16, 135), (150, 24, 0), (180, 30, 77), (230, 32, 90), (330, 48, 161)],
)
def test_a_ship_at_sea_has_its_size_and_direction(gsd, length, width, axis):
    pixels = water(gsd)
    at = (318.0, 325.0)
    paint_ship(pixels, gsd, at, length, width, axis)
    middle, got_length, got_width, got_axis = measured(pixels, gsd, at, (9.0, -7.0))
    assert got_length == pytest.approx(length, rel=0.10)
    # A picture cannot tell half a pixel on either side, nor can its copy at the model's scale.
    assert got_width == pytest.approx(width, rel=0.10, abs=gsd + NET_GSD_M / 2)
    assert turned(got_axis, axis) < 5
    assert np.hypot(*(middle - at)) < max(4.0, 0.03 * length)


@pytest.mark.parametrize("colour", [(60, 20, 18), (120, 60, 50), (235, 240, 240)])
def test_a_ship_of_any_colour_is_measured(colour):
    pixels = water(1.0)
    paint_ship(pixels, 1.0, (320, 320), 140, 22, 40, colour)
    _, length, width, axis = measured(pixels, 1.0, (320, 320))
    assert length == pytest.approx(140, rel=0.1) and width == pytest.approx(22, rel=0.12)
    assert turned(axis, 40) < 5


@pytest.mark.parametrize("gsd", [(1.0, 2.0), (3.0, 1.2)])
def test_pixels_that_are_not_square_do_not_bend_a_ship(gsd):
    pixels = water(gsd)
    paint_ship(pixels, gsd, (320, 320), 200, 30, 35)
    _, length, width, axis = measured(pixels, gsd, (320, 320))
    assert length == pytest.approx(200, rel=0.1) and width == pytest.approx(30, rel=0.15)
    assert turned(axis, 35) < 5


def test_a_small_boat_is_small():
    pixels = water(1.0)
    paint_ship(pixels, 1.0, (320, 320), 24, 7, 110)
    _, length, width, axis = measured(pixels, 1.0, (320, 320))
    assert 20 < length < 29 and 5.5 < width < 9.5
    assert turned(axis, 110) < 10


@pytest.mark.parametrize("axis", [0, 52, 90, 148])
def test_a_fading_wake_is_no_part_of_the_ship(axis):
    pixels = water(1.0)
    at = np.array([320.0, 320.0])
    length, width = 120, 20
    theta = np.radians(axis)
    astern = np.array([-np.sin(theta), np.cos(theta)])
    for number in range(10):  # ever fainter and narrower
        middle = at + astern * (length / 2 + 9 + 18 * number)
        half = (0.5 - 0.03 * number) * width * 0.8
        along, across = astern * 9.5, np.array([astern[1], -astern[0]]) * half
        quad = np.stack(
            [
                middle - along - across,
                middle - along + across,
                middle + along + across,
                middle + along - across,
            ]
        )
        paint(pixels, quad, (190, 205, 210), 0.45 * 0.8**number)
    paint_ship(pixels, 1.0, tuple(at), length, width, axis)
    middle, got_length, got_width, got_axis = measured(pixels, 1.0, at)
    assert got_length == pytest.approx(length, rel=0.12)
    assert got_width == pytest.approx(width, rel=0.15)
    assert turned(got_axis, axis) < 5
    assert np.hypot(*(middle - at)) < 8


@pytest.mark.parametrize("axis", [0, 52, 148])
@pytest.mark.parametrize("astern_m", [0, 25, 45])
def test_a_fast_boat_is_found_at_the_end_of_its_wake(axis, astern_m):
    pixels = water(1.0)
    at = np.array([320.0, 320.0])
    length, width = 45, 10
    theta = np.radians(axis)
    astern = np.array([-np.sin(theta), np.cos(theta)])
    for side in (-0.13, 0.0, 0.13):  # churned water and two arms, out of what is looked at
        along = astern + side * np.array([astern[1], -astern[0]])
        start, end = at + 20 * along, at + 600 * along
        across = np.array([astern[1], -astern[0]]) * 2.5
        arm = np.stack([start - across, start + across, end + across, end - across])
        paint(pixels, arm, (190, 205, 210), 0.4)
    paint_ship(pixels, 1.0, tuple(at), length, width, axis)
    middle, got_length, _, got_axis = measured(pixels, 1.0, at, tuple(astern * astern_m))
    assert got_length == pytest.approx(length, rel=0.2)
    assert turned(got_axis, axis) < 8
    assert np.hypot(*(middle - at)) < 6


@pytest.mark.parametrize("gsd", [1.0, 3.0])
@pytest.mark.parametrize("axis", [0, 30, 90, 120])
def test_a_ship_at_a_bright_quay_lies_along_it(gsd, axis):
    pixels = water(gsd)
    at = np.array([320.0, 320.0])
    length, width = 180, 30
    theta = np.radians(axis)
    along = np.array([np.sin(theta), -np.cos(theta)])
    across = np.array([np.cos(theta), np.sin(theta)])
    near = at + across * (width / 2 + 1)
    quay = np.stack(
        [
            near - along * 900,
            near + along * 900,
            near + along * 900 + across * 900,
            near - along * 900 + across * 900,
        ]
    )
    paint(pixels, quay / gsd, QUAY)
    paint_ship(pixels, gsd, tuple(at), length, width, axis, (110, 52, 44))
    middle, got_length, got_width, got_axis = measured(pixels, gsd, at)
    assert turned(got_axis, axis) < 10
    assert np.hypot(*(middle - at)) < 40
    assert 0.85 * length < got_length < 1.15 * length
    assert got_width < 75


def test_the_neighbour_is_not_measured_along_with_it():
    pixels = water(1.0)
    paint_ship(pixels, 1.0, (280, 320), 120, 20, 0)
    paint_ship(pixels, 1.0, (380, 320), 180, 28, 0)
    middle, length, width, _ = measured(pixels, 1.0, (280, 320))
    assert length == pytest.approx(120, rel=0.1) and width == pytest.approx(20, rel=0.1)
    assert abs(middle[0] - 280) < 3


def test_a_boat_at_the_end_of_a_mole_is_not_the_mole():
    pixels = water(1.0)
    mole = np.array([[309, -5], [331, -5], [331, 448], [309, 448]], np.float64)
    paint(pixels, mole, STEEL)
    paint_ship(pixels, 1.0, (320, 472), 56, 14, 0)
    center, length, _, _ = measured(pixels, 1.0, (320, 472))
    assert np.hypot(*(center - [320, 472])) < 60
    assert length < 200


def test_a_ship_beside_a_gap_ends_where_the_data_end():
    pixels = water(1.0)
    paint_ship(pixels, 1.0, (320, 320), 160, 26, 90)
    coverage = np.ones(pixels.shape[:2], np.bool_)
    coverage[:, 350:] = False
    pixels[~coverage] = 0
    middle, length, _, axis = measured(pixels, 1.0, (310, 320), coverage=coverage)
    assert length == pytest.approx(110, abs=10)
    assert turned(axis, 90) < 5 and middle[0] + length / 2 < 354


def test_a_mirrored_hull_is_not_counted_at_the_edge():
    pixels = water(1.0)
    paint_ship(pixels, 1.0, (30, 320), 160, 26, 90)  # 50 m of it lie beyond the edge
    middle, length, _, axis = measured(pixels, 1.0, (30, 320))
    assert length == pytest.approx(110, abs=8)
    assert middle[0] - length / 2 > -3 and turned(axis, 90) < 5


def test_empty_water_gives_a_small_box_and_no_error():
    for pixels in (water(1.0), np.full((640, 640, 3), WATER, np.uint8)):
        _, length, width, axis = measured(pixels, 1.0, (320, 320))
        assert 0 < width <= length < 320 and 0 <= axis < 180


@pytest.mark.parametrize("at", [(1, 1), (639, 2), (320, 639)])
def test_a_peak_at_a_corner_gives_a_box_and_no_error(at):
    pixels = water(1.0)
    paint_ship(pixels, 1.0, at, 100, 18, 45, STEEL)
    _, length, width, _ = measured(pixels, 1.0, at)
    assert 0 < width <= length < 320


@pytest.mark.parametrize("gsd", [1.0, 3.0])
@pytest.mark.parametrize("axis", [0, 35, 90, 160])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_barge_alongside_is_a_ship_of_its_own(gsd, axis, side):
    pixels = water(gsd)
    at = np.array([320.0, 320.0])
    theta = np.radians(axis)
    across = np.array([np.cos(theta), np.sin(theta)]) * side
    barge = at + across * (32 + 14) / 2 + np.array([np.sin(theta), -np.cos(theta)]) * 20
    paint_ship(pixels, gsd, tuple(at), 190, 32, axis)
    paint_ship(pixels, gsd, tuple(barge), 70, 14, axis, (150, 120, 110))
    view = NetworkView(picture_mosaic(pixels, gsd), NET_GSD_M)
    hulls = measure(cut_piece(view, *(at / NET_GSD_M)))
    assert len(hulls) == 2
    for hull, place, length, width in zip(hulls, (at, barge), (190, 70), (32, 14), strict=True):
        assert hull.length * NET_GSD_M == pytest.approx(length, rel=0.12)
        assert hull.width * NET_GSD_M == pytest.approx(width, abs=2 * gsd + 2)
        assert turned(hull.axis_deg, axis) < 4
        assert np.hypot(*(np.array([hull.x, hull.y]) * NET_GSD_M - place)) < 8


@pytest.mark.parametrize("gsd", [1.0, 3.0])
@pytest.mark.parametrize("axis", [0, 35, 120])
@pytest.mark.parametrize("ahead", [0, 25])
def test_two_tankers_side_by_side_are_two(gsd, axis, ahead):
    pixels = water(gsd)
    theta = np.radians(axis)
    along, across = (
        np.array([np.sin(theta), -np.cos(theta)]),
        np.array([np.cos(theta), np.sin(theta)]),
    )
    places = [
        np.array([320.0, 320.0]) + side * (15 * across + ahead / 2 * along) for side in (-1, 1)
    ]
    for place in places:
        paint_ship(pixels, gsd, tuple(place), 185, 28, axis)
    view = NetworkView(picture_mosaic(pixels, gsd), NET_GSD_M)
    hulls = measure(cut_piece(view, 320 / NET_GSD_M, 320 / NET_GSD_M))
    assert len(hulls) == 2
    for place in places:
        gaps = [np.hypot(*(np.array([h.x, h.y]) * NET_GSD_M - place)) for h in hulls]
        hull = hulls[int(np.argmin(gaps))]
        assert min(gaps) < 8 + ahead / 2
        assert 185 * 0.9 < hull.length * NET_GSD_M < (185 + ahead) * 1.1
        assert hull.width * NET_GSD_M == pytest.approx(29, abs=4)
        assert turned(hull.axis_deg, axis) < 8


@pytest.mark.parametrize("axis", [0, 35, 90, 160])
def test_a_tug_alongside_or_a_bridge_wing_is_no_barge(axis):
    pixels = water(1.0)
    at = np.array([320.0, 320.0])
    theta = np.radians(axis)
    across = np.array([np.cos(theta), np.sin(theta)])
    paint_ship(pixels, 1.0, tuple(at), 190, 32, axis)
    paint_ship(pixels, 1.0, tuple(at + across * 21), 26, 10, axis)
    view = NetworkView(picture_mosaic(pixels, 1.0), NET_GSD_M)
    hulls = measure(cut_piece(view, *(at / NET_GSD_M)))
    assert len(hulls) == 1 and hulls[0].length * NET_GSD_M == pytest.approx(190, rel=0.1)
