"""The picture that travels through the pipeline."""

import numpy as np

from shipdet.mosaic import fill_uncovered


def test_uncovered_pixels_get_the_nearest_covered_color():
    pixels = np.zeros((9, 12, 3), np.uint8)
    pixels[2, 3], pixels[6, 9] = (10, 20, 30), (200, 210, 220)
    covered = np.zeros((9, 12), np.bool_)
    covered[2, 3] = covered[6, 9] = True
    filled = fill_uncovered(pixels, covered)
    y, x = np.mgrid[:9, :12]
    gap = np.hypot(y - 6, x - 9) - np.hypot(y - 2, x - 3)
    assert (filled[gap > 0.5] == (10, 20, 30)).all()
    assert (filled[gap < -0.5] == (200, 210, 220)).all()
    assert not pixels[~covered].any()


def test_where_all_or_nothing_is_covered_nothing_is_filled():
    pixels = np.random.default_rng(0).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    for covered in (np.ones((5, 6), np.bool_), np.zeros((5, 6), np.bool_)):
        assert np.array_equal(fill_uncovered(pixels, covered), pixels)
