"""Several areas from Python, and boxes across the antimeridian."""

import json
from pathlib import Path

import pytest

import shipdet
from shipdet import pipeline
from shipdet.errors import BadArea
from shipdet.geometry import BBox
from shipdet.requests import Search
from tests.helpers.tile_server import TileServer


def names(areas: object) -> list[str]:
    return [name for name, _ in pipeline.areas_of(areas)]


def test_areas_are_boxes_polygons_and_files(tmp_path):
    ring = [[4.0, 51.0], [4.1, 51.0], [4.1, 51.1]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    file = tmp_path / "ports.geojson"
    features = [
        {"type": "Feature", "geometry": polygon, "properties": {"name": name}} for name in "ab"
    ]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert names([4.0, 51.0, 4.1, 51.1]) == names(BBox(4.0, 51.0, 4.1, 51.1)) == [""]
    assert names(polygon) == names("POLYGON ((4 51, 4.1 51, 4.1 51.1, 4 51))") == [""]
    assert names(file) == names(str(file)) == ["a-0001", "b-0002"]
    with pytest.raises(BadArea, match="is not a WKT"):
        names("POLYGON of nothing")
    with pytest.raises(BadArea, match="cannot be read"):
        names("nowhere.kml")


def test_both_sides_of_the_antimeridian_bear_names():
    east, west = pipeline.requests_for(
        pipeline.areas_of((179.9, -17, -179.9, -16.9)), Search(), {"provider": "esri"}
    )
    assert east[1].search.name == east[0] == "eastern-hemisphere"
    assert (east[1].bbox[2], west[1].bbox[0]) == (180.0, -180.0)


def test_both_sides_of_an_area_with_a_long_name_may_be_runs(tmp_path):
    file = tmp_path / "areas.csv"
    file.write_text(f"west,south,east,north,name\n179.9,-17,-179.9,-16.9,{'x' * 60}\n")
    named = [name for name, _ in pipeline.areas_of(file)]
    assert [Search(name=name).name for name in named] == named and len(set(named)) == 2


def test_several_areas_become_runs_in_folders(classifier, tmp_path, monkeypatch):
    with TileServer() as server:
        settings = shipdet.get_settings().model_copy(update={"xyz_url": server.url_template})
        parts = [server.bbox_of(x, 10, x + 120, 130) for x in (10, 300)]
        file = tmp_path / "areas.csv"
        rows = [",".join(map(str, ("west", "south", "east", "north", "name")))]
        rows += [",".join(map(str, (*b.as_tuple(), n))) for b, n in zip(parts, ("pier", "roads"),
                                                                       strict=True)]  # fmt: skip
        file.write_text("\n".join(rows))
        out = tmp_path / "out"
        runs = shipdet.detect_areas(
            file, out=out, settings=settings, provider="xyz", zoom=server.zoom
        )
    assert [run.folder for run in runs] == [out / "pier", out / "roads"]
    assert all(Path(run.folder, "run.json").is_file() for run in runs)
