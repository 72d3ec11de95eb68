"""From a picture to ships: counted once each, placed, measured and told apart."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from shipdet.detect import detect, scoring, survey
from shipdet.detect.merging import merge, peaks
from shipdet.detect.scoring import ScoreMap
from shipdet.geometry import distance_m, gsd_at
from shipdet.mosaic import Mosaic, Provenance
from shipdet.progress import finish
from tests.helpers.painted import (
    WINDOW_M,
    BrightnessClassifier,
    WholeShipClassifier,
    paint,
    paint_ship,
    picture_mosaic,
    sea,
    tile_grid,
)


def found_in(mosaic, classifier, **options):
    return finish(detect(mosaic, classifier, window_m=WINDOW_M, **options))


def painted(ships, gsd=1.0, size_m=(900, 700)):
    """Each ship is (x m, y m, length, width, axis)."""
    pixels = sea(round(size_m[0] / gsd), round(size_m[1] / gsd))
    for x, y, length, width, axis in ships:
        paint_ship(pixels, gsd, (x, y), length, width, axis)
    return picture_mosaic(pixels, gsd)


def nearest(detections, x, y, gsd=1.0):
    gaps = np.hypot(*(detections.centers * gsd - [x, y]).T)
    return detections[int(gaps.argmin())], float(gaps.min())


@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize("length", [70, 150, 330])
def test_one_ship_is_one_whatever_its_length_and_the_stride(classifier, stride, length):
    mosaic = painted([(450, 350, length, max(14, length / 7), 63)])
    found = found_in(mosaic, classifier, stride_px=stride)
    assert len(found) == 1
    assert math.hypot(found[0].x - 450, found[0].y - 350) < 12
    assert found[0].length_m == pytest.approx(length, rel=0.1)


@pytest.mark.parametrize("axis", [0, 90, 45])
@pytest.mark.parametrize("stride", [8, 32])
def test_two_ships_a_hundred_metres_apart_are_two(classifier, stride, axis):
    theta = math.radians(axis + 90)  # side by side
    dx, dy = 50 * math.sin(theta), -50 * math.cos(theta)
    mosaic = painted([(450 - dx, 350 - dy, 150, 24, axis), (450 + dx, 350 + dy, 150, 24, axis)])
    found = found_in(mosaic, classifier, stride_px=stride)
    assert len(found) == 2
    for side in (-1, 1):
        assert nearest(found, 450 + side * dx, 350 + side * dy)[1] < 15


def test_an_empty_sea_has_no_ships(classifier):
    found = found_in(painted([]), classifier)
    assert len(found) == 0 and found.centers.shape == (0, 2)


@pytest.mark.parametrize("how", ["dense", "exact"])
def test_both_ways_of_scoring_find_the_same_ships(classifier, how):
    fleet = [(200, 150, 120, 20, 10), (600, 200, 180, 28, 100), (420, 520, 90, 16, 50)]
    found = found_in(painted(fleet), classifier, scoring=how)
    assert len(found) == 3
    for x, y, length, _, axis in fleet:
        ship, gap = nearest(found, x, y)
        assert gap < 10 and ship.length_m == pytest.approx(length, rel=0.1)
        assert abs(ship.axis_deg - axis) < 5


@pytest.mark.parametrize("gsd", [0.6, 1.0, 3.0])
def test_the_number_of_ships_does_not_depend_on_the_scale(classifier, gsd):
    fleet = [(200, 150, 120, 22, 10), (600, 200, 180, 28, 100), (420, 520, 240, 36, 50)]
    found = found_in(painted(fleet, gsd), classifier)
    assert len(found) == 3
    for x, y, length, width, _ in fleet:
        ship, gap = nearest(found, x, y, gsd)
        assert gap < 12
        assert ship.length_m == pytest.approx(length, rel=0.1)
        assert ship.width_m == pytest.approx(width, rel=0.1, abs=0.5 * gsd)


def test_the_best_comes_first_and_numbers_begin_at_one(classifier):
    found = found_in(
        painted([(200, 200, 60, 14, 0), (600, 200, 250, 45, 90), (400, 500, 120, 22, 30)]),
        classifier,
    )
    scores = [d.score for d in found]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    assert [d.id for d in found] == [1, 2, 3]
    assert math.hypot(found[0].x - 600, found[0].y - 200) < 15


def test_nothing_below_the_floor_is_kept(classifier):
    mosaic = painted([(200, 200, 60, 14, 0), (600, 200, 250, 45, 90)])
    low, high = (found_in(mosaic, classifier, floor=floor) for floor in (0.05, 0.5))
    assert (len(low), len(high)) == (2, 1)
    assert high.floor == 0.5 and high[0].score >= 0.5


def test_corners_are_the_box_of_the_ship(classifier):
    found = found_in(painted([(450, 350, 200, 30, 120)], 2.0), classifier)
    ship = found[0]
    bow_left, bow_right, stern_right, _ = ship.corners * 2.0
    assert np.hypot(*(bow_left - bow_right)) == pytest.approx(ship.width_m, rel=0.01)
    assert np.hypot(*(bow_right - stern_right)) == pytest.approx(ship.length_m, rel=0.01)
    np.testing.assert_allclose(ship.corners.mean(axis=0), [ship.x, ship.y])
    x0, y0, x1, y1 = ship.bounds
    assert x0 < ship.x < x1 and y0 < ship.y < y1
    assert x1 - x0 == pytest.approx((200 * 0.866 + 30 * 0.5) / 2, rel=0.1)


def test_a_picture_without_a_place_has_ships_without_one(classifier):
    ship = found_in(painted([(450, 350, 200, 30, 120)]), classifier)[0]
    assert ship.lon is ship.lat is ship.corners_lonlat is None
    assert ship.raw_score is None and not ship.near_gap and not ship.cut


def on_the_map(ships, zoom, width, height, coverage=None):
    """A map picture with ships at (x px, y px, length m, width m, axis)."""
    grid = tile_grid(width, height, zoom)
    pixels = sea(width, height)
    for x, y, length, beam, axis in ships:
        at = (x * grid.gsd_m, y * grid.gsd_m)
        paint_ship(pixels, grid.gsd_m, at, length, beam, axis)
    if coverage is None:
        coverage = np.ones((height, width), np.bool_)
    return Mosaic(pixels, grid, coverage, Provenance("test"))


@pytest.mark.parametrize("zoom", [15, 17])
def test_a_ship_on_the_map_has_its_longitude_and_latitude(classifier, zoom):
    size = 512 if zoom == 15 else 1200
    x, y = size * 0.4, size * 0.55
    mosaic = on_the_map([(x, y, 210, 32, 25)], zoom, size, size)
    assert mosaic.grid.gsd_m == pytest.approx(gsd_at(51.98, zoom), rel=0.01)
    found = found_in(mosaic, classifier)
    assert len(found) == 1
    ship = found[0]
    expected = mosaic.grid.lonlat([[x, y]])[0]
    assert distance_m((ship.lon, ship.lat), expected) < 5
    assert ship.length_m == pytest.approx(210, rel=0.1)
    assert ship.axis_deg == pytest.approx(25, abs=5)
    outline = ship.corners_lonlat
    np.testing.assert_allclose(outline, mosaic.grid.lonlat(ship.corners))
    assert distance_m(outline[1], outline[2]) == pytest.approx(ship.length_m, rel=0.01)


def test_the_axis_is_from_north_where_the_picture_is_turned(classifier):
    mosaic = on_the_map([(256, 256, 210, 32, 0)], 15, 512, 512)
    # The same pixels on a grid whose columns run to the east-south-east: turned by 30 degrees.
    a, _, c, _, _, f = mosaic.grid.transform
    cos, sin = a * math.cos(math.radians(30)), a * math.sin(math.radians(30))
    grid = replace(mosaic.grid, transform=(cos, -sin, c, -sin, -cos, f))
    ship = found_in(replace(mosaic, grid=grid), classifier)[0]
    assert ship.axis_deg == pytest.approx(30, abs=5)


def test_an_uneven_grid_gives_true_metres(classifier):
    pixels = sea(900, 350)
    paint_ship(pixels, (1.0, 2.0), (450, 350), 200, 32, 40)
    found = found_in(picture_mosaic(pixels, (1.0, 2.0)), classifier)
    assert len(found) == 1
    ship = found[0]
    assert ship.length_m == pytest.approx(200, rel=0.1)
    assert ship.axis_deg == pytest.approx(40, abs=5)
    assert math.hypot(ship.x - 450, ship.y - 175) < 8


@pytest.mark.parametrize("gsd", [0.5, 1.0, 3.0])
def test_a_ship_that_reaches_the_edge_is_marked_as_cut(classifier, gsd):
    mosaic = painted([(20, 350, 200, 32, 80), (450, 690, 160, 26, 95), (600, 300, 150, 26, 0)], gsd)
    found = found_in(mosaic, classifier)
    assert len(found) == 3
    assert nearest(found, 60, 350, gsd)[0].cut
    whole, gap = nearest(found, 600, 300, gsd)
    assert gap < 15 and not whole.cut


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


def enlarged(mosaic, factor=4):
    height, width = mosaic.pixels.shape[:2]
    size = (width * factor, height * factor)
    pixels = cv2.resize(mosaic.pixels, size, interpolation=cv2.INTER_CUBIC)
    return Mosaic(
        np.asarray(pixels, np.uint8),
        mosaic.grid.scaled(*size),
        np.ones(pixels.shape[:2], np.bool_),
        mosaic.provenance,
    )


def test_pixels_are_those_of_the_picture_before_sharpening(classifier):
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


def test_the_raw_picture_says_which_ships_it_supports(classifier):
    raw = on_the_map([(60, 150, 160, 28, 90)], 15, 220, 200)
    sharp = enlarged(raw)
    gsd = sharp.grid.gsd_m
    paint_ship(sharp.pixels, gsd, (640 * gsd, 240 * gsd), 160, 28, 0)  # invented by the sharpening
    found = found_in(sharp, classifier, raw=raw)
    assert len(found) == 2
    real, invented = (nearest(found, x, y)[0] for x, y in ((60, 150), (160, 60)))
    assert real.raw_score == pytest.approx(real.score, abs=0.15)
    assert invented.score > 0.3 and invented.raw_score < 0.05
    told = {round(d.x): d.raw_support for d in found.above(0.2)}
    assert sorted(told.values()) == [False, True] and told[round(real.x)]


@pytest.mark.parametrize("how", ["dense", "exact"])
def test_a_ship_longer_than_a_window_is_whole_in_wide_windows(how):
    mosaic = painted([(700, 500, 330, 48, 35), (300, 250, 120, 30, 80)], 1.0, (1400, 1000))
    found = found_in(mosaic, WholeShipClassifier(), scoring=how)
    assert len(found) == 2
    long, gap = nearest(found, 700, 500)
    assert gap < 12 and long.score > 0.3  # a window of 240 m gives it 0.1 at most
    assert long.length_m == pytest.approx(330, rel=0.1)
    assert nearest(found, 300, 250)[1] < 12


def test_what_only_wide_windows_see_must_stand_free():
    mosaic = painted([], 1.0, (1400, 1000))
    quay = np.array([[0, 0], [670, 0], [670, 1000], [0, 1000]], np.float64)
    paint(mosaic.pixels, quay, (90, 88, 86))
    paint_ship(mosaic.pixels, 1.0, (694, 500), 300, 46, 0)
    assert len(found_in(mosaic, WholeShipClassifier(), floor=0.3)) == 0
    paint_ship(mosaic.pixels, 1.0, (1000, 500), 300, 46, 0)  # the same in open water
    (found,) = found_in(mosaic, WholeShipClassifier(), floor=0.3)
    assert math.hypot(found.x - 1000, found.y - 500) < 15


def test_the_raw_image_is_checked_with_the_windows_of_a_ship():
    raw = painted([(700, 500, 330, 48, 35)], 2.0, (1400, 1000))
    found = found_in(enlarged(raw, 2), WholeShipClassifier(), raw=raw)
    assert len(found) == 1
    assert found[0].raw_score == pytest.approx(found[0].score, abs=0.15)


def test_without_sharpening_nothing_is_said_about_support(classifier):
    found = found_in(painted([(450, 350, 200, 30, 120)]), classifier).above(0.2)
    assert found[0].raw_support is None


def test_cancelling_stops_within_one_canvas(classifier, monkeypatch):
    monkeypatch.setattr(scoring, "CANVAS_PX", 544)
    steps = detect(painted([(450, 350, 200, 30, 0)]), classifier, window_m=WINDOW_M)
    for _ in range(4):
        event = next(steps)
    seen = len(classifier.canvases_seen)
    assert event.stage == "detect" and event.done < event.total and seen == 3
    steps.close()
    assert len(classifier.canvases_seen) == seen


def test_progress_goes_from_searching_to_measuring(classifier):
    events = []
    steps = detect(painted([(450, 350, 200, 30, 0)]), classifier, window_m=WINDOW_M)
    finish(steps, events.append)
    stages = [e.stage for e in events]
    assert stages == sorted(stages) and set(stages) == {"detect", "measure"}
    # Of one ship, which windows of both sizes have seen, and which is then looked at once more.
    told = [(e.done, e.total, e.note) for e in events if e.stage == "measure"]
    assert told[-2:] == [(2, 2, ""), (1, 1, "looking once more")]


def test_windows_of_both_sizes_go_down_a_picture_together(classifier, monkeypatch):
    monkeypatch.setattr(scoring, "CANVAS_PX", 544)
    asked = []

    def arrival(bottom):
        asked.append(bottom)
        yield from ()

    mosaic = replace(painted([(450, 350, 200, 30, 0)], 1.0, (500, 4000)), arrival=arrival)
    surveys = finish(survey(mosaic, classifier, windows_m=[WINDOW_M, 2 * WINDOW_M]))
    assert [s.view.net_gsd_m * 224 for s in surveys] == [WINDOW_M, 2 * WINDOW_M]
    assert [len(s.score_map.scores) for s in surveys] == [117, 59]
    early = [max(asked[:n]) - bottom for n, bottom in enumerate(asked) if n]
    assert asked[0] < 1000 and asked[-1] == 4000
    # Shrunk blocks of 512 network pixels are what is waited for: 1,097 m of wide windows.
    assert max(early) < 1100, "none goes back to rows that the other has left behind"


def test_a_peak_between_two_positions_lies_between_them():
    scores = np.zeros((5, 6), np.float32)
    scores[2, 3] = scores[2, 4] = 0.8
    centers, values = peaks(ScoreMap(scores, 32), 0.1)
    assert set(values.tolist()) == {np.float32(0.8)}
    np.testing.assert_allclose(centers, [[3.5 * 32, 64]] * 2)


def test_peaks_at_the_maps_corner_stay_inside():
    scores = np.full((3, 3), np.nan, np.float32)
    scores[0, 0] = 0.9
    centers, values = peaks(ScoreMap(scores, 16), 0.1)
    assert values == pytest.approx([0.9])
    np.testing.assert_allclose(centers, [[0, 0]])


def test_a_map_without_scores_has_no_peaks():
    for scores in (np.full((4, 4), np.nan, np.float32), np.zeros((4, 4), np.float32)):
        centers, values = peaks(ScoreMap(scores, 32), 0.0)
        assert centers.shape == (0, 2) and values.shape == (0,)


def test_merging_keeps_the_best_of_those_nearer_than_the_radius():
    centers = np.array([[0, 0], [30, 0], [47.9, 0], [48.1, 0], [500, 0]], np.float64)
    scores = np.array([0.5, 0.6, 0.9, 0.3, 0.2], np.float32)
    assert merge(centers, scores, 48.0).tolist() == [2, 4]
    assert merge(centers[[0, 3]], scores[[0, 3]], 48.0).tolist() == [0, 1]
    assert merge(np.empty((0, 2)), np.empty(0, np.float32), 48.0).tolist() == []


@dataclass
class SecondThoughts(BrightnessClassifier):
    """Maps of scores say what the other says; a window on its own always scores ``alone``."""

    alone: float = 0.5

    def scores(self, windows):
        self.windows_seen += len(windows)
        return np.full(len(windows), self.alone, np.float32)


@pytest.mark.parametrize(("alone", "expected"), [(0.99, 0.99), (0.5, 0.909), (0.01, 0.5)])
def test_what_is_found_is_looked_at_once_more(alone, expected):
    classifier = SecondThoughts(bright=100.0, alone=alone)
    mosaic = painted([(450, 350, 120, 60, 30), (250, 150, 120, 60, 120)])
    found = found_in(mosaic, classifier, floor=0.1)
    assert [d.score for d in found] == pytest.approx([expected] * 2, abs=0.01)
    assert classifier.windows_seen % 8 == 0, "from eight sides"
    assert [d.id for d in found] == [1, 2]


def test_what_falls_below_the_floor_at_second_look_is_not_kept():
    mosaic = painted([(450, 350, 120, 60, 30)])
    assert len(found_in(mosaic, SecondThoughts(bright=100.0, alone=0.01), floor=0.6)) == 0
    assert len(found_in(mosaic, SecondThoughts(bright=100.0, alone=0.5), floor=0.6)) == 1


@pytest.mark.parametrize("axis", [0, 70])
def test_a_tanker_and_its_barge_are_two(classifier, axis):
    theta = math.radians(axis)
    away = (32 + 15) / 2
    barge = (450 + away * math.cos(theta), 350 + away * math.sin(theta), 75, 15, axis)
    found = found_in(painted([(450, 350, 190, 32, axis), barge]), classifier, stride_px=32)
    assert len(found) == 2
    assert sorted(d.length_m for d in found) == pytest.approx([75, 190], rel=0.12)
    ship, gap = nearest(found, *barge[:2])
    assert gap < 8 and ship.length_m < 90


@pytest.mark.parametrize(("floor", "kept"), [(0.1, 1), (0.6, 0)])
def test_a_faint_place_is_looked_at_before_it_is_dropped(floor, kept):
    """The map gives it 0.05, which is under the floor; a window of its own gives it 0.9."""
    mosaic = painted([(450, 350, 120, 60, 30)])
    classifier = SecondThoughts(dark=50.0, bright=50.0 + 20 * 130, alone=0.9)
    assert len(found_in(mosaic, classifier, floor=floor)) == kept
