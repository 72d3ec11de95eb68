"""Boxes, tiles, scale and turned rectangles."""

import math

import numpy as np
import pytest

from shipdet.errors import BadArea
from shipdet.geometry import (
    MAX_LATITUDE,
    MERCATOR_HALF_M,
    BBox,
    Grid,
    PixelBox,
    bearing_deg,
    distance_m,
    gsd_at,
    lonlat_to_pixel,
    mercator_to_lonlat,
    pixel_box,
    pixel_to_lonlat,
    rectangle,
    tiles_of,
    wrap_longitude,
)

ROTTERDAM = 51.95


@pytest.mark.parametrize(
    ("latitude", "zoom", "expected"),
    [
        (0.0, 17, 1.19),
        (ROTTERDAM, 17, 0.73),
        (60.0, 17, 0.60),
        (0.0, 15, 4.78),
        (ROTTERDAM, 15, 2.94),
        (60.0, 15, 2.39),
    ],
)
def test_meters_per_pixel_are_those_of_the_field_notes(latitude, zoom, expected):
    assert gsd_at(latitude, zoom) == pytest.approx(expected, abs=0.01)


def test_meters_per_pixel_are_the_same_north_and_south():
    assert gsd_at(-41.3, 14) == gsd_at(41.3, 14)


@pytest.mark.parametrize("zoom", [0, 9, 15, 22])
def test_degrees_survive_the_way_to_pixels_and_back(zoom):
    rng = np.random.default_rng(zoom)
    places = np.column_stack([rng.uniform(-180, 180, 500), rng.uniform(-85, 85, 500)])
    there = lonlat_to_pixel(places, zoom)
    np.testing.assert_allclose(pixel_to_lonlat(there, zoom), places, atol=1e-9)
    assert ((there >= 0) & (there <= 256 * 2**zoom)).all()


def test_the_map_is_a_square_with_north_at_the_top():
    assert lonlat_to_pixel([-180, MAX_LATITUDE], 0) == pytest.approx([0, 0], abs=1e-9)
    assert lonlat_to_pixel([180, -MAX_LATITUDE], 0) == pytest.approx([256, 256], abs=1e-9)
    assert lonlat_to_pixel([0, 0], 3).tolist() == [1024, 1024]


def test_a_known_place_lies_in_its_known_tile():
    # The example of the OpenStreetMap wiki ("Slippy map tilenames").
    x, y = lonlat_to_pixel([15.0, 50.0], 10) // 256
    assert (x, y) == (554, 347)


def test_the_box_of_whole_pixels_gains_none():
    (west, north), (east, south) = pixel_to_lonlat([[1000, 2000], [1300, 2120]], 12).tolist()
    assert pixel_box(BBox(west, south, east, north), 12) == (1000, 2000, 1300, 2120)


@pytest.mark.parametrize("zoom", [10, 15, 19])
def test_the_box_of_a_tile_is_that_tile(zoom):
    left, top = lonlat_to_pixel([-5.445, 36.15], zoom) // 256 * 256
    (west, north), (east, south) = pixel_to_lonlat(
        [[left, top], [left + 256, top + 256]], zoom
    ).tolist()
    box = pixel_box(BBox(west, south, east, north), zoom)
    assert box == (left, top, left + 256, top + 256)
    assert tiles_of(box) == [(left // 256, top // 256)]


def test_a_part_of_a_pixel_is_a_whole_one():
    (west, north), (east, south) = pixel_to_lonlat([[99.5, 7.9], [100.1, 9.2]], 8).tolist()
    box = pixel_box(BBox(west, south, east, north), 8)
    assert box == (99, 7, 101, 10)
    assert (box.width, box.height) == (2, 3)


def test_an_area_smaller_than_a_pixel_is_one_pixel():
    west, north = pixel_to_lonlat([500.2, 600.3], 5).tolist()
    box = pixel_box(BBox(west, north - 1e-9, west + 1e-9, north), 5)
    assert box == (500, 600, 501, 601)


def test_tiles_are_listed_row_by_row():
    assert tiles_of(PixelBox(255, 256, 513, 513)) == [
        (0, 1), (1, 1), (2, 1),
        (0, 2), (1, 2), (2, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((1, 2, 1, 3), "The area is empty"),
        ((1, 2, 2, 2), "The area is empty"),
        ((1, 3, 2, 2), r"South \(3\) is greater than north \(2\)"),
        ((170, 0, -170, 1), "crosses the antimeridian"),
        ((0, 80, 1, 86), r"Map tiles end at 85\.05 degrees"),
        ((0, -89, 1, -80), r"Map tiles end at 85\.05 degrees"),
        ((math.nan, 0, 1, 1), "must be four numbers"),
        ((0, 0, math.inf, 1), "must be four numbers"),
        ((0, 0, "1", 1), "must be four numbers"),
        ((-181, 0, 1, 1), r"split it into 179 to 180 and -180 to 1\."),
        ((0, 0, 200, 1), r"crosses the antimeridian .* split it into 0 to 180 and -180 to -160"),
        ((-170, 0, 200, 1), "between -180 and 180"),
        ((900, 0, 901, 1), "between -180 and 180"),
        ((0, -91, 1, 1), "between -90 and 90"),
    ],
)
def test_a_bad_area_is_refused_in_one_sentence(values, sentence):
    with pytest.raises(BadArea, match=sentence) as caught:
        BBox(*values)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and text.count(". ") == 0


def test_the_whole_map_is_a_proper_area():
    assert BBox(-180, -MAX_LATITUDE, 180, MAX_LATITUDE).center == (0, 0)


@pytest.mark.parametrize(
    ("west", "east", "home"),
    [
        (180.98, 181.02, (-179.02, -178.98)),
        (-182, -181, (178, 179)),
        (180, 181, (-180, -179)),
        (359, 360, (-1, 0)),
        (179, 180, (179, 180)),
    ],
)
def test_a_box_on_another_copy_of_the_world_is_brought_home(west, east, home):
    box = BBox(west, -1, east, 1)
    assert (box.west, box.east) == pytest.approx(home)


def test_longitudes_are_written_from_minus_180_to_180():
    kept = [-180.0, -0.1, 0.0, 179.9999999, 180.0]
    assert wrap_longitude(kept).tolist() == kept
    assert wrap_longitude([180.5, 237.5, -181, 540.5]) == pytest.approx(
        [-179.5, -122.5, 179, -179.5]
    )


def test_a_grid_across_the_antimeridian_has_both_longitudes():
    grid = Grid(4, 2, 1, 1, "EPSG:4326", (0.1, 0, 179.8, 0, -0.1, 1), lambda points: points)
    assert grid.lonlat([(0, 0), (4, 2)]) == pytest.approx(np.array([[179.8, 1], [-179.8, 0.8]]))


@pytest.mark.parametrize("text", ["1,2,3,4", " 1 2 3 4 ", "1, 2,3 ,4.0"])
def test_an_area_is_read_from_text(text):
    assert BBox.parse(text).as_tuple() == (1, 2, 3, 4)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "nan,0,1,1"])
def test_text_that_is_no_area_is_refused(text):
    with pytest.raises(BadArea):
        BBox.parse(text)


def test_the_area_of_a_degree_at_the_equator_and_further_north():
    assert BBox(0, -0.5, 1, 0.5).area_km2 == pytest.approx(12_364, rel=0.001)
    north = BBox(0, 59.5, 1, 60.5).area_km2
    assert north == pytest.approx(12_364 / 2, rel=0.01)


def test_the_whole_earth_has_its_area():
    band = math.sin(math.radians(85))
    assert BBox(-180, -85, 180, 85).area_km2 == pytest.approx(510.07e6 * band, rel=1e-4)


def mosaic_grid(zoom=15):
    left, top = (int(v) for v in lonlat_to_pixel([-5.445, 36.15], zoom))
    return Grid.from_tiles(PixelBox(left, top, left + 600, top + 400), zoom), (left, top)


def test_a_mosaic_lies_where_its_tiles_lie():
    grid, corner = mosaic_grid()
    points = np.array([[0, 0], [600, 400], [12.5, 300]])
    expected = pixel_to_lonlat(points + corner, 15)
    np.testing.assert_allclose(grid.lonlat(points), expected, atol=1e-9)
    assert grid.crs == "EPSG:3857" and grid.georeferenced


def test_the_scale_of_a_mosaic_is_that_of_the_ground():
    grid, _ = mosaic_grid()
    a, b = grid.lonlat([[100, 200], [500, 200]])
    assert grid.gsd_m == pytest.approx(float(distance_m(a, b)) / 400, rel=0.003)


def test_dividing_the_ground_again_moves_nothing():
    grid, _ = mosaic_grid()
    fine = grid.scaled(2400, 1600)
    assert (fine.width, fine.height) == (2400, 1600)
    assert fine.gsd_m == pytest.approx(grid.gsd_m / 4)
    np.testing.assert_allclose(
        fine.lonlat([[2400, 0], [50, 70]]), grid.lonlat([[600, 0], [12.5, 17.5]])
    )


def test_an_uneven_division_keeps_both_scales():
    grid = Grid(100, 50, 2.0, 3.0).scaled(50, 100)
    assert (grid.gsd_x_m, grid.gsd_y_m) == (4.0, 1.5)
    assert grid.gsd_m == pytest.approx(math.sqrt(6))


def test_a_turned_grid_scales_along_its_own_axes():
    turned = Grid(
        10, 10, 1, 1, "EPSG:3857", (3.0, 4.0, 100.0, 4.0, -3.0, 200.0), mercator_to_lonlat
    )
    np.testing.assert_allclose(
        turned.scaled(20, 40).lonlat([[14, 12]]), turned.lonlat([[7, 3]]), atol=1e-12
    )


def test_a_picture_without_a_place_has_no_degrees():
    grid = Grid(10, 10, 1.0, 1.0)
    assert not grid.georeferenced
    with pytest.raises(ValueError, match="no georeference"):
        grid.lonlat([[1, 1]])


def test_mercator_meters_and_degrees_agree():
    got = mercator_to_lonlat(np.array([[MERCATOR_HALF_M, MERCATOR_HALF_M], [0.0, 0.0]]))
    np.testing.assert_allclose(got, [[180, MAX_LATITUDE], [0, 0]], atol=1e-9)


@pytest.mark.parametrize(
    ("to", "expected"), [((0, 1), 0), ((1, 0), 90), ((0, -1), 180), ((-1, 0), 270)]
)
def test_a_bearing_is_clockwise_from_north(to, expected):
    assert bearing_deg((0, 0), to) == pytest.approx(expected)


def test_a_bearing_knows_that_meridians_meet():
    # Equal steps in degrees at 60 N are twice as long to the north.
    assert bearing_deg((10, 60), (10.01, 60.01)) == pytest.approx(26.56, abs=0.05)


def test_distances_on_the_sphere():
    assert distance_m((0, 0), (1, 0)) == pytest.approx(111_195, abs=1)
    assert distance_m((0, 60), (1, 60)) == pytest.approx(55_597, abs=5)
    assert distance_m((5, 5), (5, 5)) == 0
    assert distance_m(np.zeros((4, 2)), np.ones((4, 2))).shape == (4,)


def test_a_rectangle_begins_at_the_bow_and_goes_round_clockwise():
    # Axis 0 points up, and y counts down.
    corners = rectangle((10, 20), 8, 2, 0)
    np.testing.assert_allclose(corners, [[9, 16], [11, 16], [11, 24], [9, 24]], atol=1e-12)


@pytest.mark.parametrize("axis", [0, 30, 90, 135, 179])
def test_a_rectangle_has_its_size_middle_and_direction(axis):
    corners = rectangle((100, 50), 40, 10, axis)
    np.testing.assert_allclose(corners.mean(axis=0), [100, 50])
    assert np.hypot(*(corners[1] - corners[0])) == pytest.approx(10)
    assert np.hypot(*(corners[3] - corners[0])) == pytest.approx(40)
    dx, dy = corners[:2].mean(axis=0) - corners[2:].mean(axis=0)
    assert math.degrees(math.atan2(dx, -dy)) % 360 == pytest.approx(axis, abs=1e-9)
