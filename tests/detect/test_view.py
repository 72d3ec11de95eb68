"""The mosaic at the classifier's scale: pieces lie where they should, whatever the scaling."""

import cv2
import numpy as np
import pytest

from shipdet.detect.view import NetworkView
from tests.helpers.painted import picture_mosaic, sea


def dotted(width, height, places, size=3):
    """Black with white squares whose middle is the middle of the pixel at each place."""
    pixels = np.zeros((height, width, 3), np.uint8)
    reach = size // 2
    for x, y in places:
        pixels[y - reach : y + reach + 1, x - reach : x + reach + 1] = 255
    return pixels


def center_of_light(piece):
    """Center of gravity in pixels whose corners are whole numbers."""
    weights = piece.astype(float).sum(axis=-1)
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    return (columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()


# Meters per pixel: finer than the network (shrunk), equal, coarser (enlarged).
@pytest.mark.parametrize("gsd", [0.3, 0.6, 1.0, 1.3, 3.0, 4.8])
@pytest.mark.parametrize("corner", [(0, 0), (40, 25), (33.5, 12.25)])
def test_a_dot_lies_where_it_should(gsd, corner):
    width, height = 301, 253
    x, y = 150, 120
    view = NetworkView(picture_mosaic(dotted(width, height, [(x, y)]), gsd), 1.0)
    x0, y0 = corner
    piece, mask = view.cut(x0, y0, view.width, view.height)
    assert mask.all() and piece.shape == (view.height, view.width, 3)
    found = center_of_light(piece) + np.array(corner)
    expected = np.array([x + 0.5, y + 0.5]) * [view.width / width, view.height / height]
    np.testing.assert_allclose(found, expected, atol=0.5)
    np.testing.assert_allclose(found, np.array([x + 0.5, y + 0.5]) * gsd, atol=1.0)


def test_an_uneven_grid_is_scaled_along_each_axis():
    x, y = 150, 120
    view = NetworkView(picture_mosaic(dotted(301, 253, [(x, y)], 5), (0.5, 2.0)), 1.0)
    assert (view.width, view.height) == (150, 506)
    piece, _ = view.cut(0, 0, view.width, view.height)
    np.testing.assert_allclose(center_of_light(piece), [75.25, 241], atol=0.5)


@pytest.mark.parametrize("gsd", [0.5, 1.0, 2.7])
def test_pieces_join_without_a_step(gsd):
    picture = cv2.GaussianBlur(sea(400, 300, noise=20), (0, 0), 3)
    view = NetworkView(picture_mosaic(picture, gsd), 1.0)
    whole, _ = view.cut(0, 0, 150, 150)
    part, _ = view.cut(61, 47, 60, 70)
    difference = np.abs(whole[47:117, 61:121].astype(int) - part).max()
    assert difference <= 2


def test_a_picture_at_the_networks_scale_is_cut_as_it_is():
    picture = sea(300, 200, noise=20)
    view = NetworkView(picture_mosaic(picture, 1.0), 1.0)
    piece, _ = view.cut(13, 57, 100, 90)
    np.testing.assert_array_equal(piece, picture[57:147, 13:113])


@pytest.mark.parametrize("gsd", [0.5, 1.0])
@pytest.mark.parametrize("corner", [(13, 57), (-40, -30), (60, 30)])
def test_pixel_on_pixel_gives_what_interpolation_gives(gsd, corner):
    coverage = np.ones((200, 300), np.bool_)
    coverage[60:80, 70:120] = False
    view = NetworkView(picture_mosaic(sea(300, 200, noise=20), gsd, coverage), 1.0)
    x0, y0 = corner
    piece, mask = view.cut(x0, y0, 120, 110)
    expected, expected_mask = view.cut(x0 + 1e-9, y0, 120, 110)
    np.testing.assert_array_equal(piece, expected)
    np.testing.assert_array_equal(mask, expected_mask)
    assert mask.any() and piece.flags.writeable


@pytest.mark.parametrize("gsd", [0.5, 1.0])
def test_beyond_the_edge_the_picture_is_mirrored(gsd):
    view = NetworkView(picture_mosaic(sea(240, 200, noise=20), gsd), 1.0)
    reach = 30
    piece, mask = view.cut(-reach, -reach, view.width + 2 * reach, view.height + 2 * reach)
    assert mask.all()
    inner = piece[reach:-reach, reach:-reach]
    np.testing.assert_array_equal(piece[:reach, reach:-reach], inner[:reach][::-1])
    np.testing.assert_array_equal(piece[reach:-reach, -reach:], inner[:, -reach:][:, ::-1])
    np.testing.assert_array_equal(piece[:reach, :reach], inner[:reach, :reach][::-1, ::-1])


@pytest.mark.parametrize("corner", [(-20, -15), (190, 150), (-3, 140), (100, -70), (-450, -20)])
@pytest.mark.parametrize("size", [(60, 50), (700, 40)])
def test_any_piece_is_that_of_the_picture_folded_at_its_edges(corner, size):
    picture, (x0, y0), (width, height) = sea(210, 170, noise=20), corner, size
    coverage = np.ones((170, 210), np.bool_)
    coverage[5:9] = False
    view = NetworkView(picture_mosaic(picture, 1.0, coverage), 1.0)
    piece, mask = view.cut(x0, y0, width, height)
    rows, columns = (
        np.minimum(folded, 2 * side - 1 - folded)
        for folded, side in (
            (np.arange(y0, y0 + height) % 340, 170),
            (np.arange(x0, x0 + width) % 420, 210),
        )
    )
    expected = picture[rows[:, None], columns]
    expected_mask = coverage[rows[:, None], columns]
    np.testing.assert_array_equal(mask, expected_mask)
    np.testing.assert_array_equal(piece[mask], expected[mask])


def test_a_window_much_larger_than_the_picture_is_still_full():
    view = NetworkView(picture_mosaic(np.full((5, 7, 3), 90, np.uint8), 1.0), 1.0)
    piece, mask = view.cut(-100, -100, 224, 224)
    assert (piece == 90).all() and mask.all()


@pytest.mark.parametrize("gsd", [0.5, 1.0, 2.0])
def test_missing_data_takes_the_color_next_to_it(gsd):
    pixels = np.full((200, 200, 3), 120, np.uint8)
    coverage = np.ones((200, 200), np.bool_)
    pixels[60:140, 60:140] = 0
    coverage[60:140, 60:140] = False
    view = NetworkView(picture_mosaic(pixels, gsd, coverage), 1.0)
    piece, mask = view.cut(0, 0, view.width, view.height)
    assert 0.1 < (~mask).mean() < 0.25
    assert piece.min() == piece.max() == 120
    assert not view.covered([[100 * gsd, 100 * gsd]])[0]
    assert view.covered([[20 * gsd, 100 * gsd]])[0]


@pytest.mark.parametrize("gsd", [0.5, 1.0, 2.0])
def test_only_points_of_the_picture_have_data(gsd):
    view = NetworkView(picture_mosaic(sea(100, 80), gsd), 1.0)
    w, h = view.width, view.height
    points = [(0, 0), (w, h), (w / 2, h), (-0.5, 5), (5, -0.5), (w + 0.5, 5), (5, h + 0.5)]
    assert view.covered(points).tolist() == [True] * 3 + [False] * 4


def test_pixels_of_the_mosaic_and_back():
    view = NetworkView(picture_mosaic(sea(301, 203), 2.5), 1.07)
    points = np.array([[0, 0], [301, 203], [12.5, 99.25]])
    there = view.from_mosaic(points)
    np.testing.assert_allclose(there[1], [view.width, view.height])
    np.testing.assert_allclose(view.to_mosaic(there), points)
