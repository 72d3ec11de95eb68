"""A picture surveyed canvas by canvas: each ship once, the map of what is where."""

from dataclasses import replace

import numpy as np
import pytest

from shipdet.detect import surveying
from shipdet.detect.surveying import CANVAS_PX, HALO_PX, survey
from shipdet.errors import BadModel
from shipdet.progress import finish
from tests.helpers.painted import (
    LAND,
    NET_GSD_M,
    BrightnessClassifier,
    classifier_config,
    paint,
    paint_ship,
    picture_mosaic,
    sea,
)

#: A part that one canvas decides about, at the most, in meters.
PART_M = (CANVAS_PX - 2 * HALO_PX) * NET_GSD_M


@pytest.fixture
def classifier():
    return BrightnessClassifier()


def picture(ships, gsd=2.0, size_m=(2600, 1400)):
    pixels = sea(round(size_m[0] / gsd), round(size_m[1] / gsd))
    for ship in ships:
        paint_ship(pixels, gsd, ship[:2], *ship[2:])
    return picture_mosaic(pixels, gsd)


def centers_m(surveyed, gsd=2.0):
    return surveyed.centers(0.1) * gsd


def test_every_canvas_fits_and_together_they_cover_all(classifier):
    surveyed = finish(survey(picture([]), classifier))
    assert len(classifier.canvases_seen) == 6
    assert all(max(size) <= CANVAS_PX for size in classifier.canvases_seen)
    assert (surveyed.view.width, surveyed.view.height) == (2427, 1307)
    assert surveyed.layers.shape == (164, 304, 3)
    assert surveyed.layers.sum(axis=2).min() > 240, "no pixel of the map is left out"


@pytest.mark.parametrize(
    ("gsd_m", "sensor_gsd_m", "network_gsd_m"),
    [(0.3, None, 0.5), (0.8, None, 0.8), (2.0, None, NET_GSD_M), (0.5, 2.0, NET_GSD_M)],
)
def test_an_image_is_searched_at_the_scale_of_its_detail(gsd_m, sensor_gsd_m, network_gsd_m):
    head = {"judge": {"weights": [1.0] + 8 * [0.0], "bias": 0.0}, "gsd_min_m": 0.5}
    ranged = BrightnessClassifier(config=classifier_config(map={"sha256": "cd" * 32} | head))
    mosaic = picture([(150, 120, 80, 20, 30)], gsd_m, (300, 240))
    surveyed = finish(survey(mosaic, ranged, sensor_gsd_m=sensor_gsd_m))
    assert surveyed.view.net_gsd_m == pytest.approx(network_gsd_m)
    best = surveyed.candidates.boxes[0]
    assert best[2] * network_gsd_m == pytest.approx(80, rel=0.1)
    assert surveyed.centers(0.5)[0] * gsd_m == pytest.approx((150, 120), abs=4)


def test_a_ship_on_a_border_of_canvases_is_found_once(classifier):
    """Borders lie at 809 and 1,618 network pixels across and at 654 down, nearly."""
    places = [(x, y) for x in np.linspace(780, 960, 7) for y in (300, 500, 640, 700, 760, 1200)]
    mosaic = picture([(x + 90 * (n % 2), y, 60, 14, 37 * n) for n, (x, y) in enumerate(places)])
    sparse = [picture([(x, y, 120, 20, 60)]) for x in (860, 867, 874) for y in (690, 701)]
    for one in sparse:
        assert len(centers_m(finish(survey(one, classifier)))) == 1
    whole = centers_m(finish(survey(mosaic, classifier)))
    gaps = np.hypot(*(whole[:, None] - whole[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(whole))
    assert gaps.min() > 15, "none is found twice"


@pytest.mark.parametrize("axis", [0, 35, 90])
def test_a_ship_longer_than_the_halo_is_still_one_ship(classifier, axis):
    mosaic = picture([(867, 701, 380, 55, axis)])
    found = finish(survey(mosaic, classifier)).candidates
    assert len(found) == 1 and found.boxes[0, 2] * NET_GSD_M < 1.2 * 380


def test_places_do_not_depend_on_how_the_picture_is_divided(classifier, monkeypatch):
    fleet = [(300 + 450 * n, 250 + 200 * n, 100, 18, 40 * n) for n in range(5)]
    large = centers_m(finish(survey(picture(fleet), classifier)))
    monkeypatch.setattr(surveying, "CANVAS_PX", 512)
    small = centers_m(finish(survey(picture(fleet), classifier)))
    assert len(large) == len(small) == 5
    for x, y, *_ in fleet:
        for found in (large, small):
            assert np.hypot(*(found - [x, y]).T).min() < 6


def test_what_has_no_data_is_never_shown_to_the_model(classifier):
    mosaic = picture([(300, 300, 100, 18, 0), (1900, 300, 100, 18, 0)])
    coverage = mosaic.coverage.copy()
    coverage[:, 350:] = False
    surveyed = finish(survey(replace(mosaic, coverage=coverage), classifier))
    assert len(surveyed.candidates) == 1
    assert len(classifier.canvases_seen) == 2, "canvases with some data, of six"
    empty = replace(mosaic, coverage=np.zeros_like(coverage))
    classifier.canvases_seen.clear()
    surveyed = finish(survey(empty, classifier))
    assert len(surveyed.candidates) == 0 and classifier.canvases_seen == []
    assert not surveyed.layers.any()


def test_layers_show_water_land_and_hulls(classifier):
    mosaic = picture([(1500, 700, 300, 60, 90)])
    land = np.array([[0, 0], [300, 0], [300, 700], [0, 700]], np.float64)
    paint(mosaic.pixels, land, LAND)
    coverage = mosaic.coverage.copy()
    coverage[:, 1200:] = False
    layers = finish(survey(replace(mosaic, coverage=coverage), classifier)).layers
    per_m = 1 / (8 * NET_GSD_M)

    def at(x_m, y_m):
        return layers[int(y_m * per_m), int(x_m * per_m)].tolist()

    assert at(300, 700)[1] > 240, "land"
    assert at(900, 700)[0] > 240, "water"
    assert at(1500, 700)[2] > 240, "hull"
    assert at(2500, 700) == [0, 0, 0], "no data"


def test_progress_counts_canvases(classifier):
    events = []
    finish(survey(picture([]), classifier), events.append)
    counts = [(e.done, e.total, e.unit) for e in events if e.stage == "detect"]
    assert counts == [(n, 6, "canvases") for n in range(7)]


def test_cancelling_stops_within_one_canvas(classifier):
    steps = survey(picture([(450, 350, 200, 30, 0)]), classifier)
    for _ in range(3):
        event = next(steps)
    assert (event.done, len(classifier.canvases_seen)) == (2, 2)
    steps.close()
    assert len(classifier.canvases_seen) == 2


def test_only_the_rows_that_a_canvas_needs_are_waited_for(classifier):
    asked = []

    def arrival(bottom):
        asked.append((bottom, len(classifier.canvases_seen)))
        yield from ()

    mosaic = replace(picture([], 1.0, (500, 4000)), arrival=arrival)
    finish(survey(mosaic, classifier))
    assert asked[0][0] < 1400 and asked[-1][0] == 4000
    assert [bottom for bottom, _ in asked] == sorted(bottom for bottom, _ in asked)


def test_the_score_near_a_place_is_that_of_the_ship_there(classifier):
    surveyed = finish(survey(picture([(600, 600, 100, 18, 0)]), classifier))
    place = surveyed.view.from_mosaic([[300, 300]])[0]
    assert surveyed.best_near(place) == surveyed.candidates.scores[0]
    assert surveyed.best_near(place + 60) == 0.0


def test_a_classifier_of_windows_alone_cannot_search():
    alone = BrightnessClassifier(config=classifier_config(map=None))
    with pytest.raises(BadModel, match="without a map head"):
        finish(survey(picture([]), alone))
