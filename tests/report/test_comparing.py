"""Two runs compared: one ship is matched once, by place and length."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from shipdet.errors import BadOption
from shipdet.geometry import Grid
from shipdet.report import compare
from tests.helpers.painted import tile_grid
from tests.helpers.written_runs import write_run

MONDAY = ((60, 60, 120, 0.9), (160, 90, 60, 0.8), (250, 150, 200, 0.7))
TUESDAY = ((64, 60, 110, 0.9), (160, 90, 180, 0.8), (30, 180, 60, 0.7))


@pytest.fixture
def runs(tmp_path):
    return write_run(tmp_path / "a", MONDAY), write_run(tmp_path / "b", TUESDAY)


def test_ships_stay_arrive_and_leave(runs):
    changes = compare(*runs)
    assert changes.counts == {"stayed": 1, "arrived": 2, "left": 2}
    [(before, after)] = changes.stayed
    assert (round(before.length_m), round(after.length_m)) == (120, 110)
    assert sorted(round(ship.length_m) for ship in changes.left) == [60, 200]
    assert compare(*reversed(runs)).counts == {"stayed": 1, "arrived": 2, "left": 2}


def test_a_run_is_the_same_as_itself(runs):
    assert compare(runs[0], runs[0]).counts == {"stayed": 3, "arrived": 0, "left": 0}


def test_two_ships_side_by_side_are_matched_one_to_one(tmp_path):
    pair = ((100, 100, 100, 0.9), (108, 100, 100, 0.8))
    moved = ((104, 100, 100, 0.9), (112, 100, 100, 0.8))
    earlier, later = write_run(tmp_path / "a", pair), write_run(tmp_path / "b", moved)
    changes = compare(earlier, later)
    assert changes.counts == {"stayed": 2, "arrived": 0, "left": 0}
    assert sorted(round(b.x - a.x) for a, b in changes.stayed) == [4, 4]


def test_images_without_a_place_are_compared_by_pixels(tmp_path):
    earlier = write_run(tmp_path / "a", MONDAY, placed=False)
    later = write_run(tmp_path / "b", TUESDAY, placed=False)
    assert compare(earlier, later).counts == {"stayed": 1, "arrived": 2, "left": 2}
    with pytest.raises(BadOption, match="cannot be compared"):
        compare(earlier, write_run(tmp_path / "c"))


def test_an_image_across_the_antimeridian_has_two_edges(tmp_path):
    across = write_run(tmp_path / "a", MONDAY, lon=179.997)
    elsewhere = write_run(tmp_path / "b", MONDAY, lon=179.0)
    assert compare(across, across).counts == {"stayed": 3, "arrived": 0, "left": 0}
    assert compare(across, elsewhere).outside == 6


def test_a_ship_beside_a_rotated_image_lies_outside_of_it(tmp_path):
    grid = tile_grid(300, 200, 16)
    _, _, west, _, _, north = grid.transform
    a, _, _, _, e, _ = np.array(grid.transform) * math.sqrt(0.5)
    turned = replace(grid, transform=(a, e, west, -a, e, north))
    earlier = write_run(tmp_path / "a", ((100, 60, 100, 0.9),), grid=turned)
    later = write_run(tmp_path / "b", ((150, 30, 100, 0.9), (50, 150, 100, 0.8)))
    changes = compare(earlier, later)
    assert [ship.x for ship in changes.arrived] == [50] and changes.outside == 1


def test_a_place_outside_of_a_projection_lies_outside(tmp_path):
    place = (1.5, 0.0, 600_000.0, 0.0, -1.5, 10_000.0)
    utm = Grid(300, 200, 1.5, 1.5, "EPSG:32631", place, lambda xy: xy * 0 + (3.9, 0.09))
    near, far = write_run(tmp_path / "a", MONDAY, grid=utm), tile_grid(300, 200, 16, 93.0, 0.0)
    assert compare(near, write_run(tmp_path / "b", MONDAY, grid=far)).outside == 6


def test_a_comparison_is_saved_with_what_became_of_each_ship(runs, tmp_path):
    changes = compare(*runs)
    with changes.save(tmp_path / "c.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["change"] for row in rows) == ["arrived"] * 2 + ["left"] * 2 + ["stayed"]
    features = json.loads(changes.save(tmp_path / "c.geojson").read_text())["features"]
    assert [f["properties"]["change"] for f in features] == [row["change"] for row in rows]
    pyogrio = pytest.importorskip("pyogrio")
    table = pyogrio.read_dataframe(changes.save(tmp_path / "c.gpkg"), layer="changes")
    assert table["change"].tolist() == [row["change"] for row in rows]
    with pytest.raises(BadOption, match="choose"):
        changes.save(tmp_path / "c.shp")
