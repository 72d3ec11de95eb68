"""From a picture to ships: counted once each, placed, measured and separated."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from shipdet.detect import detect, survey
from shipdet.geometry import distance_m, gsd_at
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from tests.helpers.painted import (
    LAND,
    BrightnessClassifier,
    classifier_config,
    paint,
    paint_ship,
    picture_mosaic,
    sea,
    tile_grid,
)

#: A judge that adds the logit of water in the box to that of the center.
COAST_JUDGE = {"weights": [1.0, 0.0, 0.8] + 6 * [0.0], "bias": -2.0}


@pytest.fixture
def classifier():
    return BrightnessClassifier()


def found_in(mosaic, classifier, **options):
    return finish(detect(mosaic, classifier, **options)).detections


def painted(ships, gsd=1.0, size_m=(900, 700)):
    """Each ship is (x m, y m, length, width, axis)."""
    across, down = gsd if isinstance(gsd, tuple) else (gsd, gsd)
    pixels = sea(round(size_m[0] / across), round(size_m[1] / down))
    for x, y, length, width, axis in ships:
        paint_ship(pixels, gsd, (x, y), length, width, axis)
    return picture_mosaic(pixels, gsd)


def nearest(detections, x, y, gsd=1.0):
    gaps = np.hypot(*(detections.centers * gsd - [x, y]).T)
    return detections[int(gaps.argmin())], float(gaps.min())


def turned_by(one, other):
    """Degrees between two axes."""
    return abs((one - other + 90) % 180 - 90)


@pytest.mark.parametrize("gsd", [0.5, 1.0, 3.0, (1.0, 2.0), (2.5, 1.5)])
def test_ships_have_their_place_size_and_axis(classifier, gsd):
    fleet = [(200, 150, 120, 22, 10), (600, 200, 180, 28, 100), (420, 520, 240, 36, 50)]
    found = found_in(painted(fleet, gsd), classifier)
    assert len(found) == 3
    coarse = max(gsd) if isinstance(gsd, tuple) else gsd
    for x, y, length, width, axis in fleet:
        ship, gap = nearest(found, x, y, gsd)
        assert gap < 6 + coarse
        assert ship.length_m == pytest.approx(length, rel=0.06, abs=coarse)
        assert ship.width_m == pytest.approx(width, rel=0.1, abs=1.5 * coarse)
        assert turned_by(ship.axis_deg, axis) < 4


@pytest.mark.parametrize("length", [40, 150, 330])
@pytest.mark.parametrize("axis", [0, 45, 90])
def test_two_ships_side_by_side_are_two(classifier, length, axis):
    width = max(10, length / 7)
    theta = math.radians(axis + 90)
    away = width / 2 + 4
    dx, dy = away * math.sin(theta), -away * math.cos(theta)
    pair = [(450 + side * dx, 350 + side * dy, length, width, axis) for side in (-1, 1)]
    found = found_in(painted(pair), classifier)
    assert len(found) == 2
    for x, y, *_ in pair:
        ship, gap = nearest(found, x, y)
        assert gap < 0.05 * length + 2
        # The ends of a hull are known to a cell of the map.
        assert ship.length_m == pytest.approx(length, abs=max(0.08 * length, 8))


def test_an_empty_sea_has_no_ships(classifier):
    found = found_in(painted([]), classifier)
    assert len(found) == 0 and found.centers.shape == (0, 2)


def test_a_picture_of_land_alone_has_no_ships(classifier):
    pixels = np.full((700, 900, 3), LAND, np.uint8)
    found = finish(detect(picture_mosaic(pixels, 1.0), classifier))
    assert len(found.detections) == 0
    assert (found.survey.layers.argmax(axis=2) == 1).all()


@pytest.mark.parametrize("size_m", [(150, 120), (240, 60), (1000, 90)])
def test_a_picture_smaller_than_a_window_is_searched(classifier, size_m):
    width, height = size_m
    found = found_in(painted([(width / 2, height / 2, 44, 12, 80)], 1.0, size_m), classifier)
    ship, gap = nearest(found, width / 2, height / 2)
    assert gap < 4 and not ship.cut
    assert ship.length_m == pytest.approx(44, rel=0.1)
    # Along so narrow a picture the mirrored water is part of the canvas; it holds no other ship.
    assert len(found) == 1


def test_the_best_comes_first_and_numbers_begin_at_one(classifier):
    mosaic = painted([(200, 200, 120, 24, 0), (600, 200, 250, 45, 90)])
    paint_ship(mosaic.pixels, 1.0, (400, 500), 120, 22, 30, (150, 145, 140))
    found = found_in(mosaic, classifier)
    scores = [d.score for d in found]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    assert [d.id for d in found] == [1, 2, 3]
    assert math.hypot(found[2].x - 400, found[2].y - 500) < 8


def test_nothing_below_the_floor_is_kept(classifier):
    mosaic = painted([(200, 200, 120, 24, 0)])
    paint_ship(mosaic.pixels, 1.0, (600, 400), 120, 22, 30, (150, 145, 140))
    low, high = (found_in(mosaic, classifier, floor=floor) for floor in (0.1, 0.8))
    assert (len(low), len(high)) == (2, 1)
    assert high.floor == 0.8 and high[0].score >= 0.8


def test_corners_are_the_box_of_the_ship(classifier):
    ship = found_in(painted([(450, 350, 200, 30, 120)], 2.0), classifier)[0]
    bow_left, bow_right, stern_right, _ = ship.corners * 2.0
    assert np.hypot(*(bow_left - bow_right)) == pytest.approx(ship.width_m, rel=0.01)
    assert np.hypot(*(bow_right - stern_right)) == pytest.approx(ship.length_m, rel=0.01)
    np.testing.assert_allclose(ship.corners.mean(axis=0), [ship.x, ship.y])
    x0, y0, x1, y1 = ship.bounds
    assert x0 < ship.x < x1 and y0 < ship.y < y1


def test_a_picture_without_a_place_has_ships_without_one(classifier):
    ship = found_in(painted([(450, 350, 200, 30, 120)]), classifier)[0]
    assert ship.lon is ship.lat is ship.corners_lonlat is None
    assert ship.raw_score is None and not ship.near_gap and not ship.cut


def on_the_map(ships, zoom, width, height):
    """A map picture with ships at (x px, y px, length m, width m, axis)."""
    grid = tile_grid(width, height, zoom)
    pixels = sea(width, height)
    for x, y, length, beam, axis in ships:
        at = (x * grid.gsd_m, y * grid.gsd_m)
        paint_ship(pixels, grid.gsd_m, at, length, beam, axis)
    return Mosaic(pixels, grid, np.ones((height, width), np.bool_), Provenance("test"))


@pytest.mark.parametrize("zoom", [15, 17])
def test_a_ship_on_the_map_has_its_longitude_and_latitude(classifier, zoom):
    size = 512 if zoom == 15 else 1200
    x, y = size * 0.4, size * 0.55
    mosaic = on_the_map([(x, y, 210, 32, 25)], zoom, size, size)
    assert mosaic.grid.gsd_m == pytest.approx(gsd_at(51.98, zoom), rel=0.01)
    (ship,) = found_in(mosaic, classifier)
    assert distance_m((ship.lon, ship.lat), mosaic.grid.lonlat([[x, y]])[0]) < 8
    assert ship.length_m == pytest.approx(210, rel=0.06)
    assert turned_by(ship.axis_deg, 25) < 4
    outline = ship.corners_lonlat
    np.testing.assert_allclose(outline, mosaic.grid.lonlat(ship.corners))
    assert distance_m(outline[1], outline[2]) == pytest.approx(ship.length_m, rel=0.01)


def test_the_axis_is_from_north_where_the_picture_is_turned(classifier):
    mosaic = on_the_map([(256, 256, 210, 32, 0)], 15, 512, 512)
    # The same pixels on a grid whose columns run to the east-south-east: turned by 30 degrees.
    a, _, c, _, _, f = mosaic.grid.transform
    cos, sin = a * math.cos(math.radians(30)), a * math.sin(math.radians(30))
    grid = replace(mosaic.grid, transform=(cos, -sin, c, -sin, -cos, f))
    (ship,) = found_in(replace(mosaic, grid=grid), classifier)
    assert turned_by(ship.axis_deg, 30) < 4


@pytest.mark.parametrize("gsd", [0.5, 1.0, 3.0])
def test_a_ship_that_reaches_the_edge_is_marked_as_cut(classifier, gsd):
    ships = [(20, 350, 200, 32, 80), (450, 690, 160, 26, 95), (600, 300, 150, 26, 0)]
    found = found_in(painted(ships, gsd), classifier)
    assert len(found) == 3
    assert nearest(found, 60, 350, gsd)[0].cut and nearest(found, 450, 690, gsd)[0].cut
    whole, gap = nearest(found, 600, 300, gsd)
    assert gap < 8 and not whole.cut


def test_a_ship_near_the_edge_is_whole(classifier):
    found = found_in(painted([(880, 350, 150, 24, 0), (450, 682, 150, 24, 90)]), classifier)
    assert len(found) == 2
    for x, y in ((880, 350), (450, 682)):
        ship, gap = nearest(found, x, y)
        assert gap < 6 and not ship.cut
        assert ship.length_m == pytest.approx(150, rel=0.06)


def test_a_ship_near_missing_tiles_is_marked(classifier):
    mosaic = painted([(200, 350, 150, 26, 0), (620, 350, 150, 26, 0)])
    coverage = mosaic.coverage.copy()
    coverage[:, 720:] = False
    pixels = np.where(coverage[..., None], mosaic.pixels, 0)
    found = found_in(replace(mosaic, pixels=pixels, coverage=coverage), classifier)
    assert len(found) == 2
    assert nearest(found, 620, 350)[0].near_gap
    assert not nearest(found, 200, 350)[0].near_gap


def test_a_bright_thing_without_data_is_no_ship(classifier):
    mosaic = painted([(200, 350, 150, 26, 0), (620, 350, 150, 26, 0)])
    coverage = mosaic.coverage.copy()
    coverage[:, 450:] = False
    found = found_in(replace(mosaic, coverage=coverage), classifier)
    assert len(found) == 1 and found[0].x < 300


@pytest.fixture
def coast():
    """Land to the left of 400 m, water to the right of it."""
    mosaic = painted([])
    edge = np.array([[0, 0], [400, 0], [400, 700], [0, 700]], np.float64)
    paint(mosaic.pixels, edge, LAND)
    return mosaic


def test_what_lies_on_land_is_vetoed_and_a_ship_at_a_quay_is_not(coast):
    paint_ship(coast.pixels, 1.0, (200, 350), 120, 20, 0)  # a long white roof
    paint_ship(coast.pixels, 1.0, (413, 350), 120, 22, 0)  # alongside
    paint_ship(coast.pixels, 1.0, (700, 350), 120, 20, 30)
    plain = BrightnessClassifier()
    assert len(found_in(coast, plain)) == 3
    config = classifier_config(map={"sha256": "cd" * 32, "judge": COAST_JUDGE})
    found = found_in(coast, BrightnessClassifier(config=config))
    assert len(found) == 2
    assert nearest(found, 413, 350)[1] < 6 and nearest(found, 700, 350)[1] < 6


def enlarged(mosaic, factor=4):
    height, width = mosaic.pixels.shape[:2]
    size = (width * factor, height * factor)
    pixels = cv2.resize(mosaic.pixels, size, interpolation=cv2.INTER_CUBIC)
    covered = np.ones(pixels.shape[:2], np.bool_)
    return Mosaic(
        np.asarray(pixels, np.uint8), mosaic.grid.scaled(*size), covered, mosaic.provenance
    )


def test_pixels_are_those_of_the_picture_before_super_resolution(classifier):
    raw = on_the_map([(120, 90, 210, 32, 25), (60, 150, 160, 28, 90)], 15, 220, 200)
    plain = found_in(raw, classifier)
    sharp = found_in(enlarged(raw), classifier, raw=raw)
    assert len(plain) == len(sharp) == 2
    for ship in sharp:
        twin, gap = nearest(plain, ship.x, ship.y)
        assert gap < 2.0
        assert ship.length_m == pytest.approx(twin.length_m, rel=0.05)
        assert distance_m((ship.lon, ship.lat), (twin.lon, twin.lat)) < 5
        np.testing.assert_allclose(ship.corners_lonlat, raw.grid.lonlat(ship.corners))


@pytest.fixture
def raw_and_enlarged():
    """A raw picture with one ship, and its enlargement with one more."""
    raw = on_the_map([(60, 150, 160, 28, 90)], 15, 220, 200)
    sharp = enlarged(raw)
    gsd = sharp.grid.gsd_m
    paint_ship(sharp.pixels, gsd, (640 * gsd, 240 * gsd), 160, 28, 0)
    return raw, sharp


def test_the_raw_picture_says_which_ships_it_supports(classifier, raw_and_enlarged):
    raw, sharp = raw_and_enlarged
    found = found_in(sharp, classifier, raw=raw)
    assert len(found) == 2
    real, invented = (nearest(found, x, y)[0] for x, y in ((60, 150), (160, 60)))
    assert real.raw_score == pytest.approx(real.score, abs=0.15)
    assert invented.score > 0.3 and invented.raw_score < 0.05
    supported = {round(d.x): d.raw_support for d in found.above(0.2)}
    assert sorted(supported.values()) == [False, True] and supported[round(real.x)]


def test_a_survey_of_the_raw_picture_is_used_again(classifier, raw_and_enlarged):
    raw, sharp = raw_and_enlarged
    expected = found_in(sharp, classifier, raw=raw)
    known = finish(survey(raw, classifier))
    classifier.canvases_seen.clear()
    found = found_in(sharp, classifier, raw=raw, raw_survey=known)
    assert [d.raw_score for d in found] == [d.raw_score for d in expected]
    alone = BrightnessClassifier()
    found_in(sharp, alone)
    assert len(classifier.canvases_seen) == len(alone.canvases_seen)


def test_without_super_resolution_nothing_is_said_about_support(classifier):
    found = found_in(painted([(450, 350, 200, 30, 120)]), classifier).above(0.2)
    assert found[0].raw_support is None
