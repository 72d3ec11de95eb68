"""A filter leaves the same ships in tables, files, report and on the command line."""

import csv
import inspect
import json
from dataclasses import replace

import pytest

import shipdet
from shipdet.cli import main
from shipdet.detections import Detections
from shipdet.errors import ShipdetError
from shipdet.report import Run, ShipFilter
from tests.helpers.written_runs import write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", min_length_m=0.0)


def lengths(run):
    return [round(ship.length_m) for ship in run.detections]


def test_without_options_every_ship_is_left(run):
    assert run.filtered().detections == run.detections
    assert ShipFilter().given == {}


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"min_length_m": 60}, [120, 60]),
        ({"max_length_m": 60}, [12, 60]),
        ({"min_score": 0.75}, [120, 12]),
        ({"within_px": "POLYGON ((0 0, 100 0, 100 100, 0 100, 0 0))"}, [120]),
        ({"min_length_m": 60, "min_score": 0.75}, [120]),
    ],
)
def test_each_option_leaves_the_ships_that_fit(run, options, left):
    assert lengths(run.filtered(**options)) == left


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ({"min_length_m": 60}, {"min_score": 0.75}, [120]),
        ({"min_length_m": 60}, {"min_length_m": 10}, [120, 60]),
        ({"max_length_m": 60}, {"max_length_m": 200}, [12, 60]),
        ({"min_length_m": 60, "cut": "without"}, {"cut": "without"}, [120, 60]),
    ],
)
def test_a_second_filter_leaves_no_more_ships(run, first, then, left):
    assert lengths(run.filtered(**first).filtered(**then)) == left


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ({"cut": "only"}, {"cut": "without"}, "already filtered by another value of cut"),
        ({"min_length_m": 90}, {"max_length_m": 50}, "swap the two lengths"),
    ],
)
def test_filters_that_cannot_be_joined_are_one_sentence(run, first, then, expected):
    with pytest.raises(ShipdetError, match=expected):
        run.filtered(**first).filtered(**then)


def test_marks_are_the_only_ones_or_left_out(run):
    marked = {"cut": True, "near_gap": True, "dark": True, "review": "accepted"}
    one, *others = run.detections
    ships = Detections((replace(one, **marked), *others))
    for name in ("cut", "near_gap", "dark", "reviewed"):
        assert ShipFilter.check(**{name: "only"}).of(ships).items == ships.items[:1]
        assert ShipFilter.check(**{name: "without"}).of(ships).items == ships.items[1:]


def test_a_polygon_of_degrees_is_about_the_center(run):
    first = run.detections[0]
    w, s, e, n = first.lon - 1e-4, first.lat - 1e-4, first.lon + 1e-4, first.lat + 1e-4
    around = f"POLYGON (({w} {s}, {e} {s}, {e} {n}, {w} {n}, {w} {s}))"
    assert lengths(run.filtered(within=around)) == [120]


def test_a_polygon_of_degrees_needs_a_georeference(tmp_path):
    nowhere = write_run(tmp_path / "nowhere", placed=False)
    with pytest.raises(ShipdetError, match="within_px"):
        nowhere.filtered(within="POLYGON ((0 0, 1 0, 1 1, 0 0))").detections  # noqa: B018


def test_ships_keep_their_numbers_and_the_folder_stays(run):
    left = run.filtered(max_length_m=60)
    assert [ship.id for ship in left.detections] == [2, 3]
    assert [path.name for path in left.chips] == ["ship_0002.png", "ship_0003.png"]
    assert all(path.is_file() for path in left.chips)
    assert left.record == run.record and len(left.all_detections) == 3


def test_files_and_report_hold_what_is_left(run, tmp_path):
    left = run.filtered(min_length_m=100)
    with left.save(tmp_path / "long.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 1
    assert len(json.loads(left.save(tmp_path / "long.geojson").read_text())["features"]) == 1
    page = left.report(tmp_path / "long.html").read_text()
    assert "1 ship<" in page and "min_length_m 100" in page
    assert left.overlay().size == run.overlay().size
    assert left.overlay().tobytes() != run.overlay().tobytes()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"min_length_m": -1}, "Min_length_m"),
        ({"cut": "maybe"}, "only, without"),
        ({"min_length_m": 90, "max_length_m": 50}, "swap the two lengths"),
        ({"within": "POINT (1 2)"}, "POLYGON"),
        ({"within_px": "POINT (1 2)"}, "POLYGON in pixels"),
        ({"within_px": "POLYGON ((0 0"}, "POLYGON in pixels"),
        ({"length": 3}, "no such option"),
    ],
)
def test_wrong_values_are_one_sentence(run, options, expected):
    with pytest.raises((ShipdetError, TypeError), match=expected):
        ShipFilter.check(**options)


def test_the_command_line_takes_the_same_options(run, tmp_path, capsys):
    assert main(["runs", "show", str(run.folder), "--min-length", "100", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["ships"], record["filter"]) == (1, {"min_length_m": 100.0})
    target = tmp_path / "short.csv"
    assert main(["runs", "show", str(run.folder), "--max-length", "60", "--save", str(target)]) == 0
    assert len(target.read_text().splitlines()) == 3
    assert main(["runs", "show", str(run.folder), "--min-score", "2"]) == 2


def test_python_shows_the_options_of_the_definition():
    assert set(inspect.signature(Run.filtered).parameters) == {"self", *ShipFilter.model_fields}
    assert shipdet.ShipFilter is ShipFilter
