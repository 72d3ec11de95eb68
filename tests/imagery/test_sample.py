import io

import numpy as np
import pytest
from PIL import Image

from shipdet.geometry import distance_m, gsd_at, lonlat_to_pixel, pixel_to_lonlat
from shipdet.imagery import get_provider, sample

GSD_M = gsd_at(0, 17)


def pixels(z, x, y):
    return np.asarray(Image.open(io.BytesIO(sample.tile(z, x, y))))


def tile_at(lon, lat, z):
    x, y = lonlat_to_pixel([lon, lat], z) // 256
    return int(x), int(y)


def test_the_ships_lie_well_inside_the_scene():
    area = sample.bbox()
    for ship in sample.truth():
        assert area.west + 0.001 < ship.lon < area.east - 0.001
        assert area.south + 0.001 < ship.lat < area.north - 0.001


def test_the_fleet_is_what_a_detector_should_be_tried_on():
    ships = sample.truth()
    assert 14 <= len(ships) <= 20
    assert min(ship.length_m for ship in ships) == 25
    assert max(ship.length_m for ship in ships) == 300
    assert {ship.state for ship in ships} == {"moored", "anchored", "moving"}
    places = np.array([(ship.lon, ship.lat) for ship in ships])
    apart = distance_m(places[:, None], places[None])
    assert apart[~np.eye(len(ships), dtype=bool)].min() > 140


def test_the_place_is_open_ocean_near_null_island():
    area = sample.bbox()
    assert -1 < area.west < area.east < 0 < area.south < area.north < 0.2


def test_a_ship_has_its_axis_beside_its_heading():
    for ship in sample.truth():
        assert ship.axis_deg == ship.heading_deg % 180
        assert ship.length_m > ship.width_m > 0


def test_a_ship_looks_different_from_the_sea_around_it():
    for ship in sample.truth():
        # Along the keel, and a ship's width beyond both sides.
        theta = np.radians(ship.heading_deg)
        along, across = (
            np.array([np.sin(theta), np.cos(theta)]),
            np.array([np.cos(theta), -np.sin(theta)]),
        )
        keel = [color(ship, along * s * ship.length_m) for s in (-0.3, 0, 0.3)]
        if ship.state != "anchored":
            continue  # quays and wakes are bright as well
        sea = [color(ship, across * s * ship.width_m * 1.6) for s in (-1, 1)]
        assert np.abs(np.mean(keel, 0) - np.mean(sea, 0)).max() > 20, ship


def color(ship, offset_m):
    """Mean color of 3x3 pixels at zoom 17, ``offset_m`` (east, north) from a ship's middle."""
    at = lonlat_to_pixel([ship.lon, ship.lat], 17) + offset_m * [1, -1] / GSD_M
    x, y = (int(v) for v in at // 256)
    column, row = (int(v) for v in np.clip(at % 256, 1, 254))
    return pixels(17, x, y)[row - 1 : row + 2, column - 1 : column + 2].mean((0, 1))


def test_zooms_show_the_same_scene():
    ship = sample.truth()[6]
    x, y = tile_at(ship.lon, ship.lat, 16)
    coarse = pixels(16, x, y).astype(float)
    fine = np.vstack(
        [np.hstack([pixels(17, 2 * x + i, 2 * y + j) for i in (0, 1)]) for j in (0, 1)]
    ).astype(float)
    averaged = fine.reshape(256, 2, 256, 2, 3).mean((1, 3))
    assert np.abs(averaged - coarse).max() <= 1
    enlarged = pixels(18, 4 * x, 4 * y).astype(float)
    back = enlarged.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(back - fine[:128, :128]).mean() < 2


def test_enlarged_tiles_join_without_a_seam():
    ship = sample.truth()[6]
    x, y = tile_at(ship.lon, ship.lat, 18)
    left, right = (pixels(18, x + i, y).astype(float) for i in (0, 1))
    across = np.abs(left[:, -1] - right[:, 0]).mean()
    inside = np.abs(left[:, -2] - left[:, -1]).mean()
    assert across < 2 * inside + 1


def test_a_tile_beyond_the_edge_is_transparent_there():
    x, y = tile_at(*sample.bbox().center, 11)
    picture = pixels(11, x, y)
    assert picture.shape[-1] == 4
    assert 0 < (picture[..., 3] > 0).sum() == 64 * 48


@pytest.mark.parametrize(
    "zxy",
    [
        (9, 0, 0),
        (19, 0, 0),
        (15, 0, 0),
        (15, -1, -1),
        (15, 10**30, 5),
        (15, 10**400, 5),
        (-3, 1, 1),
    ],
)
def test_where_there_is_no_scene_there_is_no_tile(zxy):
    assert sample.tile(*zxy) is None


def test_every_corner_of_the_bbox_has_a_tile():
    area = sample.bbox()
    left, top = lonlat_to_pixel([area.west, area.north], 15)
    assert (left % 256, top % 256) == pytest.approx((0, 0), abs=1e-6)
    corner = pixel_to_lonlat([left + 1023.5, top + 767.5], 15)
    assert sample.tile(15, *tile_at(*corner, 15))


def test_the_catalog_knows_the_zooms_of_the_sample(settings):
    provider = get_provider("sample", settings)
    assert (provider.min_zoom, provider.max_zoom) == (sample.MIN_ZOOM, sample.MAX_ZOOM)
