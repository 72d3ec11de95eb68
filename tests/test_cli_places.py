"""The commands about places, days and AIS."""

import json

import pytest
from PIL import Image

from shipdet import cli
from shipdet.settings import get_settings
from tests.helpers.stac_server import ITEMS, StacServer
from tests.helpers.tile_server import TileServer


@pytest.fixture
def dated(tmp_path, monkeypatch):
    with StacServer(tmp_path) as server:
        monkeypatch.setenv("SHIPDET_STAC_URL", server.url)
        monkeypatch.setenv("SHIPDET_RETRIES", "0")
        get_settings.cache_clear()
        yield server


def run(*arguments: str) -> int:
    return cli.main(arguments)


def box_of(server) -> list[str]:
    return ["--bbox", *(f"{side:.6f}" for side in server.bbox.as_tuple())]


def test_places_are_found_by_name_and_by_coordinates(capsys):
    assert run("place", "36°07'48\"N 5°25'48\"W", "--json") == 0
    (point,) = json.loads(capsys.readouterr().out)
    assert (point["lat"], point["lon"]) == pytest.approx((36.13, -5.43))
    assert run("place", "Port", "of", "Algeciras") == 0
    assert "Algeciras, Spain" in capsys.readouterr().out


def test_acquisitions_of_an_area_are_listed(dated, capsys):
    days = ["--date-from", "2024-05-01", "--date-to", "2024-05-31"]
    assert run("acquisitions", *box_of(dated), *days) == 0, "the same ones as of the API"
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["2024-05-11T11:06:19Z", "2024-05-01T11:06:19Z"]
    assert "5 % cloud  100% of the area" in lines[1]
    assert ITEMS[0].id in lines[1]
    assert run("acquisitions", *box_of(dated), *days, "--max-cloud", "100", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_a_cloud_limit_of_zero_is_accepted(dated, capsys):
    days = ["--date-from", "2024-05-01", "--date-to", "2024-05-31"]
    assert run("acquisitions", *box_of(dated), *days, "--max-cloud", "0") == 0
    assert capsys.readouterr().out == "No acquisition matches the dates and the cloud cover.\n"


def test_a_day_is_searched(dated, classifier, tmp_path, capsys):
    out = tmp_path / "out"
    corner = dated.bbox_of(20, 100, 50, 130).as_tuple()
    box = ["--bbox", *(f"{side:.6f}" for side in corner)]
    where = [*box, "--provider", "sentinel2", "--zoom", "15", "--out", str(out)]
    assert run("detect", *where, "--date", "2024-05-01", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["source"]["details"]["acquired"] == "2024-05-01T11:06:19Z"
    assert record["inputs"]["date_from"] == record["inputs"]["date_to"] == "2024-05-01"


def test_the_sample_is_matched_with_its_ais_file(classifier, capsys):
    out = get_settings().runs_dir / "harbor-20260101-000000-abcdef"
    how = ["--zoom", "15", "--threshold", "0.9", "--quiet", "--out", str(out)]
    assert run("detect", "--sample", "--ais", "sample", *how) == 0
    assert "AIS at 2024-06-07T10:30:00Z" in capsys.readouterr().out
    assert (out / "ais.geojson").is_file()
    assert run("ais", out.name, "sample", "--json") == 0
    answer = json.loads(capsys.readouterr().out)["ais"]
    assert answer["matched"] + len(answer["unseen"]) == 19
    assert run("ais", str(out), "sample", "--acquired", "2024-07-07T10:30:00Z") == 2
    assert "use the AIS file of that time" in capsys.readouterr().err


def test_ais_is_read_before_an_image_is_searched(tmp_path, capsys):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    out = tmp_path / "out"
    how = ["--gsd", "3", "--ais", "sample", "--out", str(out)]
    assert run("detect", str(tmp_path / "a.png"), *how) == 2
    assert "The image has no" in capsys.readouterr().err and not out.exists()


def test_the_areas_of_a_file_are_searched_one_by_one(classifier, tmp_path, monkeypatch, capsys):
    with TileServer() as server:
        monkeypatch.setenv("SHIPDET_XYZ_URL", server.url_template)
        get_settings.cache_clear()
        features = []
        for name, part in {"north": (0, 0, 250, 200), "south": (0, 300, 250, 500)}.items():
            west, south, east, north = server.bbox_of(*part).as_tuple()
            ring = [[west, south], [east, south], [east, north], [west, south]]
            geometry = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "properties": {"name": name}, "geometry": geometry})
        file = tmp_path / "ports.geojson"
        file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        out = tmp_path / "out"
        how = ["--provider", "xyz", "--zoom", "15", "--out", str(out), "--json", "--quiet"]
        assert run("detect", "--area", str(file), *how) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [area["name"] for area in answer["areas"]] == ["north", "south"]
    assert (out / "north" / "run.json").is_file() and (out / "south" / "run.json").is_file()
    assert len((out / "summary.csv").read_text().splitlines()) == 3
    assert "south/overlay.png" in (out / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["place", "Atlantis-on-Sea"], "No city or port"),
        (["acquisitions"], "--bbox WEST SOUTH EAST NORTH"),
        (["acquisitions", "--bbox", "1", "2", "3", "4", "--date-from", "May"], "is not a date"),
        (["detect", "--sample", "--area", "x.kml"], "Give one area"),
        (["detect", "--gsd", "3"], "Give one area"),
        (["detect", "--sample", "--gsd", "3"], "--gsd is for images, not for areas"),
        (["detect", "--sample", "--bands", "3,2,1"], "--bands is for images"),
        (["detect", "a.tif", "--provider", "esri"], "--provider is for areas, not for images"),
        (["detect", "a.tif", "--max-cloud", "0"], "--max-cloud is for areas"),
        (["detect", "a.tif", "--date", "2024-05-01"], "--date is for areas"),
        (["detect", "a.tif", "--acquired", "2024-05-01T10:56:00Z"], "--ais is matched"),
        (["detect", "--sample", "--acquired", "2024-05-01T10:56:00Z"], "--ais is matched"),
        (["detect", "--sample", "--provider", "esri"], "leave out --provider"),
        (["detect", "--sample", "--date", "2024-05-01", "--date-to", "2024-06-01"], "Give --date"),
        (["detect", "--area", "none.kml"], "cannot be read"),
        (["detect", "--sample", "--ais", "none.csv"], "cannot be read"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--provider", "esri", "--ais", "x.csv"],
         "has no date"),
        (["detect", "--sample", "--ais", "sample", "--acquired", "noon"], "is not a time"),
        (["ais", "none", "sample"], "no longer on disk"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(arguments, says, capsys):
    assert run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert says in error
    assert len(error.splitlines()) == 1
